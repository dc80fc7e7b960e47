"""A task's files for the engine's thread: the async store and client behind blocking calls."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from dalston.artifacts.store import ArtifactStore
from dalston.engine_sdk.errors import TaskCancelled
from dalston.fetch import FetchSettings

T = TypeVar("T")

_READS_AT_ONCE = 16


class StoreFiles:
    """Implements `TaskFiles`. Calls that wait are broken off by `cancel()`."""

    def __init__(
        self,
        store: ArtifactStore,
        *,
        loop: asyncio.AbstractEventLoop,
        scratch: Path,
        fetching: FetchSettings,
        on_bytes: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._loop = loop
        self._scratch = scratch
        self._fetching = fetching
        self._on_bytes = on_bytes
        self._opened = AsyncExitStack()
        self._pending: concurrent.futures.Future[Any] | None = None
        self._cancelled = threading.Event()

    def read(self, keys: Sequence[str]) -> list[bytes]:
        """Give the content of small artifacts."""
        return self._await(self._read(keys)) if keys else []

    def local(self, key: str) -> Path | None:
        """Give the stored file itself where the store is a folder."""
        return self._store.local_path(key)

    def open(self, key: str) -> Path:
        """Give a local file with the content, to be read only."""
        return self._await(self._opened.enter_async_context(self._store.as_file(key)))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Give `length` bytes from byte `start` on."""
        return self._await(self._store.get_range(key, start=start, length=length))

    def fetch(self, url: str) -> Path:
        """Download what is at an address."""
        from dalston.fetch.client import fetch_to_file  # most workers never fetch

        self._scratch.mkdir(parents=True, exist_ok=True)
        path = self._scratch / "source"
        self._await(
            fetch_to_file(
                url, path, settings=self._fetching, on_bytes=lambda total: self._on_bytes()
            )
        )
        return path

    def cancel(self) -> None:
        """Break off the call that waits, and refuse further ones."""
        self._cancelled.set()
        if self._pending is not None:
            self._pending.cancel()

    async def close(self) -> None:
        """Remove the copies that were made."""
        await self._opened.aclose()

    async def _read(self, keys: Sequence[str]) -> list[bytes]:
        if len(keys) == 1:
            return [await self._store.get(keys[0])]
        gate = asyncio.Semaphore(_READS_AT_ONCE)

        async def one(key: str) -> bytes:
            async with gate:
                return await self._store.get(key)

        return await asyncio.gather(*(one(key) for key in keys))

    def _await(self, call: Coroutine[Any, Any, T]) -> T:
        if self._cancelled.is_set():
            call.close()
            raise TaskCancelled
        self._pending = asyncio.run_coroutine_threadsafe(call, self._loop)
        if self._cancelled.is_set():
            self._pending.cancel()
        try:
            result: T = self._pending.result()
        except concurrent.futures.CancelledError as error:
            raise TaskCancelled from error
        return result
