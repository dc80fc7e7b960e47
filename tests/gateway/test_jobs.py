"""Jobs when the API server fails."""

from typing import Any

import pytest
from dalston_gateway.caller import ANYBODY
from dalston_gateway.job_watch import Follower
from dalston_gateway.jobs import NewJob
from dalston_gateway.problems import Fault, GatewayProblem

from dalston.kube import ApiUnavailable, KubeClient
from dalston.resources import TranscriptionJobSpec
from dalston.resources.transcription_options import Source
from tests.deadlines import within
from tests.gateway.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/audio/transcriptions"


def new_job(name: str, artifact: str) -> NewJob:
    spec = TranscriptionJobSpec(source=Source(artifact=artifact))
    return NewJob(name=name, spec=spec, caller=ANYBODY, dialect="native")


async def test_create_whose_answer_was_lost_finds_its_own_job(
    gateway: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = KubeClient.create

    async def twice(self: KubeClient, *arguments: Any, **more: Any) -> Any:
        await real(self, *arguments, **more)
        return await real(self, *arguments, **more)

    monkeypatch.setattr(KubeClient, "create", twice)
    answer = await gateway.http.post(f"{PATH}?wait=true", files={"file": b"RIFF"})
    assert answer.json()["status"] == "succeeded"
    job = await gateway.only_job()
    assert await gateway.store.get(job.spec.source.artifact or "") == b"RIFF"


async def test_create_of_another_upload_under_the_same_name_is_not_new(gateway: Stack) -> None:
    first = await gateway.services.jobs.create(new_job("same-name", "uploads/a/source"))
    second = await gateway.services.jobs.create(new_job("same-name", "uploads/b/source"))
    assert (first.new, second.new) == (True, False)
    assert second.job.spec.source.artifact == "uploads/a/source"


async def test_requests_outlast_an_api_server_that_is_away_for_a_moment(
    gateway: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = KubeClient.create
    failures = iter([True, True, False])

    async def flaky(self: KubeClient, *arguments: Any, **more: Any) -> Any:
        if next(failures):
            raise ApiUnavailable("away")
        return await real(self, *arguments, **more)

    monkeypatch.setattr(KubeClient, "create", flaky)
    monkeypatch.setattr("dalston_gateway.jobs._PAUSE", 0.01)
    answer = await gateway.http.post(PATH, files={"file": b"RIFF"})
    assert answer.status_code == 202


async def test_requests_fail_when_the_api_server_stays_away(
    gateway: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise ApiUnavailable("away")

    monkeypatch.setattr(KubeClient, "get", away)
    monkeypatch.setattr(gateway.services.settings, "api_patience_seconds", 0.0)
    with pytest.raises(GatewayProblem) as caught:
        await gateway.services.jobs.get("a", ANYBODY)
    assert (caught.value.fault, caught.value.retry_after) == (Fault.UNAVAILABLE, 2)


async def test_waiting_survives_a_change_that_no_watch_has_told(
    gateway: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await gateway.services.jobs.create(new_job("silent", "uploads/a/source"))
    monkeypatch.setattr(gateway.services.watch, "view", lambda name: None)
    monkeypatch.setattr(gateway.services.settings, "recheck_seconds", 0.02)
    waiting = gateway.services.jobs.finished(created.job.metadata.name, ANYBODY, Follower())
    job = await within(5, waiting, what="the end")
    assert job.status.phase == "Succeeded"
