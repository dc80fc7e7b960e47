"""Durability: what was answered survives, also `kill -9`."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml

from dalston.localkube import LocalKube
from tests.localkube.client import NAMESPACE, Client
from tests.localkube.objects import config_map

MAPS = f"{NAMESPACE}/configmaps"


async def start(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    """A control plane in a process of its own, and the address that its kubeconfig gives."""
    config = folder / "kubeconfig"
    config.unlink(missing_ok=True)
    arguments = ["--data-dir", str(folder), "--port", "0", "--kubeconfig", str(config)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "dalston.localkube",
        *arguments,
        "--server-only",
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while b"serving on" not in await process.stderr.readline():
            pass
    return process, yaml.safe_load(config.read_text())["clusters"][0]["cluster"]["server"]


async def test_answered_writes_survive_a_kill(tmp_path: Path) -> None:
    process, url = await start(tmp_path)
    answered: set[str] = set()

    async def write(session: aiohttp.ClientSession, worker: int) -> None:
        for number in range(10_000):
            name = f"m{worker}-{number}"
            async with session.post(url + MAPS, json=config_map(name)) as response:
                assert response.status == 201
            answered.add(name)
            if len(answered) == 150:
                os.kill(process.pid, signal.SIGKILL)

    async with aiohttp.ClientSession() as session:
        results = await asyncio.gather(
            *(write(session, worker) for worker in range(4)), return_exceptions=True
        )
    assert all(isinstance(result, aiohttp.ClientError) for result in results)
    await process.wait()
    process, url = await start(tmp_path)
    async with aiohttp.ClientSession() as session, session.get(url + MAPS) as response:
        items = (await response.json())["items"]
    process.terminate()
    assert await process.wait() == 0
    assert answered <= {item["metadata"]["name"] for item in items}
    revisions = [item["metadata"]["resourceVersion"] for item in items]
    assert len(set(revisions)) == len(revisions)


async def test_restart_keeps_objects_and_revisions(tmp_path: Path) -> None:
    async with LocalKube(data_dir=tmp_path) as kube, aiohttp.ClientSession() as session:
        client = Client(kube, session)
        kept = (await client.post(MAPS, config_map("kept"))).body
        await client.post(MAPS, config_map("gone"))
        await client.delete(f"{MAPS}/gone")
        last = int((await client.get(MAPS)).body["metadata"]["resourceVersion"])
    async with LocalKube(data_dir=tmp_path) as kube, aiohttp.ClientSession() as session:
        client = Client(kube, session)
        listed = (await client.get(MAPS)).body
        assert listed["items"] == [kept]
        assert int(listed["metadata"]["resourceVersion"]) == last
        old = await client.watch(MAPS, resourceVersion=kept["metadata"]["resourceVersion"])
        assert (await old.next())["object"]["reason"] == "Expired"
        resumed = await client.watch(MAPS, resourceVersion=last)
        await client.post(MAPS, config_map("new"))
        assert await resumed.names(1) == [("ADDED", "new")]
        client.close()


async def test_two_control_planes_cannot_share_a_folder(tmp_path: Path) -> None:
    async with LocalKube(data_dir=tmp_path):
        with pytest.raises(BlockingIOError, match="another control plane uses"):
            await LocalKube(data_dir=tmp_path).start()


async def test_taken_port_is_reported_and_leaves_nothing_open(
    kube: LocalKube, tmp_path: Path
) -> None:
    port = int(kube.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"):
        await LocalKube(data_dir=tmp_path / "other", port=port).start()
    async with LocalKube(data_dir=tmp_path / "other") as other:
        assert other.url != kube.url


async def test_kubeconfig_is_private(kube: LocalKube, tmp_path: Path) -> None:
    path = tmp_path / "config" / "kubeconfig"
    kube.write_kubeconfig(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert yaml.safe_load(path.read_text())["users"][0]["user"]["token"] == kube.token


async def test_token_is_kept_between_starts(tmp_path: Path) -> None:
    urls = []
    for _ in range(2):
        process, url = await start(tmp_path)
        process.terminate()
        await process.wait()
        urls.append(url)
    assert len({url.rpartition("/")[2] for url in urls}) == 1
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


async def test_companion_that_fails_is_reported(tmp_path: Path) -> None:
    async def broken(_: LocalKube) -> None:
        raise OSError("no disk")

    async with LocalKube(data_dir=tmp_path, companions=[broken]) as kube:
        with pytest.raises(OSError, match="no disk"):
            await kube.companion_ended()
