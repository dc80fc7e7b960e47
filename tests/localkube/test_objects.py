"""Create, read, update: what every kind has in common."""

from __future__ import annotations

import asyncio

from tests.localkube.client import JOBS, NAMESPACE, PODS, WIDGETS, Client
from tests.localkube.objects import config_map, job, pod, widget

CONFIG_MAPS = f"{NAMESPACE}/configmaps"


async def test_create_sets_server_owned_metadata(client: Client) -> None:
    answer = await client.post(CONFIG_MAPS, config_map(uid="mine", deletionTimestamp="x"))
    metadata = answer.body["metadata"]
    assert answer.status == 201
    assert metadata["uid"] not in ("", "mine")
    assert metadata["namespace"] == "default"
    assert "deletionTimestamp" not in metadata
    assert metadata["creationTimestamp"].endswith("Z")


async def test_revisions_grow_with_every_write(client: Client) -> None:
    first = (await client.post(CONFIG_MAPS, config_map("a"))).body["metadata"]["resourceVersion"]
    second = (await client.post(CONFIG_MAPS, config_map("b"))).body["metadata"]["resourceVersion"]
    assert int(second) == int(first) + 1


async def test_generate_name_appends_a_suffix(client: Client) -> None:
    body = {"metadata": {"generateName": "job-"}}
    names = {(await client.post(CONFIG_MAPS, body)).body["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


async def test_create_twice_is_already_exists(client: Client) -> None:
    await client.post(CONFIG_MAPS, config_map())
    answer = await client.post(CONFIG_MAPS, config_map())
    assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")
    assert answer.message == 'configmaps "c" already exists'


async def test_concurrent_creates_have_one_winner(client: Client) -> None:
    answers = await asyncio.gather(*(client.post(CONFIG_MAPS, config_map()) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7


async def test_missing_object_is_not_found(client: Client) -> None:
    answer = await client.get(f"{JOBS}/x")
    assert answer.status == 404
    assert answer.message == 'jobs.batch "x" not found'
    assert answer.body["details"] == {"name": "x", "group": "batch", "kind": "jobs"}


async def test_create_in_missing_namespace_is_not_found(client: Client) -> None:
    answer = await client.post("/api/v1/namespaces/nowhere/configmaps", config_map())
    assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')


async def test_bad_name_is_invalid(client: Client) -> None:
    answer = await client.post(CONFIG_MAPS, config_map("Bad_Name"))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "metadata.name"
    assert "a lowercase RFC 1123 subdomain must consist of" in answer.message


async def test_bad_label_is_invalid(client: Client) -> None:
    answer = await client.post(CONFIG_MAPS, config_map(labels={"a": "b c"}))
    assert answer.status == 422
    assert 'metadata.labels: Invalid value: "b c": a valid label must be' in answer.message


async def test_stale_update_conflicts(client: Client) -> None:
    stored = (await client.post(CONFIG_MAPS, config_map())).body
    await client.merge(f"{CONFIG_MAPS}/c", {"data": {"a": "2"}})
    answer = await client.put(f"{CONFIG_MAPS}/c", {**stored, "data": {"a": "3"}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert "the object has been modified; please apply your changes" in answer.message


async def test_update_without_version_is_refused_for_custom_resources(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget())
    answer = await widgets.put(f"{WIDGETS}/w", widget(size=3))
    assert answer.status == 422
    assert "metadata.resourceVersion: Invalid value: 0x0: must be specified" in answer.message


async def test_unchanged_update_writes_nothing(client: Client) -> None:
    before = (await client.post(CONFIG_MAPS, config_map())).body
    after = (await client.merge(f"{CONFIG_MAPS}/c", {"data": {"a": "1"}})).body
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_generation_follows_the_spec_alone(widgets: Client) -> None:
    path = f"{WIDGETS}/w"
    await widgets.post(WIDGETS, widget())
    labelled = await widgets.merge(path, {"metadata": {"labels": {"a": "b"}}})
    reported = await widgets.merge(f"{path}/status", {"status": {"phase": "x"}})
    changed = await widgets.merge(path, {"spec": {"size": 5}})
    generations = [
        answer.body["metadata"]["generation"] for answer in (labelled, reported, changed)
    ]
    assert generations == [1, 1, 2]


async def test_status_is_split_from_the_rest(widgets: Client) -> None:
    path = f"{WIDGETS}/w"
    created = await widgets.post(WIDGETS, {**widget(), "status": {"phase": "early"}})
    main = await widgets.merge(path, {"spec": {"size": 5}, "status": {"phase": "no"}})
    status = await widgets.merge(
        f"{path}/status", {"spec": {"size": 9}, "status": {"phase": "yes"}}
    )
    assert "status" not in created.body
    assert "status" not in main.body
    assert (status.body["spec"]["size"], status.body["status"]) == (5, {"phase": "yes"})


async def test_dry_run_changes_nothing(client: Client) -> None:
    created = await client.post(CONFIG_MAPS, config_map(), dryRun="All")
    assert created.status == 201
    assert (await client.get(f"{CONFIG_MAPS}/c")).status == 404


async def test_wrong_kind_in_the_body_is_refused(client: Client) -> None:
    answer = await client.post(CONFIG_MAPS, {**config_map(), "kind": "Secret", "apiVersion": "v1"})
    assert answer.status == 400


async def test_server_owned_fields_survive_an_update(client: Client) -> None:
    stored = (await client.post(CONFIG_MAPS, config_map())).body
    changed = {**stored, "metadata": {**stored["metadata"], "creationTimestamp": None}, "data": {}}
    answer = await client.put(f"{CONFIG_MAPS}/c", changed)
    assert answer.body["metadata"]["creationTimestamp"] == stored["metadata"]["creationTimestamp"]


async def test_job_gets_its_defaults(client: Client) -> None:
    spec = (await client.post(JOBS, job())).body["spec"]
    assert (spec["backoffLimit"], spec["parallelism"], spec["completions"]) == (6, 1, 1)
    assert spec["podReplacementPolicy"] == "TerminatingOrFailed"
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30


async def test_job_must_not_restart_always(client: Client) -> None:
    wrong = job()
    wrong["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    answer = await client.post(JOBS, wrong)
    assert answer.status == 422
    assert (
        'spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: '
        '"OnFailure", "Never"' in answer.message
    )


async def test_pod_template_of_a_job_is_immutable(client: Client) -> None:
    await client.post(JOBS, job())
    patch = {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}
    answer = await client.merge(f"{JOBS}/j", patch)
    assert answer.status == 422
    assert "spec.template: Invalid value" in answer.message
    assert "field is immutable" in answer.message


async def test_unknown_field_of_a_built_in_is_pruned_with_a_warning(client: Client) -> None:
    answer = await client.post(PODS, pod(fooBar=1))
    assert "fooBar" not in answer.body["spec"]
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.fooBar\\""'


async def test_secret_texts_become_data(client: Client) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"k": "value"}}
    answer = await client.post(f"{NAMESPACE}/secrets", body)
    assert answer.body["data"] == {"k": "dmFsdWU="}
    assert answer.body["type"] == "Opaque"


async def test_events_are_served_under_both_groups(client: Client) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "reason": "Began",
        "message": "it began",
    }
    await client.post(f"{NAMESPACE}/events", event)
    path = "/apis/events.k8s.io/v1/namespaces/default/events"
    seen = (await client.get(path, fieldSelector="regarding.name=p")).body["items"][0]
    assert (seen["note"], seen["regarding"]["name"]) == ("it began", "p")


async def test_scale_reads_and_sets_replicas(widgets: Client) -> None:
    await widgets.post(WIDGETS, widget())
    await widgets.merge(f"{WIDGETS}/w/status", {"status": {"replicas": 1, "selector": "a=b"}})
    answer = await widgets.merge(f"{WIDGETS}/w/scale", {"spec": {"replicas": 4}})
    assert answer.body["kind"] == "Scale"
    assert answer.body["status"] == {"replicas": 1, "selector": "a=b"}
    assert (await widgets.get(f"{WIDGETS}/w")).body["spec"]["replicas"] == 4
