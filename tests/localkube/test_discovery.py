"""Discovery and OpenAPI documents, and the kinds that come and go."""

from __future__ import annotations

from tests.localkube.client import DEFINITIONS, WIDGETS, Client
from tests.localkube.objects import widget

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def test_groups_and_resources_are_listed(widgets: Client) -> None:
    groups = {group["name"] for group in (await widgets.get("/apis")).body["groups"]}
    assert {"apps", "batch", "coordination.k8s.io", "events.k8s.io", "example.org"} <= groups
    resources = (await widgets.get("/apis/example.org/v1")).body["resources"]
    assert [resource["name"] for resource in resources] == [
        "widgets",
        "widgets/status",
        "widgets/scale",
    ]
    assert (resources[0]["shortNames"], resources[0]["categories"]) == (["wd"], ["gadgets"])


async def test_aggregated_discovery(widgets: Client) -> None:
    answer = await widgets.request("GET", "/apis", accept=AGGREGATED)
    items = {item["metadata"]["name"]: item for item in answer.body["items"]}
    resource = items["example.org"]["versions"][0]["resources"][0]
    assert (resource["resource"], resource["scope"]) == ("widgets", "Namespaced")
    assert [sub["subresource"] for sub in resource["subresources"]] == ["status", "scale"]
    core = await widgets.request("GET", "/api", accept=AGGREGATED)
    assert core.body["items"][0]["versions"][0]["version"] == "v1"


async def test_version_names_a_release(client: Client) -> None:
    version = (await client.get("/version")).body
    assert (version["major"], version["minor"]) == ("1", "32")


async def test_openapi_describes_custom_resources(widgets: Client) -> None:
    index = (await widgets.get("/openapi/v3")).body["paths"]
    url = index["apis/example.org/v1"]["serverRelativeURL"]
    document = (await widgets.get(url.partition("?")[0])).body
    schema = document["components"]["schemas"]["org.example.v1.Widget"]
    assert schema["properties"]["spec"]["properties"]["color"]["description"] == "Its color."
    assert schema["x-kubernetes-group-version-kind"][0]["kind"] == "Widget"
    post = document["paths"]["/apis/example.org/v1/namespaces/{namespace}/widgets"]["post"]
    assert "fieldValidation" in [parameter["name"] for parameter in post["parameters"]]


async def test_openapi_describes_built_in_kinds(client: Client) -> None:
    document = (await client.get("/openapi/v3/apis/batch/v1")).body
    schemas = document["components"]["schemas"]
    assert "io.k8s.api.core.v1.PodSpec" in schemas
    spec = schemas["io.k8s.api.batch.v1.JobSpec"]["properties"]
    assert spec["parallelism"] == {"type": "integer", "format": "int32"}


async def test_definition_is_established_at_once(widgets: Client) -> None:
    status = (await widgets.get(f"{DEFINITIONS}/widgets.example.org")).body["status"]
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert status["storedVersions"] == ["v1"]


async def test_changed_definition_applies_at_once(widgets: Client) -> None:
    operations = [
        {
            "op": "replace",
            "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/maximum",
            "value": 3,
        }
    ]
    media = "application/json-patch+json"
    path = f"{DEFINITIONS}/widgets.example.org"
    assert (await widgets.request("PATCH", path, operations, media=media)).status == 200
    assert (await widgets.post(WIDGETS, widget(size=4))).status == 422


async def test_definition_with_a_wrong_name_is_refused(client: Client) -> None:
    spec = {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    }
    answer = await client.post(DEFINITIONS, {"metadata": {"name": "x"}, "spec": spec})
    assert answer.status == 422
    assert 'must be spec.names.plural+"."+spec.group' in answer.message


async def test_strict_validation_names_unknown_fields(widgets: Client) -> None:
    strict = await widgets.post(WIDGETS, widget(bogus=1), fieldValidation="Strict")
    assert strict.status == 400
    assert strict.message == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: '
        'unknown field "spec.bogus"'
    )
    silent = await widgets.post(WIDGETS, widget(bogus=1), fieldValidation="Ignore")
    assert (silent.status, "Warning" in silent.headers) == (201, False)


async def test_access_reviews_allow_everything(client: Client) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert (await client.post(path, review)).body["status"]["allowed"] is True
