"""The store on a folder: whole or not at all, create-if-absent, ranges, streams, folders."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from dalston.artifacts import (
    ArtifactNotFound,
    ArtifactStore,
    keys,
)
from dalston.pipeline import TaskId
from dalston.resources import Stage
from tests.speech import CHECKOUT

MIB = 1024 * 1024


async def chunks(
    count: int, *, size: int = MIB, error: Exception | None = None
) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(size)
    if error is not None:
        raise error


async def test_what_is_put_is_read(store: ArtifactStore) -> None:
    await store.put("a/b", b"old")
    await store.put("a/b", b"content")
    assert await store.get("a/b") == b"content"
    assert await store.get_range("a/b", start=3, length=2) == b"te"
    assert (await store.size("a/b"), await store.exists("a/b")) == (7, True)
    assert b"".join([part async for part in store.stream("a/b")]) == b"content"


async def test_create_is_won_by_one(store: ArtifactStore) -> None:
    contents = [str(n).encode() for n in range(16)]
    won = await asyncio.gather(*(store.create("a/manifest", each) for each in contents))
    assert won.count(True) == 1
    assert await store.get("a/manifest") == contents[won.index(True)]


async def test_absent_key_is_not_found(store: ArtifactStore) -> None:
    for call in (store.get("x"), store.size("x"), store.get_range("x", start=0, length=1)):
        with pytest.raises(ArtifactNotFound):
            await call
    with pytest.raises(ArtifactNotFound):
        async with store.as_file("x"):
            pass
    assert not await store.exists("x")
    await store.delete("x")


async def test_stream_that_breaks_leaves_nothing(store: ArtifactStore) -> None:
    with pytest.raises(ConnectionError):
        await store.put_stream("a/b", chunks(9, error=ConnectionError()))
    assert not await store.exists("a/b")
    assert await store.keys("a") == []


async def test_large_stream_takes_little_memory(store: ArtifactStore) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    assert await store.put_stream("a/b", chunks(256)) == 256 * MIB
    assert process.memory_info().rss - before < 48 * MIB


async def test_file_is_moved_within_a_disk(store: ArtifactStore, tmp_path: Path) -> None:
    path = tmp_path / "output.wav"
    path.write_bytes(b"sound")
    inode = path.stat().st_ino
    await store.move_file("a/b", path)
    assert not path.exists()
    stored = store.local_path("a/b")
    assert stored is not None
    assert (stored.read_bytes(), stored.stat().st_ino) == (b"sound", inode)


async def test_file_is_copied_from_another_disk(store: ArtifactStore) -> None:
    other = Path("/dev/shm") / f"dalston-test-{os.getpid()}"
    other.write_bytes(b"sound")
    try:
        await store.move_file("a/b", other)
    finally:
        other.unlink(missing_ok=True)
    assert await store.get("a/b") == b"sound"


async def test_folder_is_listed_and_removed(store: ArtifactStore, tmp_path: Path) -> None:
    for key in ("jobs/1/a", "jobs/1/b/c", "jobs/2/a", "jobs/10/a"):
        await store.put(key, b"")
    assert sorted(await store.folders("jobs")) == ["1", "10", "2"]
    assert sorted(await store.keys("jobs/1")) == ["jobs/1/a", "jobs/1/b/c"]
    assert await store.delete_folder("jobs/1") == 2
    assert sorted(await store.folders("jobs")) == ["10", "2"]
    assert not (tmp_path / "store" / "jobs" / "1").exists()


FILL = """
import asyncio, os, sys
from dalston.artifacts import ArtifactSettings, ArtifactStore, StoreFull

async def main():
    store = ArtifactStore.open(ArtifactSettings(url="file:///mnt/store", chunk_bytes=65536))
    async def chunks():
        for _ in range(64):
            yield bytes(65536)
    for write in (store.put_stream("a/b", chunks()), store.create("a/c", bytes(4 << 20))):
        try:
            await write
        except StoreFull:
            continue
        sys.exit("it took more than there is room for")
    assert await store.keys("a") == [], await store.keys("a")
    await store.put("a/d", b"small")

asyncio.run(main())
os._exit(0)  # the store's native threads now and then abort while the interpreter is torn down
"""


def test_full_disk_is_told_apart_and_keeps_nothing() -> None:
    """In a mount namespace of its own, so that nobody else's disk fills up."""
    mount = "mount -t tmpfs -o size=2m tmpfs /mnt"
    if subprocess.run(["unshare", "-Urm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    command = ["unshare", "-Urm", "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, FILL]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT)
    assert ran.returncode == 0, ran.stderr


async def test_folder_removed_by_two_is_gone(store: ArtifactStore) -> None:
    for n in range(64):
        await store.put(f"jobs/1/{n}", b"")
    await asyncio.gather(store.delete_folder("jobs/1"), store.delete_folder("jobs/1"))
    assert await store.keys("jobs") == []


def test_keys_of_executions_do_not_meet() -> None:
    task = TaskId("job-1", Stage.ALIGN, 2, 1)
    assert keys.manifest(task) == "jobs/job-1/align/2/1/manifest.json"
    assert keys.result_folder(task, 7) == "jobs/job-1/align/2/1/7"
    assert keys.upload_source("abc") == "uploads/abc/source"
