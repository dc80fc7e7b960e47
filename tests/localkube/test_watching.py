"""Watches: order, selectors, bookmarks, resuming, faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from dalston.localkube import LocalKube, listing, watch
from tests.localkube.client import NAMESPACE, WIDGETS, Client
from tests.localkube.objects import config_map, widget

MAPS = f"{NAMESPACE}/configmaps"


@pytest.fixture
async def small_ring(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a control plane that remembers four events a kind."""
    async with (
        LocalKube(data_dir=tmp_path / "small", ring_size=4) as kube,
        aiohttp.ClientSession() as session,
    ):
        client = Client(kube, session)
        yield client
        client.close()


async def test_watch_sees_changes_in_order(client: Client) -> None:
    stream = await client.watch(MAPS)
    await client.post(MAPS, config_map("a"))
    await client.merge(f"{MAPS}/a", {"data": {"a": "2"}})
    await client.delete(f"{MAPS}/a")
    assert await stream.names(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_watch_begins_with_what_exists(client: Client) -> None:
    await client.post(MAPS, config_map("a"))
    stream = await client.watch(MAPS, resourceVersion="0")
    await client.post(MAPS, config_map("b"))
    assert await stream.names(2) == [("ADDED", "a"), ("ADDED", "b")]


async def test_watch_resumes_after_a_revision(client: Client) -> None:
    first = (await client.post(MAPS, config_map("a"))).body["metadata"]["resourceVersion"]
    await client.post(MAPS, config_map("b"))
    stream = await client.watch(MAPS, resourceVersion=first)
    assert await stream.names(1) == [("ADDED", "b")]


async def test_leaving_a_selector_is_a_deletion(client: Client) -> None:
    stream = await client.watch(MAPS, labelSelector="a=b")
    await client.post(MAPS, config_map("x", labels={"a": "b"}))
    await client.merge(f"{MAPS}/x", {"metadata": {"labels": {"a": "c"}}})
    await client.merge(f"{MAPS}/x", {"metadata": {"labels": {"a": "b"}}})
    assert await stream.names(3) == [("ADDED", "x"), ("DELETED", "x"), ("ADDED", "x")]


async def test_declared_field_selects_custom_resources(widgets: Client) -> None:
    stream = await widgets.watch(WIDGETS, fieldSelector="spec.color=red")
    await widgets.post(WIDGETS, {**widget("b"), "spec": {"color": "blue"}})
    await widgets.post(WIDGETS, widget("r"))
    assert await stream.names(1) == [("ADDED", "r")]


async def test_streaming_list_ends_with_a_bookmark(client: Client) -> None:
    await client.post(MAPS, config_map("a"))
    stream = await client.watch(
        MAPS,
        sendInitialEvents="true",
        allowWatchBookmarks="true",
        resourceVersionMatch="NotOlderThan",
    )
    assert (await stream.next())["type"] == "ADDED"
    mark = await stream.next()
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["kind"] == "ConfigMap"
    annotations = mark["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}


async def test_watch_ends_with_a_bookmark_at_its_timeout(client: Client) -> None:
    stream = await client.watch(MAPS, timeoutSeconds=1, allowWatchBookmarks="true")
    mark = await stream.next()
    assert mark["type"] == "BOOKMARK"
    with pytest.raises(EOFError):
        await stream.next()


async def test_compacted_revision_is_gone(small_ring: Client) -> None:
    first = (await small_ring.post(MAPS, config_map("a"))).body["metadata"]["resourceVersion"]
    for number in range(6):
        await small_ring.merge(f"{MAPS}/a", {"data": {"a": f"{number}!"}})
    stream = await small_ring.watch(MAPS, resourceVersion=first)
    event = await stream.next()
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert event["object"]["reason"] == "Expired"
    assert event["object"]["message"].startswith(f"too old resource version: {first} (")


async def test_compaction_on_demand_expires_old_revisions(client: Client) -> None:
    first = (await client.post(MAPS, config_map("a"))).body["metadata"]["resourceVersion"]
    await client.post(MAPS, config_map("b"))
    client.kube.faults.compact()
    stream = await client.watch(MAPS, resourceVersion=first)
    assert (await stream.next())["type"] == "ERROR"


async def test_dropped_watch_can_be_resumed(client: Client) -> None:
    stream = await client.watch(MAPS)
    await client.post(MAPS, config_map("a"))
    seen = (await stream.next())["object"]["metadata"]["resourceVersion"]
    assert client.kube.faults.drop_watches("configmaps") == 1
    with pytest.raises((EOFError, aiohttp.ClientError)):
        await stream.next()
    await client.post(MAPS, config_map("b"))
    again = await client.watch(MAPS, resourceVersion=seen)
    assert await again.names(1) == [("ADDED", "b")]


async def test_watcher_that_does_not_read_is_dropped(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_PENDING_BYTES", 100_000)
    stream = await client.watch(MAPS)
    for number in range(200):
        if client.kube.watch_count("configmaps") == 0:
            break
        body = {"metadata": {"name": f"m{number}"}, "data": {"a": "x" * 500_000}}
        assert (await client.post(MAPS, body)).status == 201
    assert client.kube.watch_count("configmaps") == 0
    with pytest.raises((EOFError, aiohttp.ClientError, ValueError)):
        await stream.drain()


async def test_deleted_event_carries_the_revision_of_the_deletion(client: Client) -> None:
    created = (await client.post(MAPS, config_map("a"))).body["metadata"]["resourceVersion"]
    stream = await client.watch(MAPS, resourceVersion=created)
    await client.delete(f"{MAPS}/a")
    event = await stream.next()
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(created)


async def test_watch_of_one_namespace_ignores_others(client: Client) -> None:
    stream = await client.watch(MAPS)
    await client.post("/api/v1/namespaces/kube-public/configmaps", config_map("other"))
    await client.post(MAPS, config_map("mine"))
    assert await stream.names(1) == [("ADDED", "mine")]


async def test_revision_of_another_history_is_expired(client: Client) -> None:
    stream = await client.watch(MAPS, resourceVersion=999_999)
    event = await stream.next()
    assert (event["type"], event["object"]["reason"]) == ("ERROR", "Expired")


async def test_old_events_end(client: Client) -> None:
    event = {"metadata": {"name": "e"}, "lastTimestamp": "2026-01-01T00:00:00Z"}
    await client.post(f"{NAMESPACE}/events", event)
    await client.post(f"{NAMESPACE}/events", {"metadata": {"name": "young"}})
    client.kube.expire_events()
    left = (await client.get(f"{NAMESPACE}/events")).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["young"]


async def test_watch_begins_with_more_than_a_reader_may_owe(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_PENDING_BYTES", 1000)
    for number in range(20):
        await client.post(MAPS, config_map(f"m{number}"))
    stream = await client.watch(MAPS)
    assert len(await stream.names(20)) == 20
    await client.post(MAPS, config_map("next"))
    assert await stream.names(1) == [("ADDED", "next")]


async def test_watch_of_a_client_that_left_ends(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "BOOKMARK_SECONDS", 0.05)
    stream = await client.watch(MAPS)
    assert client.kube.watch_count("configmaps") == 1
    stream.close()
    async with asyncio.timeout(5):
        while client.kube.watch_count("configmaps"):
            await client.get(f"{NAMESPACE}/secrets")
