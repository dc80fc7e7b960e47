"""The process of the control plane dies or stops while pods run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dalston.kube.kinds import JOBS, PODS
from tests.deadlines import until
from tests.localkube_controllers.cluster import alive, condition, ended, job, pod, state
from tests.localkube_controllers.server_process import ServerProcess


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(tmp_path / "kube")
    await server.start()
    yield server
    if not server.running:
        await server.start()
    await server.stop()


async def _pid(path: Path) -> int:
    return int(await until(lambda: path.exists() and path.read_text().strip(), what=str(path)))


async def test_killed_server_adopts_its_pods_and_learns_how_they_ended(
    server: ServerProcess, tmp_path: Path
) -> None:
    runs, go = tmp_path / "runs", tmp_path / "go"
    wait = f"while [ ! -e {go} ]; do sleep 0.02; done"
    quick = f"echo $$ >> {runs}; sleep 0.3"
    async with server.cluster() as cluster:
        await cluster.create(PODS, pod(f"echo $$ > {runs}.1; {wait}; exit 7"))
        await cluster.create(JOBS, job(quick))
        lasting, ending = await _pid(tmp_path / "runs.1"), await _pid(runs)
    await server.kill()
    assert alive(lasting)
    await until(lambda: not alive(ending), what="process of the job is gone")
    await server.start()
    go.touch()
    async with server.cluster() as cluster:
        found = await cluster.one(PODS, "pod", ended)
        done = await cluster.one(JOBS, "job", ended)
    assert state(found)["terminated"]["exitCode"] == 7
    assert found["status"]["containerStatuses"][0]["restartCount"] == 0
    assert condition(done, "Complete")
    assert len(runs.read_text().splitlines()) == 1


async def test_kills_while_jobs_start_run_every_job_exactly_once(
    server: ServerProcess, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    async with server.cluster() as cluster:
        for number in range(8):
            body = job(f"echo {number} >> {runs}; sleep 0.2", name=f"job-{number}")
            await cluster.create(JOBS, body)
            if number % 4 == 3:
                await server.kill()
                await server.start()

        await cluster.until(
            JOBS,
            lambda jobs: sum(bool(condition(job, "Complete")) for job in jobs) == 8,
            seconds=20,
        )
        pods = await cluster.all(PODS)
    assert len(pods) == 8
    assert sorted(runs.read_text().split()) == [str(number) for number in range(8)]


async def test_stop_ends_pods_as_disrupted_or_leaves_them_running(
    server: ServerProcess, tmp_path: Path
) -> None:
    await server.stop()
    await server.start(DALSTON_LOCALKUBE_KEEP_PODS="true")
    mine = tmp_path / "pid"
    async with server.cluster() as cluster:
        await cluster.create(PODS, pod(f"echo $$ > {mine}; exec sleep 60"))
        pid = await _pid(mine)
        await server.stop()
        assert alive(pid)
        await server.start()
        await server.stop()
        assert not alive(pid)
        await server.start()
        found = await cluster.get(PODS, "pod")
    assert found["status"]["phase"] == "Failed"
    assert state(found)["terminated"]["exitCode"] == 143
    disruption = condition(found, "DisruptionTarget")
    assert disruption
    assert disruption["reason"] == "TerminationByKubelet"


async def test_processes_of_unknown_pods_are_ended_at_start(
    server: ServerProcess, tmp_path: Path
) -> None:
    mine = tmp_path / "pid"
    async with server.cluster() as cluster:
        await cluster.create(PODS, pod(f"echo $$ > {mine}; exec sleep 60"))
        pid = await _pid(mine)
    await server.kill()
    for path in server.folder.glob("state.db*"):
        os.remove(path)
    await server.start()
    await until(lambda: not alive(pid), what="process is gone")
    await until(lambda: not list((server.folder / "pods").iterdir()), what="folder is gone")
