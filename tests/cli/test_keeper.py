"""Keeping a part running: restarts, pauses, giving up, stopping."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dalston.cli.up.keeper import START_ATTEMPTS, Keeper, PartFailed, pause_after
from dalston.cli.up.logfile import LogFile
from dalston.cli.up.part import Part
from tests.deadlines import until, within

_SERVES_UNTIL_TOLD = "import signal; print('up', flush=True); signal.pause()"


async def _yes() -> bool:
    return True


async def _no() -> bool:
    return False


def _keeper(
    tmp_path: Path,
    said: list[str],
    *,
    code: str,
    serves: Callable[[], Awaitable[bool]] = _yes,
    stop_seconds: float = 5.0,
) -> Keeper:
    part = Part(
        name="part",
        command=(sys.executable, "-c", code),
        environment=os.environ,
        serves=serves,
        stop_seconds=stop_seconds,
    )
    return Keeper(part, log=LogFile(tmp_path / "part.log"), say=said.append)


async def test_killed_part_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    keeper = _keeper(tmp_path, said, code=_SERVES_UNTIL_TOLD)
    keeper.start()
    await keeper.ready(10)
    first = keeper.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    second = await until(lambda: keeper.pid if keeper.pid not in (None, first) else None)
    assert second != first
    assert said[0] == "part was ended by signal 9; starting it again in 0.25 s"
    await within(10, keeper.stop())


async def test_part_that_cannot_start_is_given_up_with_its_log(tmp_path: Path) -> None:
    keeper = _keeper(
        tmp_path, [], code="import sys; sys.exit('address already in use')", serves=_no
    )
    keeper.start()
    with pytest.raises(PartFailed) as caught:
        await keeper.ready(30)
    assert caught.value.status == 1
    assert caught.value.tail == ["address already in use"] * START_ATTEMPTS
    await within(10, keeper.stop())


async def test_part_that_never_serves_is_reported(tmp_path: Path) -> None:
    keeper = _keeper(tmp_path, [], code=_SERVES_UNTIL_TOLD, serves=_no)
    keeper.start()
    with pytest.raises(PartFailed) as caught:
        await keeper.ready(0.3)
    assert caught.value.status is None
    await within(10, keeper.stop())


async def test_part_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_SERVES_UNTIL_TOLD}"
    keeper = _keeper(tmp_path, said, code=code, stop_seconds=0.2)
    keeper.start()
    await until(lambda: keeper.log.tail(1) == ["up"])
    await within(10, keeper.stop())
    assert said == ["part did not stop within 0.2 s: killed"]


def test_pauses_grow_to_a_limit() -> None:
    pauses = [pause_after(failures) for failures in range(1, 12)]
    assert pauses[:3] == [0.25, 0.5, 1.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 15.0
