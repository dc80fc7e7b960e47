"""The operator as a process: crashes, the Lease, signals, probes."""

import json
from collections.abc import Awaitable, Callable

import aiohttp
import psutil

from dalston.kube.kinds import LEASES
from dalston.resources import Stage
from tests.deadlines import until
from tests.operator.rig import NAMESPACE, OperatorProcess, Rig

Look = Callable[[], Awaitable[bool]]


async def _leads(rig: Rig, identity: str) -> None:
    async def leads() -> bool:
        items, _ = await rig.client.list(LEASES, namespace=NAMESPACE)
        return any(item["spec"]["holderIdentity"] == identity for item in items)

    look: Look = leads
    await until(look, seconds=20, what=f"{identity} to hold the lease")


async def test_killed_operator_loses_nothing(rig: Rig) -> None:
    names = [f"recording-{number}" for number in range(10)]
    first = rig.start_process(identity="a")
    await _leads(rig, "a")
    workers = rig.work_everything()
    for name in names:
        await rig.create_job(name)
    await until(lambda: len(workers[Stage.TRANSCRIBE].done) >= 3, seconds=20)
    first.kill()
    rig.start_process(identity="b")
    for name in names:
        await rig.ends(name, seconds=20)
    merged = [request.job_name for request in workers[Stage.MERGE].done]
    assert sorted(merged) == sorted(names)


async def test_standby_takes_over_and_does_nothing_before(rig: Rig) -> None:
    first = rig.start_process(identity="a")
    await _leads(rig, "a")
    second = rig.start_process(identity="b")
    await until(lambda: "waiting for the lease" in second.log, seconds=20)
    workers = rig.work_everything()
    await rig.create_job("one")
    await rig.ends("one")
    assert "job finished" not in second.log
    first.kill()
    await rig.create_job("two")
    await rig.ends("two", seconds=20)
    assert "job finished" in second.log
    assert len(workers[Stage.MERGE].done) == 2


async def test_operator_that_stood_still_stops_when_another_has_taken_over(rig: Rig) -> None:
    first = rig.start_process(identity="a")
    await _leads(rig, "a")
    first.pause()
    rig.start_process(identity="b")
    await _leads(rig, "b")
    first.resume()
    await until(lambda: first.exit_status is not None, seconds=20)
    assert first.exit_status == 1


async def test_terminated_operator_hands_the_lease_over(rig: Rig) -> None:
    first = rig.start_process(identity="a", lease_duration=60)
    await _leads(rig, "a")
    assert await _terminate(first) == 0
    rig.start_process(identity="b", lease_duration=60)
    await _leads(rig, "b")


async def _terminate(process: OperatorProcess) -> int:
    process.terminate()
    await until(lambda: process.exit_status is not None)
    return process.exit_status if process.exit_status is not None else -1


async def test_probes_and_metrics_answer(rig: Rig) -> None:
    process = rig.start_process(identity="a", **rig.free_ports("probe_port", "metrics_port"))
    await _leads(rig, "a")
    probe = f"http://127.0.0.1:{process.settings.probe_port}/healthz"
    async with aiohttp.ClientSession() as session:

        async def all_engines_known() -> bool:
            state = json.loads(await _read(session, probe))
            assert state["leader"]
            return bool(state["engines"] == len(Stage) and not state["problems"])

        look: Look = all_engines_known
        await until(look)
        metrics = f"http://127.0.0.1:{process.settings.metrics_port}/metrics"
        assert "dalston_operator_leader 1.0" in await _read(session, metrics)
    assert psutil.Process(process.pid).memory_info().rss < 150e6


async def _read(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=5)) as answer:
        assert answer.status == 200
        return await answer.text()
