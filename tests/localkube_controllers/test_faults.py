"""What goes wrong between the parts: lost watches, refused requests, repeated events, big logs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from dalston.kube.kinds import EVENTS, JOBS, PODS
from dalston.localkube.controllers import ControllerSettings
from dalston.localkube.controllers.events import EventRecorder, bound_events
from dalston.localkube.kubelet import KubeletSettings, logs
from tests.deadlines import until, within
from tests.localkube_controllers.cluster import (
    Cluster,
    Times,
    alive,
    condition,
    ended,
    start_cluster,
    state,
)


async def test_jobs_end_once_while_watches_are_lost_and_requests_refused(cluster: Cluster) -> None:
    assert cluster.kube is not None
    faults = cluster.kube.faults
    for number in range(6):
        await cluster.run_job("sleep 0.1", name=f"job-{number}")
        faults.refuse(500, method="POST", path="/pods")
        faults.refuse(409, method="PATCH", path="/status", times=3)
        faults.compact()
        faults.drop_watches("pods.")
        faults.drop_watches("jobs.batch")
    await cluster.until(
        JOBS, lambda jobs: all(condition(job, "Complete") for job in jobs), seconds=20
    )
    assert len(await cluster.all(PODS)) == 6


async def test_repeated_events_are_counted(cluster: Cluster) -> None:
    await cluster.run_pod("exit 0")
    found = await cluster.one(PODS, "pod", ended)
    recorder = EventRecorder(cluster.client, component="test")
    for _ in range(3):
        recorder.warning(found, "Broken", "again")
    await recorder.flush()
    [event] = [event for event in await cluster.all(EVENTS) if event["reason"] == "Broken"]
    assert event["count"] == 3
    assert event["involvedObject"]["uid"] == found["metadata"]["uid"]


async def test_surplus_events_are_deleted(cluster: Cluster) -> None:
    await cluster.run_pod("exit 0")
    found = await cluster.one(PODS, "pod", ended)
    recorder = EventRecorder(cluster.client, component="test")
    for number in range(5):
        recorder.normal(found, "Noise", str(number))
    await recorder.flush()
    sweeper = asyncio.create_task(bound_events(cluster.client, ControllerSettings(max_events=3)))
    await cluster.until(EVENTS, lambda events: len(events) == 3)
    sweeper.cancel()
    await asyncio.gather(sweeper, return_exceptions=True)


def test_rotation_keeps_the_writer_going(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("a") as writer:
        writer.write("old\n")
        writer.flush()
        logs.rotate(log, limit=2)
        writer.write("new\n")
    assert (tmp_path / "log.1").read_text() == "old\n"
    assert log.read_text() == "new\n"


async def test_big_logs_are_rotated(tmp_path: Path) -> None:
    times = Times(kubelet=KubeletSettings(max_log_bytes=1000, sample_seconds=0.05))
    async with start_cluster(tmp_path / "kube", times) as cluster:
        await cluster.run_pod("while :; do echo 0123456789; sleep 0.001; done")
        [folder] = await until(lambda: list(cluster.folder.glob("pods/*/containers/main/0")))
        await until(lambda: (folder / "log.1").exists(), what="rotated log")


async def test_kubelet_starts_again_after_an_error_and_keeps_its_pods(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, failed = tmp_path / "go", asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(log: Path, *, limit: int) -> None:
        monkeypatch.undo()
        loop.call_soon_threadsafe(failed.set)
        raise RuntimeError("a bug")

    monkeypatch.setattr(logs, "rotate", fail)
    await cluster.run_pod(f"while [ ! -e {go} ]; do sleep 0.02; done; exit 6")
    await within(5, failed.wait())
    go.touch()
    found = await cluster.one(PODS, "pod", ended)
    assert state(found)["terminated"]["exitCode"] == 6


async def test_stop_ends_pods_whose_folders_somebody_removed(tmp_path: Path) -> None:
    mine = tmp_path / "pid"
    async with start_cluster(tmp_path / "kube") as cluster:
        await cluster.run_pod(f"echo $$ > {mine}; exec sleep 60")
        await cluster.one(PODS, "pod", lambda pod: pod["status"]["phase"] == "Running")
        pid = int(await until(lambda: mine.exists() and mine.read_text(), what="pid"))
        await asyncio.to_thread(shutil.rmtree, tmp_path / "kube" / "pods")
    assert not alive(pid)
