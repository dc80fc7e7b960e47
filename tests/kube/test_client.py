"""The API client: verbs, errors, tries after refusals, watches."""

from typing import Any

import pytest

from dalston.kube import (
    AlreadyExists,
    ApiError,
    ApiUnavailable,
    Conflict,
    Gone,
    Invalid,
    KubeClient,
    NotFound,
)
from dalston.kube.kinds import CONFIG_MAPS
from dalston.localkube import LocalKube
from tests.deadlines import within


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def _create(client: KubeClient, name: str, **data: str) -> dict[str, Any]:
    return await client.create(CONFIG_MAPS, config_map(name, **data), namespace="default")


async def test_object_is_created_read_changed_and_deleted(client: KubeClient) -> None:
    await _create(client, "one", a="1")
    patched = await client.patch(
        CONFIG_MAPS, "one", {"data": {"a": None, "b": "2"}}, namespace="default"
    )
    assert patched["data"] == {"b": "2"}
    replaced = await client.replace(
        CONFIG_MAPS, "one", {**patched, "data": {"c": "3"}}, namespace="default"
    )
    assert (await client.get(CONFIG_MAPS, "one", namespace="default")) == replaced
    await client.delete(CONFIG_MAPS, "one", namespace="default")
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "one", namespace="default")


async def test_errors_say_what_the_server_says(client: KubeClient) -> None:
    made = await _create(client, "one")
    with pytest.raises(AlreadyExists, match='"one" already exists'):
        await _create(client, "one")
    await client.patch(CONFIG_MAPS, "one", {"data": {"a": "1"}}, namespace="default")
    with pytest.raises(Conflict):
        await client.replace(CONFIG_MAPS, "one", made, namespace="default")
    with pytest.raises(Invalid, match="Bad_Name"):
        await _create(client, "Bad_Name")


async def test_delete_of_another_object_of_that_name_is_refused(client: KubeClient) -> None:
    made = await _create(client, "one")
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, "one", namespace="default", uid="another")
    await client.delete(CONFIG_MAPS, "one", namespace="default", uid=made["metadata"]["uid"])


async def test_patch_of_another_object_of_that_name_is_refused(client: KubeClient) -> None:
    await _create(client, "one")
    body = {"metadata": {"uid": "another"}, "data": {"a": "1"}}
    with pytest.raises(Conflict):
        await client.patch(CONFIG_MAPS, "one", body, namespace="default")


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_refused_request_is_tried_again(
    client: KubeClient, kube: LocalKube, code: int
) -> None:
    kube.faults.refuse(code, times=1, method="POST")
    await within(3, _create(client, "one"))


async def test_request_that_is_refused_too_often_fails(client: KubeClient, kube: LocalKube) -> None:
    kube.faults.refuse(503, times=3)
    with pytest.raises(ApiError, match="503"):
        await _create(client, "one")
    await _create(client, "one")  # each of the three was used up by one try


async def test_request_that_is_wrong_is_not_tried_again(
    client: KubeClient, kube: LocalKube
) -> None:
    kube.faults.refuse(409, times=1)
    with pytest.raises(Conflict):
        await _create(client, "one")


async def test_server_that_is_down_is_said_to_be(client: KubeClient, kube: LocalKube) -> None:
    await kube.stop()
    try:
        with pytest.raises(ApiUnavailable):
            await client.get(CONFIG_MAPS, "one", namespace="default")
    finally:
        await kube.start()


async def test_list_reads_all_pages(client: KubeClient) -> None:
    for number in range(5):
        await _create(client, f"map-{number}")
    page = await client.page(CONFIG_MAPS, namespace="default", limit=2)
    assert len(page["items"]) == 2
    rest = await client.page(
        CONFIG_MAPS, namespace="default", limit=2, after=page["metadata"]["continue"]
    )
    assert rest["items"][0]["metadata"]["name"] == "map-2"
    items, version = await client.list(CONFIG_MAPS, namespace="default")
    assert ([item["metadata"]["name"] for item in items], bool(version)) == (
        [f"map-{number}" for number in range(5)],
        True,
    )


async def test_watch_yields_changes_in_order(client: KubeClient) -> None:
    _, version = await client.list(CONFIG_MAPS, namespace="default")
    await _create(client, "one")
    await client.patch(CONFIG_MAPS, "one", {"data": {"a": "1"}}, namespace="default")
    await client.delete(CONFIG_MAPS, "one", namespace="default")
    assert await within(3, _types(client, version, count=3)) == ["ADDED", "MODIFIED", "DELETED"]


async def _types(client: KubeClient, version: str, *, count: int) -> list[str]:
    types: list[str] = []
    async for type, _ in client.watch(CONFIG_MAPS, namespace="default", since=version):
        types.append(type)
        if len(types) == count:
            break
    return types


async def test_watch_reads_objects_as_large_as_the_server_takes(client: KubeClient) -> None:
    _, version = await client.list(CONFIG_MAPS, namespace="default")
    await _create(client, "large", text="x" * 900_000)
    await _create(client, "small")
    assert await within(3, _types(client, version, count=2)) == ["ADDED", "ADDED"]


async def test_watch_from_a_forgotten_version_is_gone(client: KubeClient, kube: LocalKube) -> None:
    _, version = await client.list(CONFIG_MAPS, namespace="default")
    await _create(client, "one")
    kube.faults.compact()
    with pytest.raises(Gone):
        await within(3, _types(client, version, count=1))


async def test_watch_whose_connection_breaks_says_so(client: KubeClient, kube: LocalKube) -> None:
    _, version = await client.list(CONFIG_MAPS, namespace="default")
    await _create(client, "one")
    watching = client.watch(CONFIG_MAPS, namespace="default", since=version)
    await within(3, anext(watching))
    assert kube.faults.drop_watches("configmaps") == 1
    with pytest.raises(ApiUnavailable):
        await within(3, anext(watching))
