"""POST /v1/speech-to-text, and the transcripts that it leaves."""

import logging
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from dalston.resources.transcription_job import TranscriptionJob
from dalston.resources.transcription_status import JobPhase
from dalston_gateway.auth import Reader, Transcriber
from dalston_gateway.caller import Caller
from dalston_gateway.elevenlabs.answers import answer
from dalston_gateway.elevenlabs.features import check_combination, check_supported, notes
from dalston_gateway.elevenlabs.form import SpeechToTextForm, read_form
from dalston_gateway.elevenlabs.translation import (
    DEFAULT_MODELS,
    annotations,
    answer_options,
    job_source,
    job_spec,
)
from dalston_gateway.jobs import NewJob, parse_transcript
from dalston_gateway.names import job_name
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.reference import form_body
from dalston_gateway.responses import JSON_TYPE, json_response
from dalston_gateway.services import Services, services_of
from dalston_gateway.uploads import Form
from dalston_gateway.waiting import Unfinished, wait_for_end

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/speech-to-text", tags=["ElevenLabs speech to text"])

_CLIENT_CLOSED_REQUEST = 499
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text}
    for status, text in {
        400: "`detail` object: what is wrong with the request or the recording.",
        401: "`detail` object: no valid API key.",
        422: "`detail` list: fields that break their types or bounds.",
    }.items()
}
_FORM_REFERENCE = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": form_body(SpeechToTextForm)},
    }
}


@router.post("", responses=_ERRORS, openapi_extra=_FORM_REFERENCE)
async def speech_to_text(
    request: Request,
    caller: Transcriber,
    enable_logging: Annotated[bool, Query(description="false: nothing is kept.")] = True,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """Transcribe a recording and answer with its transcript.

    A client that leaves while it waits cancels the job, as it was never told the id; with an
    idempotency key the job goes on, and the same request finds it.
    """
    services = services_of(request)
    async with services.receiver.form(request) as form:
        fields = read_form(form.fields)
        await services.engines.known(timeout=services.settings.api_patience_seconds)
        job = _new_job(
            services,
            caller,
            form,
            fields,
            logged=enable_logging,
            idempotency_key=idempotency_key,
            request_id=request.scope["request_id"],
        )
        with services.watch.follow(job.name) as follower:
            created = await services.jobs.create(job)
            if created.new:
                form.keep()
            if fields.webhook:
                return _accepted(request, job.name, "Request processed successfully")
            ended = await wait_for_end(
                services, request, name=job.name, caller=caller, follower=follower
            )
    if ended is Unfinished.CLIENT_LEFT:
        if not idempotency_key:
            logger.info("the client left: cancelling job %s", job.name)
            await services.jobs.cancel(job.name)
        return Response(status_code=_CLIENT_CLOSED_REQUEST)
    if isinstance(ended, Unfinished):
        return _accepted(
            request, job.name, "The transcription goes on; fetch it by its transcription_id"
        )
    try:
        return await _transcript(services, ended, kept=enable_logging)
    finally:
        if not enable_logging:
            await services.jobs.delete(job.name)


@router.get("/transcripts/{transcription_id}", responses={**_ERRORS, 404: {}})
async def get_transcript(request: Request, caller: Reader, transcription_id: str) -> Response:
    """Give a stored transcript as the request that made it was answered."""
    services = services_of(request)
    job = await services.jobs.get(transcription_id, caller)
    return await _transcript(services, job, kept=True)


@router.delete("/transcripts/{transcription_id}", responses={**_ERRORS, 404: {}})
async def delete_transcript(
    request: Request, caller: Transcriber, transcription_id: str
) -> Response:
    """Delete a transcript, its recording and its job."""
    services = services_of(request)
    job = await services.jobs.get(transcription_id, caller)
    await services.jobs.delete(job.metadata.name)
    return json_response({"status": "ok"})


def _new_job(
    services: Services,
    caller: Caller,
    form: Form,
    fields: SpeechToTextForm,
    *,
    logged: bool,
    idempotency_key: str | None,
    request_id: str,
) -> NewJob:
    """Translate the request; raises GatewayProblem for what cannot be done."""
    check_combination(fields, logged=logged)
    catalogue = services.engines
    check_supported(fields, stages=catalogue.stages())
    events = catalogue.detects_audio_events()
    choice = None
    if fields.model_id not in DEFAULT_MODELS:
        choice = catalogue.choose(fields.model_id, param="model")
    settings = services.settings
    spec = job_spec(
        fields,
        source=job_source(fields, form.upload),
        engine=choice,
        audio_events=events,
        ttl=settings.retention_seconds if logged else settings.unlogged_seconds,
    )
    catalogue.plan(spec)
    name = job_name(idempotency_key=idempotency_key, owner=caller.key_id)
    kept = annotations(fields, notes(fields, audio_events=events))
    return NewJob(
        name=name,
        spec=spec,
        caller=caller,
        dialect="elevenlabs",
        annotations=kept | {"dalston.io/request-id": request_id},
    )


def _accepted(request: Request, name: str, message: str) -> Response:
    return json_response(
        {
            "message": message,
            "request_id": request.scope["request_id"],
            "transcription_id": name,
        },
        status=202,
    )


async def _transcript(services: Services, job: TranscriptionJob, *, kept: bool) -> Response:
    """Answer with the job's transcript; parsing and writing a long one stays off the event loop."""
    if job.status.phase == JobPhase.CANCELLED and job.status.transcript is None:
        raise GatewayProblem(
            Fault.CANCELLED, "the transcription was cancelled", job=job.metadata.name
        )
    stored = await services.jobs.transcript(job)
    body = await anyio.to_thread.run_sync(_render, stored, job, kept)
    return Response(body, media_type=JSON_TYPE)


def _render(stored: bytes, job: TranscriptionJob, kept: bool) -> bytes:
    content = answer(
        parse_transcript(stored),
        options=answer_options(job),
        mode=job.spec.speakers.mode,
        language_given=job.spec.language is not None,
        id=job.metadata.name if kept else None,
        warnings=job.status.warnings,
    )
    return bytes(json_response(content).body)
