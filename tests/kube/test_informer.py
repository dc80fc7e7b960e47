"""The informer: no change is missed, whatever happens to its watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dalston.kube import JSON, Informer, KubeClient, WatchEvent
from dalston.kube.kinds import CONFIG_MAPS
from dalston.localkube import LocalKube
from tests.deadlines import until, within
from tests.kube.test_client import config_map


class Seen:
    """An informer of ConfigMaps that keeps the value of `a`, and what it reported."""

    def __init__(self, client: KubeClient, *, labels: str | None = None) -> None:
        self.events: list[str] = []
        self.informer: Informer[str] = Informer(
            client, CONFIG_MAPS, project=_value, on_event=self._keep, labels=labels
        )

    def _keep(self, event: WatchEvent[str]) -> None:
        if event.namespace == "default":
            self.events.append(f"{event.type} {event.name} {event.object}")

    async def sees(self, *events: str) -> None:
        """Wait for these events, in this order and no others."""
        await until(lambda: len(self.events) >= len(events), what=f"{events}, got {self.events}")
        assert self.events == [*events]
        self.events.clear()


def _value(item: JSON) -> str:
    return str((item.get("data") or {}).get("a", ""))


@asynccontextmanager
async def watching(client: KubeClient, *, labels: str | None = None) -> AsyncIterator[Seen]:
    """An informer that has synced."""
    seen = Seen(client, labels=labels)
    task = asyncio.create_task(seen.informer.run())
    await within(3, seen.informer.synced.wait())
    yield seen
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def _set(client: KubeClient, name: str, value: str) -> None:
    body = {"data": {"a": value}}
    await client.patch(CONFIG_MAPS, name, body, namespace="default")


async def _create(client: KubeClient, name: str, value: str) -> None:
    await client.create(CONFIG_MAPS, config_map(name, a=value), namespace="default")


async def _delete(client: KubeClient, name: str) -> None:
    await client.delete(CONFIG_MAPS, name, namespace="default")


async def test_objects_that_exist_are_reported_first(client: KubeClient) -> None:
    await _create(client, "one", "1")
    async with watching(client) as seen:
        assert seen.informer.get("default", "one") == "1"
        await seen.sees("ADDED one 1")


async def test_changes_are_reported_and_cached(client: KubeClient) -> None:
    async with watching(client) as seen:
        await _create(client, "one", "1")
        await _set(client, "one", "2")
        await _delete(client, "one")
        await seen.sees("ADDED one 1", "MODIFIED one 2", "DELETED one 2")
        assert seen.informer.get("default", "one") is None


async def test_changes_of_what_is_not_kept_are_not_reported(client: KubeClient) -> None:
    async with watching(client) as seen:
        await _create(client, "one", "1")
        body = {"metadata": {"labels": {"other": "x"}}}
        await client.patch(CONFIG_MAPS, "one", body, namespace="default")
        await _set(client, "one", "2")
        await seen.sees("ADDED one 1", "MODIFIED one 2")


async def test_broken_watch_goes_on_where_it_was(client: KubeClient, kube: LocalKube) -> None:
    async with watching(client) as seen:
        await _create(client, "one", "1")
        await seen.sees("ADDED one 1")
        kube.faults.refuse(503, times=3, path="configmaps")
        kube.faults.drop_watches("configmaps")
        await _wait_until_served(client)
        await _create(client, "two", "2")
        await seen.sees("ADDED two 2")


async def _wait_until_served(client: KubeClient) -> None:
    await client.page(CONFIG_MAPS, namespace="default")


async def test_what_happened_while_away_is_reported_after_a_new_list(
    client: KubeClient, kube: LocalKube
) -> None:
    for name in ("changed", "gone", "same"):
        await _create(client, name, "1")
    async with watching(client) as seen:
        await seen.sees("ADDED changed 1", "ADDED gone 1", "ADDED same 1")
        kube.faults.refuse(503, times=1, method="GET", path="configmaps")
        kube.faults.drop_watches("configmaps")
        await _set(client, "changed", "2")
        await _delete(client, "gone")
        await _create(client, "new", "1")
        kube.faults.compact()  # so the version that it watched from is too old
        await until(lambda: len(seen.events) == 3)
        assert sorted(seen.events) == ["ADDED new 1", "DELETED gone 1", "MODIFIED changed 2"]


async def test_object_that_leaves_the_selector_is_gone(client: KubeClient) -> None:
    body = config_map("one", a="1")
    body["metadata"]["labels"] = {"watched": "yes"}
    await client.create(CONFIG_MAPS, body, namespace="default")
    async with watching(client, labels="watched=yes") as seen:
        await seen.sees("ADDED one 1")
        change = {"metadata": {"labels": {"watched": "no"}}}
        await client.patch(CONFIG_MAPS, "one", change, namespace="default")
        await seen.sees("DELETED one 1")


async def test_start_waits_for_a_server_that_refuses(client: KubeClient, kube: LocalKube) -> None:
    await _create(client, "one", "1")
    kube.faults.refuse(503, times=5, path="configmaps")
    async with watching(client) as seen:
        await seen.sees("ADDED one 1")
