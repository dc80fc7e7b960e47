"""Deletion: grace, finalizers, propagation, garbage collection, namespaces, definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dalston.localkube import LocalKube
from tests.localkube.client import DEFINITIONS, JOBS, NAMESPACE, PODS, WIDGETS, Client
from tests.localkube.objects import config_map, job, pod, widget

JSON = dict[str, Any]
MAPS = f"{NAMESPACE}/configmaps"


def owned_by(owner: JSON, *, blocks: bool = False) -> JSON:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocks,
    }


async def family(client: Client, *, blocks: bool = False) -> JSON:
    """A config map `parent` that owns the config map `child`."""
    parent = (await client.post(MAPS, config_map("parent"))).body
    reference = owned_by(parent, blocks=blocks)
    await client.post(MAPS, config_map("child", ownerReferences=[reference]))
    return parent


async def test_delete_answers_with_a_status(client: Client) -> None:
    stored = (await client.post(MAPS, config_map())).body
    answer = await client.delete(f"{MAPS}/c")
    assert (answer.body["kind"], answer.body["status"]) == ("Status", "Success")
    assert answer.body["details"]["uid"] == stored["metadata"]["uid"]
    assert (await client.get(f"{MAPS}/c")).status == 404


async def test_finalizer_holds_an_object(client: Client) -> None:
    await client.post(MAPS, config_map(finalizers=["a/b"]))
    held = await client.delete(f"{MAPS}/c")
    assert held.body["metadata"]["deletionTimestamp"]
    await client.merge(f"{MAPS}/c", {"metadata": {"finalizers": None}})
    assert (await client.get(f"{MAPS}/c")).status == 404


async def test_no_finalizer_is_added_once_deletion_began(client: Client) -> None:
    await client.post(MAPS, config_map(finalizers=["a/b"]))
    await client.delete(f"{MAPS}/c")
    answer = await client.merge(f"{MAPS}/c", {"metadata": {"finalizers": ["a/b", "c/d"]}})
    assert answer.status == 422
    assert "no new finalizers can be added if the object is being deleted" in answer.message


async def test_precondition_guards_a_deletion(client: Client) -> None:
    await client.post(MAPS, config_map())
    answer = await client.delete(f"{MAPS}/c", {"preconditions": {"uid": "other"}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


async def test_running_pod_gets_its_grace(client: Client) -> None:
    await client.post(PODS, pod(nodeName="n", terminationGracePeriodSeconds=7))
    held = await client.delete(f"{PODS}/p")
    assert held.body["metadata"]["deletionGracePeriodSeconds"] == 7
    await client.delete(f"{PODS}/p", {"gracePeriodSeconds": 0})
    assert (await client.get(f"{PODS}/p")).status == 404


async def test_waiting_pod_goes_at_once(client: Client) -> None:
    await client.post(PODS, pod())
    await client.delete(f"{PODS}/p")
    assert (await client.get(f"{PODS}/p")).status == 404


async def test_dependents_follow_their_owner(client: Client) -> None:
    await family(client)
    await client.delete(f"{MAPS}/parent")
    await client.gone(f"{MAPS}/child")


async def test_orphaned_dependents_stay_without_reference(client: Client) -> None:
    await family(client)
    await client.delete(f"{MAPS}/parent", {"propagationPolicy": "Orphan"})
    await client.gone(f"{MAPS}/parent")
    child = await client.get(f"{MAPS}/child")
    assert "ownerReferences" not in child.body["metadata"]


async def test_foreground_deletion_waits_for_dependents(client: Client) -> None:
    await family(client, blocks=True)
    await client.merge(f"{MAPS}/child", {"metadata": {"finalizers": ["a/b"]}})
    await client.delete(f"{MAPS}/parent", {"propagationPolicy": "Foreground"})
    stream = await client.watch(MAPS, fieldSelector="metadata.name=child")
    while "deletionTimestamp" not in (await stream.next())["object"]["metadata"]:
        pass
    parent = await client.get(f"{MAPS}/parent")
    assert parent.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await client.merge(f"{MAPS}/child", {"metadata": {"finalizers": None}})
    await client.gone(f"{MAPS}/parent")


async def test_dependent_stays_while_one_owner_lives(client: Client) -> None:
    first = (await client.post(MAPS, config_map("first"))).body
    second = (await client.post(MAPS, config_map("second"))).body
    references = [owned_by(first), owned_by(second)]
    await client.post(MAPS, config_map("child", ownerReferences=references))
    stream = await client.watch(MAPS, fieldSelector="metadata.name=child")
    await client.delete(f"{MAPS}/first")
    while len((await stream.next())["object"]["metadata"]["ownerReferences"]) == 2:
        pass
    child = (await client.get(f"{MAPS}/child")).body["metadata"]["ownerReferences"]
    assert [owner["name"] for owner in child] == ["second"]


async def test_object_of_an_absent_owner_is_collected(client: Client) -> None:
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "uid": "u-0"}}
    await client.post(MAPS, config_map("child", ownerReferences=[owned_by(ghost)]))
    await client.gone(f"{MAPS}/child")


async def test_jobs_leave_their_pods_by_default(client: Client) -> None:
    owner = (await client.post(JOBS, job())).body
    body = pod()
    body["metadata"]["ownerReferences"] = [owned_by(owner)]
    await client.post(PODS, body)
    answer = await client.delete(f"{JOBS}/j")
    assert "child pods are preserved by default" in answer.headers["Warning"]
    await client.gone(f"{JOBS}/j")
    assert (await client.get(f"{PODS}/p")).status == 200


async def test_collection_is_deleted_by_selector(client: Client) -> None:
    for name, value in (("a", "1"), ("b", "2"), ("c", "1")):
        await client.post(MAPS, config_map(name, labels={"x": value}))
    await client.delete(MAPS, labelSelector="x=1")
    left = (await client.get(MAPS)).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["b"]


async def test_namespace_takes_its_contents_along(client: Client) -> None:
    await client.post("/api/v1/namespaces", {"metadata": {"name": "team"}})
    inside = "/api/v1/namespaces/team/configmaps"
    await client.post(inside, config_map(finalizers=["a/b"]))
    held = await client.delete("/api/v1/namespaces/team")
    assert held.body["status"]["phase"] == "Terminating"
    refused = await client.post(inside, config_map("late"))
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    await client.merge(f"{inside}/c", {"metadata": {"finalizers": None}})
    await client.gone("/api/v1/namespaces/team")


async def test_definition_takes_its_objects_along(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget())
    await widgets.delete(f"{DEFINITIONS}/widgets.example.org")
    await widgets.gone(f"{DEFINITIONS}/widgets.example.org")
    assert (await widgets.get(WIDGETS)).status == 404


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_interrupted_collection_goes_on_after_a_restart(tmp_path: Path, policy: str) -> None:
    async with LocalKube(data_dir=tmp_path) as kube, aiohttp.ClientSession() as session:
        client = Client(kube, session)
        await family(client, blocks=True)
        kube.pause_collection()
        await client.delete(f"{MAPS}/parent", {"propagationPolicy": policy})
        assert (await client.get(f"{MAPS}/child")).status == 200
        client.close()
    async with LocalKube(data_dir=tmp_path) as kube, aiohttp.ClientSession() as session:
        client = Client(kube, session)
        await client.gone(f"{MAPS}/child")
        await client.gone(f"{MAPS}/parent")
        client.close()
