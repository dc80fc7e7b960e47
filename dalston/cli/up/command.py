"""Prepares what `dalston up` and `dalston down` need, runs them and explains what went wrong."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from dalston.cli.exit_codes import ExitCode
from dalston.cli.up import checkout, leftovers, parts
from dalston.cli.up.keeper import PartFailed
from dalston.cli.up.state import (
    AlreadyRunning,
    StateFolder,
    port_is_free,
    shown,
    write_atomically,
)
from dalston.cli.up.supervisor import Plan, Supervisor

_TAKEOVER_SECONDS = 5.0
"""How long what a killed supervisor left behind gets to end by itself."""


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """What the user chose."""

    state_dir: Path
    host: str
    port: int
    engines_dir: Path | None
    model: str | None
    warm: bool


def up(options: UpOptions) -> ExitCode:
    """Run the system until a signal comes; gives the exit code."""
    state = StateFolder(options.state_dir.resolve())
    state.create()
    try:
        with state.locked():
            return _up(options, state)
    except AlreadyRunning:
        return _already_running(state)


def down(state_dir: Path) -> ExitCode:
    """Stop the supervisor of a state folder and wait until it has ended."""
    state = StateFolder(state_dir.resolve())
    running = state.read_running()
    if running is None or not state.is_locked():
        print(f"nothing runs in {state.root}")
        return ExitCode.OK
    leftovers.end([running.pid], grace=60.0)
    print(f"stopped (process {running.pid})")
    return ExitCode.OK


def add_engine(state_dir: Path, folder: Path) -> ExitCode:
    """Add an engine from a folder to the system that runs: image first, then the resource."""
    state = StateFolder(state_dir.resolve())
    if not state.is_locked():
        return _complain(f"nothing runs in {state.root}", "start it first: dalston up")
    try:
        engine = checkout.read_engine(folder)
    except checkout.NotAnEngine as error:
        return _complain(str(error), "the folder must hold engine.yaml")
    known = json.loads(state.images.read_text())
    environment: dict[str, str] = next((image["env"] for image in known), {})
    entry = engine.image(environment)
    others = [image for image in known if image["image"] != entry["image"]]
    write_atomically(state.images, json.dumps([*others, entry], indent=1), mode=0o600)

    from dalston.cli.up import install
    from dalston.kube import KubeSettings

    asyncio.run(install.apply_engines(KubeSettings(config=state.kubeconfig), [engine.manifest]))
    print(f"engine {engine.name} added; `kubectl get engines` shows it")
    return ExitCode.OK


def _up(options: UpOptions, state: StateFolder) -> ExitCode:
    say = _say
    if left := leftovers.marked(state.root):
        say(f"ending {len(left)} processes that an earlier run left behind")
        leftovers.end(left, grace=_TAKEOVER_SECONDS)
    if not port_is_free(options.host, options.port):
        return _complain(
            f"port {options.port} of {options.host} is in use by another program",
            "stop that program, or choose another port: dalston up --port 8001",
        )
    try:
        plan = _plan(options, state)
    except checkout.NoEngines as error:
        return _complain(
            f"no engines in {error}",
            "engines come with the project's checkout: give their folder with --engines-dir "
            "or DALSTON_ENGINES_DIR",
        )
    except checkout.NotAnEngine as error:
        return _complain(str(error), "mend or remove that manifest")
    try:
        asyncio.run(Supervisor(plan, say=say).run())
    except parts.NoNatsServer:
        return _complain(
            "there is no nats-server to run",
            "`make setup` installs it; or: apt-get install nats-server",
        )
    except PartFailed as failure:
        return _explain(failure, state)
    return ExitCode.OK


def _plan(options: UpOptions, state: StateFolder) -> Plan:
    setup = parts.Setup(state=state, ports=state.ports(), host=options.host, port=options.port)
    engines = checkout.find_engines(options.engines_dir)
    environment = setup.worker_environment()
    images = [engine.image(environment) for engine in engines]
    write_atomically(state.images, json.dumps(images, indent=1), mode=0o600)
    place_example(state)
    manifests = [engine.manifest for engine in engines]
    if options.model:
        model = _named_or_absolute(options.model)
        manifests = [
            checkout.with_default_model(manifest, model)
            if manifest["metadata"]["name"] == checkout.DEFAULT_ENGINE
            else manifest
            for manifest in manifests
        ]
    if options.warm:
        manifests = [checkout.warmed(manifest) for manifest in manifests]
    return Plan(setup=setup, engines=engines, manifests=manifests, warm=options.warm)


def _named_or_absolute(model: str) -> str:
    """Give a model's name, or the whole path of a directory: workers run elsewhere."""
    return str(Path(model).resolve()) if "/" in model and Path(model).is_dir() else model


def place_example(state: StateFolder) -> None:
    """Put the recording of the examples into the artifact store, where manifests can name it."""
    recording = checkout.example_recording()
    target = state.artifacts / "examples" / recording.name
    if not recording.exists() or target.exists():
        return
    target.parent.mkdir(exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_bytes(recording.read_bytes())
    draft.replace(target)


def _already_running(state: StateFolder) -> ExitCode:
    running = state.read_running()
    if running is None:
        print(f"{state.root}: another `dalston up` is starting or stopping there")
        return ExitCode.OK
    print(f"running since {running.started} (process {running.pid}):")
    print(f"  gateway     {running.gateway} (reference at /docs)")
    print(f"  kubernetes  kubectl --kubeconfig {shown(running.kubeconfig)}")
    print(f"  nats        {running.nats}")
    print(f"  logs        {shown(state.logs)}/")
    print("stop it with `dalston down`" if running.ready else "it is still starting")
    return ExitCode.OK


def _explain(failure: PartFailed, state: StateFolder) -> ExitCode:
    what = "does not serve" if failure.status is None else f"ended with status {failure.status}"
    print(f"dalston: {failure.name} {what}; the end of its log:", file=sys.stderr)
    for line in failure.tail:
        print(f"    {line}", file=sys.stderr)
    path = shown(state.logs / f"{failure.name}.log")
    return _complain(f"{failure.name} cannot start", hint_for(failure.tail) or f"read {path}")


HINTS = (
    ("address already in use", "another program took the port: start again, or use --port"),
    ("No space left on device", "the disk is full: free some space"),
    ("No module named", "a package is missing: run `make setup`"),
    ("Permission denied", "the state folder is not yours: use another one with --state-dir"),
    ("malformed", "the state is damaged: move the state folder away and start again"),
)


def hint_for(tail: list[str]) -> str | None:
    """Give what to do about a part that cannot start, from the end of its log."""
    text = "\n".join(tail)
    return next((advice for sign, advice in HINTS if sign.lower() in text.lower()), None)


def _complain(problem: str, advice: str) -> ExitCode:
    print(f"dalston: {problem}\n  {advice}", file=sys.stderr)
    return ExitCode.FAILED


def _say(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:  # whoever read along has left; that is no reason to stop
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process


__all__ = ["UpOptions", "add_engine", "down", "hint_for", "place_example", "up"]
