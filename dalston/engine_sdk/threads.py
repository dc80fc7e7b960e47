"""Threads that engines run in, apart from the event loop.

They are daemons: a process can end although an engine hangs in one of them.
"""

import asyncio
import contextvars
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from dalston.engine_sdk.errors import EngineDefect

T = TypeVar("T")

logger = logging.getLogger(__name__)

_Call = tuple[asyncio.Future[Any], Callable[[], Any]]


class EngineThread:
    """A thread that makes one call after another; the same one, for libraries that care."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], T]) -> "asyncio.Future[T]":
        """Make a call in the thread; the future belongs to the running loop.

        Cancelling the future does not stop the call.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put((future, partial(contextvars.copy_context().run, call)))
        return future

    def stop(self) -> None:
        """Let the thread end after the calls made so far."""
        self._calls.put(None)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            try:
                settle = partial(_succeed, future, call())
            except BaseException as error:  # noqa: BLE001 - whoever awaits the future gets it
                settle = partial(_fail, future, error)
            try:
                future.get_loop().call_soon_threadsafe(settle)
            except RuntimeError:
                logger.debug("the loop ended before the call did")


def _succeed(future: "asyncio.Future[T]", value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: "asyncio.Future[T]", error: BaseException) -> None:
    if future.done():
        return
    if not isinstance(error, Exception) or isinstance(error, StopIteration):
        # SystemExit and the like would end the loop instead of this one call.
        error = EngineDefect(f"the engine raised {error!r}").with_traceback(error.__traceback__)
    future.set_exception(error)
