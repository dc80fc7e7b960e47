"""Server-side apply: ownership, removal, conflicts."""

from __future__ import annotations

from typing import Any

from tests.localkube.client import NAMESPACE, WIDGETS, Answer, Client
from tests.localkube.objects import widget

JSON = dict[str, Any]
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/d"


def deployment(*containers: str, **spec: Any) -> JSON:
    labels = {"app": "d"}
    entries = [{"name": name, "image": f"{name}:1"} for name in containers or ("main",)]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": entries}},
            **spec,
        },
    }


async def apply(client: Client, body: JSON, manager: str = "one", **query: Any) -> Answer:
    return await client.apply(DEPLOYMENT, body, fieldManager=manager, **query)


def owners(answer: Answer) -> list[tuple[str, str]]:
    entries = answer.body["metadata"].get("managedFields", [])
    return [(entry["manager"], entry["operation"]) for entry in entries]


def container_names(answer: Answer) -> list[str]:
    return [entry["name"] for entry in answer.body["spec"]["template"]["spec"]["containers"]]


async def test_apply_creates_with_an_owner(client: Client) -> None:
    answer = await apply(client, deployment(replicas=2))
    assert answer.status == 201
    assert owners(answer) == [("one", "Apply")]
    fields = answer.body["metadata"]["managedFields"][0]["fieldsV1"]
    assert fields["f:spec"]["f:replicas"] == {}
    containers = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert containers['k:{"name":"main"}'] == {".": {}, "f:image": {}, "f:name": {}}


async def test_same_apply_writes_nothing(client: Client) -> None:
    first = await apply(client, deployment())
    second = await apply(client, deployment())
    assert second.status == 200
    versions = {answer.body["metadata"]["resourceVersion"] for answer in (first, second)}
    assert len(versions) == 1


async def test_field_no_longer_applied_is_removed(client: Client) -> None:
    await apply(client, deployment("a", "b", minReadySeconds=5))
    answer = await apply(client, deployment("a"))
    assert container_names(answer) == ["a"]
    assert "minReadySeconds" not in answer.body["spec"]


async def test_field_of_another_applier_stays(client: Client) -> None:
    await apply(client, deployment(minReadySeconds=5))
    await apply(client, deployment(minReadySeconds=5), manager="two")
    answer = await apply(client, deployment())
    assert answer.body["spec"]["minReadySeconds"] == 5


async def test_two_appliers_share_a_keyed_list(client: Client) -> None:
    await apply(client, deployment("a"))
    answer = await apply(client, deployment("b"), manager="two")
    assert sorted(container_names(answer)) == ["a", "b"]
    assert owners(answer) == [("one", "Apply"), ("two", "Apply")]


async def test_changing_anothers_field_conflicts(client: Client) -> None:
    await apply(client, deployment(replicas=2))
    answer = await apply(client, deployment(replicas=3), manager="two")
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one"',
            "field": ".spec.replicas",
        }
    ]


async def test_force_takes_the_field_over(client: Client) -> None:
    await apply(client, deployment(replicas=2))
    forced = await apply(client, deployment(replicas=3), manager="two", force="true")
    assert forced.body["spec"]["replicas"] == 3
    again = await apply(client, deployment(replicas=4), manager="two")
    assert again.status == 200


async def test_update_takes_ownership_of_what_it_changes(client: Client) -> None:
    await apply(client, deployment(replicas=2))
    patched = await client.merge(DEPLOYMENT, {"spec": {"replicas": 5}}, fieldManager="scaler")
    assert owners(patched) == [("one", "Apply"), ("scaler", "Update")]
    answer = await apply(client, deployment(replicas=2))
    assert answer.status == 409
    assert 'conflict with "scaler" using apps/v1 at ' in answer.message


async def test_status_is_owned_apart(widgets: Client) -> None:
    path = f"{WIDGETS}/w"
    await widgets.apply(path, widget(), fieldManager="one")
    status = {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    answer = await widgets.apply(f"{path}/status", status, fieldManager="op")
    entry = answer.body["metadata"]["managedFields"][1]
    assert (entry["manager"], entry["subresource"]) == ("op", "status")
    assert 'k:{"type":"Ready"}' in entry["fieldsV1"]["f:status"]["f:conditions"]
    again = await widgets.apply(path, widget(size=4), fieldManager="one")
    assert again.body["status"] == status["status"]


async def test_object_from_before_is_owned_by_before_first_apply(client: Client) -> None:
    path = f"{NAMESPACE}/configmaps"
    await client.post(path, {"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    same = await client.apply(f"{path}/c", body, fieldManager="one")
    assert owners(same) == [("before-first-apply", "Update"), ("one", "Apply")]
    other = await client.apply(f"{path}/c", {**body, "data": {"a": "9"}}, fieldManager="two")
    assert other.status == 409


async def test_untouched_objects_carry_no_managed_fields(client: Client) -> None:
    path = f"{NAMESPACE}/configmaps"
    created = await client.post(path, {"metadata": {"name": "c"}})
    assert "managedFields" not in created.body["metadata"]


async def test_apply_without_a_manager_is_refused(client: Client) -> None:
    answer = await client.apply(DEPLOYMENT, deployment())
    assert answer.status == 422
    assert "fieldManager: Required value" in answer.message
