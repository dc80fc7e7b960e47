"""Lists: selectors, paging, resource versions."""

from __future__ import annotations

import pytest

from tests.localkube.client import NAMESPACE, PODS, WIDGETS, Answer, Client
from tests.localkube.objects import config_map, pod, widget

MAPS = f"{NAMESPACE}/configmaps"


def names(answer: Answer) -> list[str]:
    return [item["metadata"]["name"] for item in answer.body["items"]]


@pytest.fixture
async def five(client: Client) -> Client:
    """A client of a control plane with the config maps a to e, labelled by turns."""
    for number, name in enumerate("abcde"):
        labels = {"n": str(number), "parity": "even" if number % 2 == 0 else "odd"}
        await client.post(MAPS, config_map(name, labels=labels))
    return client


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("parity=even", "ace"),
        ("parity==odd", "bd"),
        ("parity!=odd", "ace"),
        ("n in (0, 4)", "ae"),
        ("n notin (0,4),parity=even", "c"),
        ("missing", ""),
        ("!missing", "abcde"),
        ("n>2", "de"),
        ("parity,n=1", "b"),
    ],
)
async def test_label_selectors(five: Client, selector: str, expected: str) -> None:
    assert "".join(names(await five.get(MAPS, labelSelector=selector))) == expected


async def test_pages_cover_everything_once(five: Client) -> None:
    first = await five.get(MAPS, limit=2)
    token = first.body["metadata"]["continue"]
    second = await five.get(MAPS, limit=2, **{"continue": token})
    third = await five.get(MAPS, limit=2, **{"continue": second.body["metadata"]["continue"]})
    assert names(first) + names(second) + names(third) == list("abcde")
    assert first.body["metadata"]["remainingItemCount"] == 3
    assert "continue" not in third.body["metadata"]


async def test_pages_keep_the_revision_of_the_first(five: Client) -> None:
    first = await five.get(MAPS, limit=2)
    await five.post(MAPS, config_map("z"))
    second = await five.get(MAPS, limit=2, **{"continue": first.body["metadata"]["continue"]})
    revisions = {page.body["metadata"]["resourceVersion"] for page in (first, second)}
    assert len(revisions) == 1


async def test_expired_continue_token_is_gone(five: Client) -> None:
    first = await five.get(MAPS, limit=2)
    await five.post(MAPS, config_map("z"))
    five.kube.faults.compact()
    answer = await five.get(MAPS, limit=2, **{"continue": first.body["metadata"]["continue"]})
    assert (answer.status, answer.body["reason"]) == (410, "Expired")


async def test_field_selectors_of_pods(client: Client) -> None:
    await client.post(PODS, pod("a"))
    await client.post(PODS, pod("b", nodeName="n1"))
    assert names(await client.get(PODS, fieldSelector="spec.nodeName=n1")) == ["b"]
    assert names(await client.get(PODS, fieldSelector="spec.nodeName!=n1")) == ["a"]
    assert names(await client.get(PODS, fieldSelector="metadata.name=a")) == ["a"]
    assert names(await client.get(PODS, fieldSelector="status.phase=Running")) == []


async def test_undeclared_field_is_refused(widgets: Client) -> None:
    answer = await widgets.get(WIDGETS, fieldSelector="spec.size=2")
    assert (answer.status, answer.message) == (400, "field label not supported: spec.size")


async def test_selectable_field_follows_changes(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget("a"))
    assert names(await widgets.get(WIDGETS, fieldSelector="spec.color=red")) == ["a"]
    assert names(await widgets.get(WIDGETS, fieldSelector="spec.color!=red")) == []


async def test_list_across_namespaces(client: Client) -> None:
    await client.post(MAPS, config_map("a"))
    await client.post("/api/v1/namespaces/kube-public/configmaps", config_map("b"))
    assert sorted(names(await client.get("/api/v1/configmaps"))) == ["a", "b"]


async def test_future_revision_is_too_large(client: Client) -> None:
    answer = await client.get(MAPS, resourceVersion=99_999)
    assert answer.status == 504
    assert "Too large resource version" in answer.message


async def test_metadata_only_lists(five: Client) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
    answer = await five.request("GET", MAPS, accept=accept)
    assert answer.body["kind"] == "PartialObjectMetadataList"
    assert set(answer.body["items"][0]) == {"kind", "apiVersion", "metadata"}
