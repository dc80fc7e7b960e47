"""Workers as processes: killed, frozen, hanging, ending without a result, told to end."""

import asyncio
import os
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from dalston.artifacts import ArtifactSettings, keys
from tests.deadlines import until, within
from tests.engine_sdk.conftest import ENGINE, Stack

ENGINE_SOURCE = """
import os, threading
from pathlib import Path
from dalston.engine_sdk import Engine, Task, TranscribeResult

class Obedient(Engine):
    '''Does what the name of the job says, the first time; works the next time.'''

    def load(self):
        if self.context.parameters.get("broken"):
            raise RuntimeError("no weights")

    def process(self, task: Task) -> TranscribeResult:
        task.output("worker.txt").write_text(str(os.getpid()))
        mark = Path(self.context.parameters["marks"]) / task.request.job
        first = not mark.exists()
        mark.write_text("")
        if first and task.request.job == "exit":
            os._exit(0)
        if first and task.request.job in ("wait", "hang"):
            go_on = mark.with_suffix(".go")
            while not go_on.exists():
                threading.Event().wait(0.01)
        return TranscribeResult()
"""


@pytest.fixture
def engine_folder(tmp_path: Path) -> Path:
    """The folder of an engine, with a place for its marks."""
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "engine.py").write_text(textwrap.dedent(ENGINE_SOURCE))
    return folder


class Workers:
    """Starts worker processes."""

    def __init__(self, stack: Stack, store: ArtifactSettings, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.scratch = folder.parent / "scratch"
        self._environment = {
            "DALSTON_NATS_URL": stack.bus.settings.url,
            "DALSTON_NATS_ACK_WAIT": "1",
            "DALSTON_ARTIFACTS_URL": store.url,
            "DALSTON_WORKER_ENGINE": ENGINE,
            "DALSTON_WORKER_PARAMETERS": f'{{"marks": "{folder}"}}',
            "DALSTON_WORKER_SCRATCH": str(self.scratch),
        }

    @asynccontextmanager
    async def started(self, name: str, **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A worker process, which is killed at the end if it still runs."""
        environment = {**os.environ, **self._environment, "DALSTON_WORKER_NAME": name, **more}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dalston.engine_sdk", "worker", cwd=self.folder, env=environment
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def until_marked(self, job: str) -> None:
        """Wait until the engine works on the job."""
        await until((self.folder / job).exists, what=f"the engine at work on {job}")

    def let_go(self, job: str) -> None:
        """Let the engine finish the job."""
        (self.folder / job).with_suffix(".go").touch()


@pytest.fixture
def workers(stack: Stack, store_settings: ArtifactSettings, engine_folder: Path) -> Workers:
    """Worker processes on the test's bus and store."""
    return Workers(stack, store_settings, engine_folder)


async def test_killed_worker_loses_no_task(stack: Stack, workers: Workers) -> None:
    task = await stack.publish("wait")
    async with workers.started("worker-a") as first:
        await workers.until_marked("wait")
        first.kill()
        await first.wait()
    assert len(list(workers.scratch.iterdir())) == 1  # nobody could remove it
    async with workers.started("worker-b", DALSTON_WORKER_IDLE_SECONDS="2") as second:
        event = await stack.event("succeeded", task)
        assert await within(5, second.wait()) == 0
    assert event.worker == "worker-b"
    assert len(stack.told("succeeded")) == 1
    assert list(workers.scratch.iterdir()) == []


async def test_frozen_worker_writes_nothing_that_is_read(stack: Stack, workers: Workers) -> None:
    task = await stack.publish("wait")
    async with workers.started("worker-a") as first, workers.started("worker-b") as second:
        await workers.until_marked("wait")
        claim = await stack.bus.claims.get(task)
        assert claim is not None
        frozen = first if claim.owner == "worker-a" else second
        frozen.send_signal(signal.SIGSTOP)
        event = await stack.event("succeeded", task)
        assert event.worker != claim.owner
        workers.let_go("wait")
        frozen.send_signal(signal.SIGCONT)
        last = await stack.publish("last")
        await stack.event("succeeded", last)
        frozen.terminate()
        await within(10, frozen.wait())
    manifest = await stack.manifest(task)
    assert manifest.worker == event.worker
    written = await stack.store.keys(keys.job_folder("wait"))
    assert written == [f"{manifest.folder}/worker.txt", keys.manifest(task)]


async def test_process_that_ends_without_a_result_is_followed_by_another(
    stack: Stack, workers: Workers
) -> None:
    task = await stack.publish("exit")
    async with workers.started("worker-a") as first:
        assert await within(10, first.wait()) == 0
    assert not stack.told("succeeded")
    async with workers.started("worker-b"):
        await stack.event("succeeded", task)


async def test_hanging_engine_ends_with_its_process(stack: Stack, workers: Workers) -> None:
    task = await stack.publish("hang")
    async with workers.started("worker-a", DALSTON_WORKER_WATCHDOG_SECONDS="0.5") as first:
        assert await within(10, first.wait()) == 70
    async with workers.started("worker-b"):
        await stack.event("succeeded", task)
    assert len(stack.told("succeeded")) == 1


async def test_sigterm_hands_back_although_the_engine_goes_on(
    stack: Stack, workers: Workers
) -> None:
    task = await stack.publish("wait")
    async with workers.started("worker-a") as first:
        await workers.until_marked("wait")
        first.terminate()
        assert await within(5, first.wait()) == 75
    async with workers.started("worker-b"):
        await stack.event("succeeded", task)
        assert len(list(workers.scratch.iterdir())) == 1  # that of the second alone


async def test_engine_that_does_not_load_ends_with_status_one(
    stack: Stack, workers: Workers
) -> None:
    task = await stack.publish("job-1")
    async with workers.started("worker-a", DALSTON_WORKER_PARAMETERS='{"broken": true}') as worker:
        assert await within(10, worker.wait()) == 1
    assert (await stack.bus.is_queued(task, engine=ENGINE, lane="normal")) is True


async def test_health_is_served(stack: Stack, workers: Workers) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    task = await stack.publish("job-1")
    async with (
        workers.started("a", DALSTON_HEALTH_PORT=port, DALSTON_HEALTH_HOST="127.0.0.1"),
        aiohttp.ClientSession() as session,
    ):
        await stack.event("succeeded", task)
        for path, expected in (("/livez", 200), ("/readyz", 200), ("/metrics", 200)):
            async with session.get(address + path) as answer:
                assert answer.status == expected
                text = await answer.text()
        assert 'dalston_worker_tasks_total{engine="tiny",outcome="succeeded"' in text
