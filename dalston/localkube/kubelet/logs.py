"""Containers' logs: bounded files, and their lines for `kubectl logs`."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from dalston.localkube.kubelet.process import Run

_CHUNK = 64 * 1024
_FOLLOW_SECONDS = 0.1
"""How often a followed file is looked at: the standard library has no notification of file changes."""


def rotate(log: Path, *, limit: int) -> None:
    """Move a log that has grown beyond `limit` bytes to `log.1`. What is written meanwhile is lost.

    Its writer keeps the file open (in append mode), so the content is copied and the file emptied.
    """
    try:
        if log.stat().st_size <= limit:
            return
    except FileNotFoundError:
        return
    draft = log.with_name("log.new")
    shutil.copyfile(log, draft)
    os.truncate(log, 0)
    os.replace(draft, log.with_name("log.1"))


async def read(
    run: Run, *, follow: bool, tail: int | None, limit_bytes: int | None
) -> AsyncIterator[bytes]:
    """The output of a run: all of it or its last lines, and with `follow` what comes until its end."""
    left = limit_bytes
    position = 0
    for chunk in await asyncio.to_thread(_present, run.log, tail):
        part = chunk if left is None else chunk[:left]
        yield part
        left = None if left is None else left - len(part)
        if left == 0:
            return
    if not follow:
        return
    position = await asyncio.to_thread(_size, run.log)
    while True:
        over = not await asyncio.to_thread(run.goes_on)
        chunk, position = await asyncio.to_thread(_after, run.log, position)
        if chunk:
            yield chunk
        elif over:
            return
        else:
            await asyncio.sleep(_FOLLOW_SECONDS)


def _present(log: Path, tail: int | None) -> list[bytes]:
    lines = _lines(log)
    if tail is not None and tail >= 0:
        return [b"".join(deque(lines, maxlen=tail))]
    return [b"".join(lines)]


def _lines(log: Path) -> Iterator[bytes]:
    for path in (log.with_name("log.1"), log):
        try:
            with path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            continue


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _after(log: Path, position: int) -> tuple[bytes, int]:
    """What was written since, and the new position; a log that shrank was rotated."""
    size = _size(log)
    position = 0 if size < position else position
    if size == position:
        return b"", position
    with log.open("rb") as file:
        file.seek(position)
        chunk = file.read(_CHUNK)
    return chunk, position + len(chunk)
