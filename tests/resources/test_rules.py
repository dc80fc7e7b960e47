"""What the API server makes of the schemas: defaults, refusals, what may change later."""

from typing import Any

import pytest

from dalston.kube import JSON, Invalid, KubeClient
from dalston.kube.kinds import ENGINES, REALTIME_POOLS, TRANSCRIPTION_JOBS, Kind
from dalston.resources import Engine, RealtimePool, TranscriptionJob

URL = {"url": "https://example.com/a.wav"}
_SPECS: dict[Kind, JSON] = {
    TRANSCRIPTION_JOBS: {"source": URL},
    ENGINES: {"stages": ["transcribe"], "image": "example/echo:1"},
    REALTIME_POOLS: {"engine": "echo"},
}


async def _create(client: KubeClient, kind: Kind, *, name: str = "one", **spec: Any) -> JSON:
    body = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "spec": {**_SPECS[kind], **spec},
    }
    return await client.create(kind, body, namespace="default")


async def _change(client: KubeClient, kind: Kind, **spec: Any) -> JSON:
    return await client.patch(kind, "one", {"spec": spec}, namespace="default")


@pytest.mark.parametrize(
    ("kind", "model"),
    [(TRANSCRIPTION_JOBS, TranscriptionJob), (ENGINES, Engine), (REALTIME_POOLS, RealtimePool)],
)
async def test_defaults_of_the_server_are_those_of_the_models(
    client: KubeClient, kind: Kind, model: type[Any]
) -> None:
    made = await _create(client, kind)
    bare = model.model_validate({"spec": _SPECS[kind]})
    assert model.model_validate(made).spec == bare.spec
    assert len(made["spec"]) > len(_SPECS[kind])


_JOB_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"source": {}}, "exactly one of url and artifact must be set"),
    ({"source": {**URL, "artifact": "uploads/a/source"}}, "exactly one of url and artifact"),
    ({"source": {"url": "ftp://example.com/a.wav"}}, "spec.source.url"),
    ({"source": None}, "spec.source"),
    ({"speakers": {"min": 3, "max": 2}}, "min must not exceed max"),
    ({"speakers": {"max": 33}}, "spec.speakers.max"),
    ({"speakers": {"mode": "guess"}}, "spec.speakers.mode"),
    ({"language": "English"}, "spec.language"),
    ({"task": "summarize"}, "spec.task"),
    ({"vocabulary": ["x" * 101]}, "spec.vocabulary"),
    ({"vocabulary": ["x"] * 1001}, "spec.vocabulary"),
    ({"temperature": 2.5}, "spec.temperature"),
    ({"priority": "urgent"}, "spec.priority"),
    ({"execution": {"queueName": "batch"}}, "queueName needs mode Dedicated"),
    ({"engines": [{"stage": "merge"}, {"stage": "merge"}]}, "Duplicate value"),
    ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds"),
    ({"webhooks": [{"url": "example.com"}]}, "spec.webhooks[0].url"),
]


@pytest.mark.parametrize(("spec", "message"), _JOB_FAULTS, ids=lambda value: str(value)[:40])
async def test_job_with_a_fault_is_refused(
    client: KubeClient, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await _create(client, TRANSCRIPTION_JOBS, **spec)
    assert message in caught.value.message


_ENGINE_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"stages": []}, "spec.stages"),
    ({"stages": ["dream"]}, "spec.stages[0]"),
    ({"image": ""}, "spec.image"),
    ({"workers": {"min": 3, "max": 2}}, "min must not exceed max"),
    ({"resources": {"memory": "lots"}}, "spec.resources.memory"),
    ({"models": [{"name": "a"}, {"name": "a"}]}, "Duplicate value"),
    ({"cost": {"cpu": -1}}, "spec.cost.cpu"),
]


