"""Merge, JSON and strategic merge patches."""

from __future__ import annotations

from typing import Any

import pytest

from dalston.localkube import builtin_types
from dalston.localkube.errors import ApiError
from dalston.localkube.patches import json_patch, merge_patch
from dalston.localkube.strategic import strategic_merge
from tests.localkube.client import NAMESPACE, PODS, WIDGETS, Client
from tests.localkube.objects import config_map, pod, widget

JSON = dict[str, Any]
POD = builtin_types.full_schema("core.Pod")
STRATEGIC = "application/strategic-merge-patch+json"


def test_merge_patch_deletes_nulls_and_merges_objects() -> None:
    target = {"a": 1, "b": {"c": 2, "d": 3}, "l": [1, 2]}
    assert merge_patch(target, {"a": None, "b": {"c": None, "e": 4}, "l": [3]}) == {
        "b": {"d": 3, "e": 4},
        "l": [3],
    }


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/l/0", "value": 0}], {"l": [0, 1, 2], "m": {"a/b": 1}}),
        ([{"op": "add", "path": "/l/-", "value": 3}], {"l": [1, 2, 3], "m": {"a/b": 1}}),
        ([{"op": "remove", "path": "/m/a~1b"}], {"l": [1, 2], "m": {}}),
        ([{"op": "replace", "path": "/l/1", "value": 9}], {"l": [1, 9], "m": {"a/b": 1}}),
        ([{"op": "move", "from": "/l", "path": "/k"}], {"k": [1, 2], "m": {"a/b": 1}}),
        ([{"op": "copy", "from": "/l", "path": "/m"}], {"l": [1, 2], "m": [1, 2]}),
        ([{"op": "test", "path": "/l/0", "value": 1}], {"l": [1, 2], "m": {"a/b": 1}}),
    ],
)
def test_json_patch_operations(operations: list[JSON], expected: JSON) -> None:
    assert json_patch({"l": [1, 2], "m": {"a/b": 1}}, operations) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/x"},
        {"op": "replace", "path": "/x", "value": 1},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "odd", "path": "/a"},
    ],
)
def test_json_patch_that_cannot_be_carried_out_is_invalid(operation: JSON) -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({"a": 1}, [operation])
    assert refusal.value.code == 422


def containers(*entries: JSON) -> JSON:
    return {"spec": {"containers": list(entries)}}


def test_strategic_merge_finds_elements_by_key() -> None:
    target = containers({"name": "a", "image": "1"}, {"name": "b", "image": "2"})
    patch = containers({"name": "b", "image": "3"}, {"name": "c", "image": "4"})
    merged = strategic_merge(target, patch, POD)
    assert [(c["name"], c["image"]) for c in merged["spec"]["containers"]] == [
        ("a", "1"),
        ("b", "3"),
        ("c", "4"),
    ]


def test_strategic_merge_reaches_nested_lists() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    target = containers({"name": "a", "env": env})
    patch = containers({"name": "a", "env": [{"name": "A", "$patch": "delete"}]})
    merged = strategic_merge(target, patch, POD)
    assert merged["spec"]["containers"][0]["env"] == [{"name": "B", "value": "2"}]


def test_strategic_merge_obeys_order_and_replace_directives() -> None:
    target = containers({"name": "a"}, {"name": "b"})
    target["metadata"] = {"labels": {"x": "1"}}
    patch: JSON = {
        "metadata": {"labels": {"$patch": "replace", "y": "2"}},
        "spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
    }
    merged = strategic_merge(target, patch, POD)
    assert [c["name"] for c in merged["spec"]["containers"]] == ["b", "a"]
    assert merged["metadata"]["labels"] == {"y": "2"}


def test_strategic_merge_unites_and_trims_primitive_lists() -> None:
    target = {"metadata": {"finalizers": ["a", "b"]}}
    added = strategic_merge(target, {"metadata": {"finalizers": ["b", "c"]}}, POD)
    assert added["metadata"]["finalizers"] == ["a", "b", "c"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge(added, patch, POD)["metadata"]["finalizers"] == ["b", "c"]


async def test_strategic_merge_over_http(client: Client) -> None:
    await client.post(PODS, pod())
    patch = {"spec": {"containers": [{"name": "main", "image": "new"}]}}
    answer = await client.request("PATCH", f"{PODS}/p", patch, media=STRATEGIC)
    container = answer.body["spec"]["containers"][0]
    assert (container["image"], container["terminationMessagePolicy"]) == ("new", "File")


async def test_custom_resources_know_no_strategic_merge(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget())
    answer = await widgets.request("PATCH", f"{WIDGETS}/w", {}, media=STRATEGIC)
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


async def test_json_patch_with_a_failed_test_changes_nothing(client: Client) -> None:
    path = f"{NAMESPACE}/configmaps"
    await client.post(path, config_map())
    operations = [
        {"op": "replace", "path": "/data/a", "value": "2"},
        {"op": "test", "path": "/metadata/name", "value": "other"},
    ]
    media = "application/json-patch+json"
    answer = await client.request("PATCH", f"{path}/c", operations, media=media)
    assert answer.status == 422
    assert (await client.get(f"{path}/c")).body["data"] == {"a": "1"}


async def test_patch_with_a_stale_version_conflicts(client: Client) -> None:
    path = f"{NAMESPACE}/configmaps"
    await client.post(path, config_map())
    patch = {"metadata": {"resourceVersion": "1"}, "data": {"a": "2"}}
    assert (await client.merge(f"{path}/c", patch)).status == 409
