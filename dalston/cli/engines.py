"""`dalston engines`: which engines the cluster has, and what each can do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalston.cli import console
from dalston.cli.cluster import with_cluster
from dalston.cli.exit_codes import ExitCode
from dalston.cli.server import Server
from dalston.resources import Engine

if TYPE_CHECKING:
    from dalston.kube import KubeClient

JSON = dict[str, Any]


def list_engines(server: Server, *, as_json: bool) -> ExitCode:
    """Print all engines with their load."""
    with server.connect() as client:
        found = client.engines()
    if as_json:
        console.show_json(found)
    elif found:
        show_engines(found)
    else:
        console.tell("no engines; `kubectl apply -f engines/<stage>/<id>/engine.yaml` adds one")
    return ExitCode.OK


def show_engines(engines: Iterable[JSON]) -> None:
    """Print engines as the API gives them."""
    head = ("NAME", "STAGES", "MODELS", "QUEUED", "RUNNING", "WORKERS", "READY", "STATUS")
    console.show_table(head, [_row(engine) for engine in engines])


def _row(engine: JSON) -> tuple[str, ...]:
    return (
        engine["name"],
        ",".join(engine["stages"]),
        ",".join(f"{model['name']}{'*' * model['default']}" for model in engine["models"]),
        str(engine["queued"]),
        str(engine["running"]),
        str(engine["workers"]),
        str(engine["ready"]),
        engine["failing"] or engine["status"],
    )


def _models(engine: Engine) -> str:
    """Give the names of the models, the default one with a star."""
    default = engine.spec.default_model()
    return ",".join(
        f"{model.name}*" if model is default else model.name for model in engine.spec.models
    )


def describe_engine(config: Path | None, name: str, *, as_json: bool) -> ExitCode:
    """Print one engine."""

    async def read(client: KubeClient) -> JSON:
        from dalston.kube.kinds import ENGINES

        return await client.get(ENGINES, name, namespace=client.settings.namespace)

    item = with_cluster(config, read)
    if as_json:
        console.show_json(item)
    else:
        _show(Engine.model_validate(item))
    return ExitCode.OK


def _show(engine: Engine) -> None:
    spec, status = engine.spec, engine.status
    able = spec.capabilities
    parameters = spec.parameters.values
    console.show_fields(
        [
            ("name", engine.metadata.name),
            ("stages", ", ".join(spec.stages)),
            ("image", spec.image),
            ("models", _models(engine).replace(",", ", ")),
            ("languages", ", ".join(able.languages) or "any"),
            ("tasks", ", ".join(able.tasks)),
            ("can", ", ".join(_abilities(able.model_dump()))),
            ("parameters", ", ".join(f"{key}={value}" for key, value in parameters.items())),
            ("workers", f"{spec.workers.min} to {spec.workers.max}"),
            ("idle", f"a worker ends after {spec.workers.idle_seconds} s without work"),
            ("now", f"{status.workers} workers, {status.ready} ready"),
            ("load", f"{status.queued} tasks wait, {status.running} run"),
            ("failing", status.failing),
        ]
    )
    if status.conditions:
        console.say()
        rows = [(each.type, each.status, each.reason, each.message) for each in status.conditions]
        console.show_table(("CONDITION", "STATUS", "REASON", "MESSAGE"), rows)


def _abilities(capabilities: JSON) -> Iterable[str]:
    for name, value in capabilities.items():
        if value is True:
            yield name.replace("_", " ")
    if capabilities["entities"]:
        yield "entities " + ", ".join(capabilities["entities"])