@pytest.mark.parametrize(("spec", "message"), _ENGINE_FAULTS, ids=lambda value: str(value)[:40])
async def test_engine_with_a_fault_is_refused(
    client: KubeClient, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await _create(client, ENGINES, **spec)
    assert message in caught.value.message


@pytest.mark.parametrize("kind", [ENGINES, REALTIME_POOLS])
@pytest.mark.parametrize("name", ["with.dots", "x" * 64])
async def test_name_that_cannot_be_part_of_a_subject_is_refused(
    client: KubeClient, kind: Kind, name: str
) -> None:
    with pytest.raises(Invalid, match="the name must be a DNS label"):
        await _create(client, kind, name=name)


async def test_pool_whose_minimum_exceeds_its_maximum_is_refused(client: KubeClient) -> None:
    with pytest.raises(Invalid, match="minReplicas must not exceed maxReplicas"):
        await _create(client, REALTIME_POOLS, minReplicas=5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", {"url": "https://example.com/b.wav"}),
        ("language", "de"),
        ("task", "translate"),
        ("timestamps", "none"),
        ("speakers", {"mode": "diarize"}),
        ("vocabulary", ["Dalston"]),
        ("prompt", "Hello"),
        ("temperature", 0.5),
        ("seed", 7),
        ("detect", {"audioEvents": True}),
        ("refine", {"noVerbatim": True}),
        ("engines", [{"stage": "merge", "engine": "other"}]),
        ("execution", {"mode": "Dedicated"}),
        ("activeDeadlineSeconds", 60),
        ("webhooks", [{"url": "https://example.com"}]),
    ],
)
async def test_what_a_job_is_about_cannot_change(
    client: KubeClient, field: str, value: object
) -> None:
    await _create(client, TRANSCRIPTION_JOBS)
    with pytest.raises(Invalid, match=f"{field} is immutable"):
        await _change(client, TRANSCRIPTION_JOBS, **{field: value})


async def test_option_that_was_given_cannot_be_taken_away(client: KubeClient) -> None:
    await _create(client, TRANSCRIPTION_JOBS, language="en")
    with pytest.raises(Invalid, match="language is immutable"):
        await _change(client, TRANSCRIPTION_JOBS, language=None)


async def test_how_a_job_is_run_can_change(client: KubeClient) -> None:
    await _create(client, TRANSCRIPTION_JOBS)
    given = {"suspend": True, "cancel": True, "priority": "high", "ttlSecondsAfterFinished": 5}
    changed = await _change(client, TRANSCRIPTION_JOBS, **given)
    assert {field: changed["spec"][field] for field in given} == given
    assert changed["metadata"]["generation"] == 2


async def test_unknown_fields_are_dropped(client: KubeClient) -> None:
    made = await _create(client, TRANSCRIPTION_JOBS, mood="good")
    assert "mood" not in made["spec"]


async def test_free_form_parts_of_an_engine_are_kept(client: KubeClient) -> None:
    overlay = {"spec": {"priorityClassName": "low"}}
    parameters = {"schema": {"type": "object"}, "values": {"beam": 5}}
    made = await _create(client, ENGINES, podTemplateOverlay=overlay, parameters=parameters)
    assert (made["spec"]["podTemplateOverlay"], made["spec"]["parameters"]) == (overlay, parameters)


async def test_scale_subresource_sets_the_kept_workers(client: KubeClient) -> None:
    await _create(client, ENGINES, workers={"max": 4})
    body = {"spec": {"replicas": 3}}
    await client.patch(ENGINES, "one", body, namespace="default", sub="scale")
    engine = Engine.model_validate(await client.get(ENGINES, "one", namespace="default"))
    assert engine.spec.workers.min == 3


async def test_jobs_are_found_by_their_phase(client: KubeClient) -> None:
    for name in ("one", "two"):
        await _create(client, TRANSCRIPTION_JOBS, name=name)
    status = {"status": {"phase": "Succeeded"}}
    await client.patch(TRANSCRIPTION_JOBS, "two", status, namespace="default", sub="status")
    items, _ = await client.list(
        TRANSCRIPTION_JOBS, namespace="default", fields="status.phase!=Succeeded"
    )
    assert [item["metadata"]["name"] for item in items] == ["one"]


async def test_full_status_can_be_written(client: KubeClient) -> None:
    made = await _create(client, TRANSCRIPTION_JOBS)
    parts = [{"index": index, "state": "Queued", "seconds": 1.5} for index in range(1024)]
    stages = [{"name": "transcribe", "state": "Running", "parts": parts, "partsTotal": 1024}]
    body = {"metadata": {"uid": made["metadata"]["uid"]}, "status": {"stages": stages}}
    written = await client.patch(TRANSCRIPTION_JOBS, "one", body, namespace="default", sub="status")
    job = TranscriptionJob.model_validate(written)
    assert len(job.status.stages[0].parts) == 1024
    assert job.status.stages[0].parts[7].attempt == 0
