"""A queue of keys to reconcile: each at most once at a time, failures again with growing pauses."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from dalston.kube import ApiError, ApiUnavailable, Conflict

K = TypeVar("K")
logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.05
_LAST_PAUSE = 30.0


class WorkQueue(Generic[K]):
    """Calls `reconcile(key)` for every key added; run `run()` as a task.

    `reconcile` returns the seconds after which to look at the key again, or None. A key added while
    it is being reconciled is reconciled once more afterwards.
    """

    def __init__(
        self, name: str, reconcile: Callable[[K], Awaitable[float | None]], *, workers: int = 4
    ) -> None:
        self._name = name
        self._reconcile = reconcile
        self._workers = workers
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._busy: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._added = asyncio.Event()

    def add(self, key: K) -> None:
        """Reconcile `key` as soon as possible."""
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._busy:
            self._ready.append(key)
            self._added.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Reconcile `key` in so many seconds; an earlier such wish for it stays."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, seconds)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._due, key)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def _work(self) -> None:
        while True:
            while not self._ready:
                self._added.clear()
                await self._added.wait()
            key = self._ready.popleft()
            self._waiting.discard(key)
            self._busy.add(key)
            try:
                await self._once(key)
            finally:
                self._busy.discard(key)
                if key in self._waiting:
                    self._ready.append(key)
                    self._added.set()

    async def _once(self, key: K) -> None:
        try:
            again = await self._reconcile(key)
        except Conflict:
            self.add_after(key, _FIRST_PAUSE)
        except (ApiError, ApiUnavailable) as error:
            self._retry(key, error)
        except Exception as error:
            logger.exception("%s %s failed", self._name, key)
            self._retry(key, error)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self.add_after(key, again)

    def _retry(self, key: K, error: Exception) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        pause = min(_FIRST_PAUSE * 2**failures, _LAST_PAUSE)
        logger.warning("%s %s: %s; trying again in %.2f s", self._name, key, error, pause)
        self.add_after(key, pause)
