"""A queue of keys in the manner of client-go: each key once, never worked on twice at a time.

A key added while it is worked on comes again afterwards. Keys that failed come back after growing
pauses.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_PAUSE = 0.05
_LAST_PAUSE = 30.0


class WorkQueue(Generic[K]):
    """Keys that wait for work; use from one event loop."""

    def __init__(self) -> None:
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, tuple[float, asyncio.TimerHandle]] = {}
        self._failures: dict[K, int] = {}
        self._added = asyncio.Event()

    def __len__(self) -> int:
        """Count the keys that are ready."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Have a key worked on as soon as possible."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._added.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key worked on in that many seconds, or earlier if that was asked already."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if key in self._timers:
            earlier, handle = self._timers[key]
            if earlier <= due:
                return
            handle.cancel()
        self._timers[key] = (due, loop.call_at(due, self._expire, key))

    def forget(self, key: K) -> None:
        """Drop the timer and the failures of a key."""
        self._failures.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer[1].cancel()

    def failures(self, key: K) -> int:
        """Count the failures of a key since its last success."""
        return self._failures.get(key, 0)

    async def work(self, handle: Callable[[K], Awaitable[None]]) -> None:
        """Handle keys one after the other, for ever; run several of these side by side.

        `handle` raises to have the key tried again later; it is to log why.
        """
        while True:
            key = await self._take()
            try:
                await handle(key)
            except Exception:  # noqa: BLE001 - the handler has logged it; the queue only retries
                self._failed(key)
            else:
                self._failures.pop(key, None)
            finally:
                self._release(key)

    async def _take(self) -> K:
        while not self._ready:
            self._added.clear()
            await self._added.wait()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._active.add(key)
        return key

    def _failed(self, key: K) -> None:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        self.add_after(key, min(_FIRST_PAUSE * 2 ** min(count, 20), _LAST_PAUSE))

    def _release(self, key: K) -> None:
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _expire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
