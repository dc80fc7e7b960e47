"""One store for all providers: streams in and out in constant memory, create-if-absent.

Keys are as `dalston.artifacts.keys` names them. A key is written whole or not at all.
"""

import errno
import shutil
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlparse

import anyio
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from dalston.artifacts.settings import ArtifactSettings

_S3_SMALLEST_PART = 5 * 1024 * 1024
_READ_CHUNK = 1024 * 1024


class ArtifactNotFound(Exception):
    """There is nothing under that key."""


class StoreUnavailable(Exception):
    """The store cannot be reached or refuses."""


class StoreFull(StoreUnavailable):
    """There is no room left."""


class ArtifactStore:
    """Artifacts by key; every method may raise StoreUnavailable."""

    def __init__(self, store: ObjectStore, *, root: Path | None, chunk_bytes: int) -> None:
        self._store = store
        self._root = root
        self._chunk_bytes = chunk_bytes

    @classmethod
    def open(cls, settings: ArtifactSettings) -> Self:
        """Open the store of that URL; a folder is made when it is missing."""
        address = urlparse(settings.url)
        if address.scheme == "file":
            root = Path(unquote(address.path))
            root.mkdir(parents=True, exist_ok=True)
            store: ObjectStore = LocalStore(root, automatic_cleanup=True)
            return cls(store, root=root, chunk_bytes=settings.chunk_bytes)
        chunk = max(settings.chunk_bytes, _S3_SMALLEST_PART)
        return cls(from_url(settings.url), root=None, chunk_bytes=chunk)

    async def put(self, key: str, data: bytes) -> None:
        """Write, replacing what is there."""
        with _errors(key):
            await obstore.put_async(self._store, key, data)

    async def create(self, key: str, data: bytes) -> bool:
        """Write if nothing is there; tells whether it was written."""
        with _errors(key):
            try:
                await obstore.put_async(self._store, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

    async def put_stream(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Write what comes, in constant memory; gives the number of bytes.

        When `chunks` raises, nothing is left under the key and the error comes through.
        """
        total = 0
        with _errors(key):
            async with obstore.open_writer_async(
                self._store, key, buffer_size=self._chunk_bytes, max_concurrency=1
            ) as writer:
                async for chunk in chunks:
                    await writer.write(chunk)
                    total += len(chunk)
        return total

    def local_path(self, key: str) -> Path | None:
        """Give the path of the stored file itself, to be read only; None unless in a folder store."""
        if self._root is None:
            return None
        path = self._root / key
        return path if path.is_file() else None

    async def move_file(self, key: str, path: Path) -> None:
        """Write a local file that is not needed any more: a folder store on the same disk takes it."""
        if self._root is not None:
            with _errors(key):
                if await anyio.to_thread.run_sync(_moved, path, self._root / key):
                    return
        await self.put_file(key, path)

    async def put_file(self, key: str, path: Path) -> None:
        """Write a local file, in constant memory."""

        async def chunks() -> AsyncIterator[bytes]:
            async with await anyio.open_file(path, "rb") as file:
                while chunk := await file.read(_READ_CHUNK):
                    yield chunk

        await self.put_stream(key, chunks())

    async def get(self, key: str) -> bytes:
        """Read all of it; raises ArtifactNotFound."""
        with _errors(key):
            answer = await obstore.get_async(self._store, key)
            return bytes(await answer.bytes_async())

    async def get_range(self, key: str, *, start: int, length: int) -> bytes:
        """Read up to `length` bytes from byte `start` on; raises ArtifactNotFound."""
        with _errors(key):
            return bytes(
                await obstore.get_range_async(self._store, key, start=start, length=length)
            )

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield the content in chunks; raises ArtifactNotFound."""
        with _errors(key):
            answer = await obstore.get_async(self._store, key)
            async for chunk in answer.stream(min_chunk_size=_READ_CHUNK):
                yield bytes(chunk)

    async def size(self, key: str) -> int:
        """Give the number of bytes; raises ArtifactNotFound."""
        with _errors(key):
            return int((await obstore.head_async(self._store, key))["size"])

    async def exists(self, key: str) -> bool:
        """Tell whether there is something under the key."""
        try:
            await self.size(key)
        except ArtifactNotFound:
            return False
        return True

    async def keys(self, folder: str) -> list[str]:
        """Give all keys in a folder and below."""
        keys: list[str] = []
        with _errors(folder):
            async for batch in obstore.list(self._store, prefix=folder):
                keys.extend(item["path"] for item in batch)
        return keys

    async def folders(self, folder: str) -> list[str]:
        """Give the names of the folders directly in a folder."""
        with _errors(folder):
            listing = await obstore.list_with_delimiter_async(self._store, prefix=folder)
        return [path.rsplit("/", 1)[-1] for path in listing["common_prefixes"]]

    async def delete(self, key: str) -> None:
        """Remove what is under the key, if anything."""
        with _errors(key):
            try:
                await obstore.delete_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return

    async def delete_folder(self, folder: str) -> int:
        """Remove everything in a folder; gives the number of keys removed."""
        removed = 0
        while keys := await self.keys(folder):
            with _errors(folder):
                try:
                    await obstore.delete_async(self._store, keys)
                except (NotFoundError, FileNotFoundError):
                    continue  # somebody else removes it too
            removed += len(keys)
        if self._root is not None:
            path = self._root / folder
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(path, ignore_errors=True))
        return removed

    @asynccontextmanager
    async def as_file(self, key: str) -> AsyncIterator[Path]:
        """Give a local file with the content, to be read only; raises ArtifactNotFound.

        In a folder store it is the file itself; otherwise a copy that goes when the context ends.
        """
        if self._root is not None:
            path = self._root / key
            if not await anyio.Path(path).is_file():
                raise ArtifactNotFound(key)
            yield path
            return
        folder = await anyio.to_thread.run_sync(lambda: tempfile.mkdtemp(prefix="dalston-"))
        try:
            path = Path(folder) / "artifact"
            async with await anyio.open_file(path, "wb") as file:
                async for chunk in self.stream(key):
                    await file.write(chunk)
            yield path
        finally:
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


def _moved(source: Path, target: Path) -> bool:
    """Move a file within its disk; tells whether it could be done."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EACCES):
            return False
        raise
    return True


class _errors:  # noqa: N801 - reads as a statement: `with _errors(key):`
    """Turn the provider's errors into the store's."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, (NotFoundError, FileNotFoundError)):
            raise ArtifactNotFound(self._key) from error
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"no room for {self._key}") from error
        if isinstance(error, BaseError):
            if "No space left" in str(error) or "quota exceeded" in str(error).lower():
                raise StoreFull(f"no room for {self._key}") from error
            raise StoreUnavailable(f"{self._key}: {error}") from error
