"""Kill anything at any time: every job ends with the right text, once, and nothing is left behind."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from dalston.bus import Bus, BusSettings, subjects
from dalston.cli.up import leftovers
from tests.speech import jfk
from tests.stack import Stack
from tests.system.recognised import says

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

_JOBS = 20
_END_SECONDS = 150.0
_FINISHED = ("succeeded", "failed", "cancelled")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system of its own, since its parts are killed; silent workers are given up after 4 s."""
    running = Stack(
        tmp_path_factory.mktemp("faults"),
        environment={"DALSTON_NATS_ACK_WAIT": "4", "DALSTON_OPERATOR_RECHECK_INTERVAL": "5"},
    )
    running.start()
    yield running
    running.stop()


@pytest.mark.parametrize("part", ["operator", "gateway", "nats", "localkube", "worker"])
def test_killed_part_costs_no_job(system: Stack, part: str) -> None:
    names = _submitted(system, _JOBS)
    chance = random.Random(part)
    stop = threading.Event()

    def strike() -> None:
        while not stop.wait(chance.uniform(0.5, 3.0)):
            _kill(system, part)

    striker = threading.Thread(target=strike)
    striker.start()
    time.sleep(6)
    stop.set()
    striker.join()
    for name in names:
        job = _ended(system, name)
        assert job["status"]["phase"] == "Succeeded", job["status"].get("failure")
        assert says(_text(system, name), jfk().text)
    _delete_all(system, names)


async def test_nothing_is_left_behind(system: Stack) -> None:
    names = _submitted(system, 3)
    for name in names:
        _ended(system, name)
    _delete_all(system, names)
    artifacts = system.state.artifacts
    _until(lambda: not _files(artifacts / "jobs") and not _files(artifacts / "uploads"), 20)
    async with await Bus.connect(BusSettings(url=system.running.nats), name="test") as bus:
        assert await bus.claims.jobs() == set()
        tasks = await bus.js.stream_info(subjects.TASKS)
        assert tasks.state.messages == 0
        consumers = [info.name for info in await bus.js.consumers_info(subjects.TASKS)]
        assert not [name for name in consumers if "job-" in name]


def test_cancelled_job_stops_within_five_seconds(system: Stack, long_speech: Path) -> None:
    name = _submit(system, long_speech)
    _until(lambda: _stage(system, name, "transcribe") == "running", 30)
    httpx.post(f"{system.url}/v1/audio/transcriptions/{name}/cancel").raise_for_status()
    _until(lambda: _status(system, name).get("status") == "cancelled", 5)
    _until(lambda: _running_tasks(system) == 0, 5)
    _delete_all(system, [name])


def test_suspended_job_waits_and_resumes(system: Stack) -> None:
    name = _submit(system, jfk().path, suspend="true")
    _until(lambda: _status(system, name).get("status") == "suspended", 10)
    system.kubectl("patch", "tj", name, "--type=merge", "-p", '{"spec":{"suspend":false}}')
    assert _ended(system, name)["status"]["phase"] == "Succeeded"
    _delete_all(system, [name])


@pytest.fixture(scope="module")
def long_speech() -> Path:
    """Ten minutes of speech."""
    from tests.recordings import long_recording

    return long_recording(600).path


def _kill(system: Stack, part: str) -> None:
    if part != "worker":
        try:
            system.kill(part)
        except (AssertionError, KeyError, ProcessLookupError):
            return
        return
    for pid in _workers(system):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _workers(system: Stack) -> list[int]:
    """Process ids of the workers of this system."""
    found = []
    for pid in leftovers.marked(system.state_dir):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"dalston.engine_sdk" in command and b"worker" in command:
            found.append(pid)
    return found


def _submitted(system: Stack, count: int) -> list[str]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: _submit(system, jfk().path), range(count)))


def _submit(system: Stack, path: Path, **fields: str) -> str:
    reply = httpx.post(
        f"{system.url}/v1/audio/transcriptions",
        files={"file": (path.name, path.read_bytes())},
        data=fields,
        timeout=60,
    )
    reply.raise_for_status()
    return str(reply.json()["id"])


def _ended(system: Stack, name: str) -> dict[str, Any]:
    _until(lambda: _status(system, name).get("status") in _FINISHED, _END_SECONDS)
    return system.kubectl_json("get", "tj", name)


def _status(system: Stack, name: str) -> dict[str, Any]:
    try:
        reply = httpx.get(f"{system.url}/v1/audio/transcriptions/{name}", timeout=10)
        reply.raise_for_status()
    except httpx.HTTPError:
        return {}
    found: dict[str, Any] = reply.json()
    return found


def _stage(system: Stack, name: str, stage: str) -> str:
    stages = _status(system, name).get("stages", [])
    return next((item["state"] for item in stages if item["name"] == stage), "")


def _text(system: Stack, name: str) -> str:
    reply = httpx.get(f"{system.url}/v1/audio/transcriptions/{name}/export/json", timeout=10)
    reply.raise_for_status()
    return str(reply.json()["text"])


def _running_tasks(system: Stack) -> int:
    engines = system.kubectl_json("get", "eng")["items"]
    return sum(engine["status"].get("running", 0) for engine in engines)


def _delete_all(system: Stack, names: list[str]) -> None:
    for name in names:
        system.kubectl("delete", "tj", name, "--wait=false")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def _until(look: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
