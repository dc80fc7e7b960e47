"""`dalston demo`: transcribes a recording and prints its segments with their times."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dalston.cli import console
from dalston.cli.exit_codes import ExitCode
from dalston.cli.jobs import follow, outcome
from dalston.cli.problems import Problem, Unreachable
from dalston.cli.progress import progress
from dalston.cli.server import Server
from dalston.cli.up.checkout import example_recording
from dalston.cli.up.state import LOOPBACK, StateFolder, free_port

_STOP_SECONDS = 60.0


def demo(server: Server, recording: Path | None, *, model: str | None) -> ExitCode:
    """Transcribe with the system that runs, or with one that runs for this only."""
    path = recording or example_recording()
    if not path.is_file():
        raise Problem(f"{path}: no such file", code=ExitCode.USAGE)
    try:
        return _run(server, path)
    except Unreachable:
        console.tell(f"nothing runs at {server.url}: starting a system for this")
    with _temporary(model) as own:
        return _run(own, path)


def _run(server: Server, path: Path) -> ExitCode:
    with server.connect() as client:
        client.status()  # before the upload: whether anybody is there
        with progress() as bars:
            job = client.upload(path, {"timestamps": "word"}, sent=lambda _: None)
            for state in follow(client, job["id"]):
                job = state
                bars.show(path.name, what=outcome(job), percent=job.get("progress") or 0)
        if job["status"] != "succeeded":
            console.tell(f"{path}: {outcome(job)}")
            return ExitCode.FAILED
        transcript = json.loads(client.export(job["id"], "json"))
    console.say(f"{path.name}: {console.clock(transcript['duration'])} of audio")
    for segment in transcript["segments"]:
        times = f"{console.clock(segment['start'])} - {console.clock(segment['end'])}"
        who = f"  {segment['speaker']}:" if segment.get("speaker") else ""
        console.say(f"  {times}{who}  {segment['text'].strip()}")
    return ExitCode.OK


@contextmanager
def _temporary(model: str | None) -> Iterator[Server]:
    """Run a system in a folder of its own; stops it and removes the folder."""
    with tempfile.TemporaryDirectory(prefix="dalston-demo-") as folder:
        port = free_port()
        command = [sys.executable, "-m", "dalston.cli", "up", "--state-dir", folder]
        command += ["--port", str(port), *(("--model", model) if model else ())]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                _await_ready(process, StateFolder(Path(folder)))
                yield Server(f"http://{LOOPBACK}:{port}")
            finally:
                process.terminate()
                process.communicate(timeout=_STOP_SECONDS)


def _await_ready(process: subprocess.Popen[str], state: StateFolder) -> None:
    """Read what the supervisor says until it serves."""
    assert process.stdout is not None
    for _ in process.stdout:
        running = state.read_running()
        if running is not None and running.ready:
            return
    raise Problem("the system did not start", advice="`dalston up` says more")
