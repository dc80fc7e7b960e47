"""The native API: transcriptions as resources."""

import base64
import binascii
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from dalston.resources.transcription_job import TranscriptionJob
from dalston.resources.transcription_status import JobPhase
from dalston.transcripts.formats import NoTimes, TranscriptFormat, render
from dalston_gateway.auth import Reader, Transcriber
from dalston_gateway.caller import Caller
from dalston_gateway.jobs import NewJob, parse_transcript
from dalston_gateway.names import job_name
from dalston_gateway.native.fields import (
    NewTranscription,
    TranscriptionPatch,
    job_spec,
    read_fields,
    read_json,
)
from dalston_gateway.native.models import (
    Transcription,
    TranscriptionPage,
    TranscriptionState,
    show,
)
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.reference import form_body, inlined_schema
from dalston_gateway.responses import JSON_TYPE
from dalston_gateway.services import Services, services_of
from dalston_gateway.uploads import Form
from dalston_gateway.waiting import wait_for_end

PATH = "/v1/audio/transcriptions"

router = APIRouter(prefix=PATH, tags=["transcriptions"])

_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "No valid API key.", **_PROBLEM},
    404: {"description": "There is no such transcription.", **_PROBLEM},
    422: {"description": "What is wrong with the fields or the recording.", **_PROBLEM},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": form_body(NewTranscription),
            "application/json": {"schema": inlined_schema(NewTranscription)},
        },
    }
}
_PHASES: dict[TranscriptionState, frozenset[JobPhase | None]] = {
    state: frozenset({JobPhase(state.capitalize())}) for state in TranscriptionState
} | {TranscriptionState.PENDING: frozenset({JobPhase.PENDING, None})}

IdempotencyKey = Annotated[
    str | None,
    Header(max_length=255, description="Requests with the same key create one transcription."),
]


@router.post(
    "", status_code=202, response_model=Transcription, responses=_ERRORS, openapi_extra=_BODY
)
async def create(
    request: Request,
    caller: Transcriber,
    wait: Annotated[bool, Query(description="Answer when it has ended.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Transcribe a recording: 202 with the transcription that was created.

    With `wait=true`, 200 with the transcript once there is one; 202 when the time to wait is over. The
    job goes on when the client leaves. A repeated idempotency key gives the first request's job.
    """
    services = services_of(request)
    await services.engines.known(timeout=services.settings.api_patience_seconds)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == JSON_TYPE:
        body = await _bounded_body(request, services.settings.form_max_bytes)
        job = _new_job(services, caller, read_json(body), Form(), idempotency_key)
        return await _submit(request, services, job, Form(), wait=wait)
    async with services.receiver.form(request) as form:
        job = _new_job(services, caller, read_fields(form.fields), form, idempotency_key)
        return await _submit(request, services, job, form, wait=wait)


@router.get("", response_model=TranscriptionPage, responses=_ERRORS)
async def list_transcriptions(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    status: Annotated[list[TranscriptionState] | None, Query()] = None,
) -> Response:
    """List transcriptions, newest first, one page at a time; without their transcripts."""
    phases = frozenset().union(*(_PHASES[each] for each in status)) if status else None
    jobs, after = await services_of(request).jobs.newest(
        caller, limit=limit, before=_read_cursor(cursor), phases=phases
    )
    page = TranscriptionPage(
        items=[show(job) for job in jobs], next_cursor=_write_cursor(after) if after else None
    )
    return _answer(page)


@router.get("/{id}", response_model=Transcription, responses=_ERRORS)
async def get(
    request: Request,
    caller: Reader,
    id: str,
    transcript: Annotated[bool, Query(description="false: without the transcript.")] = True,
) -> Response:
    """Read a transcription: how far it is, and its transcript once there is one."""
    services = services_of(request)
    job = await services.jobs.get(id, caller)
    return await _shown(services, job, transcript=transcript)


@router.patch("/{id}", response_model=Transcription, responses=_ERRORS)
async def patch(
    request: Request, caller: Transcriber, id: str, change: TranscriptionPatch
) -> Response:
    """Change the priority, suspend or resume, or say how long it is kept."""
    services = services_of(request)
    await services.jobs.get(id, caller)
    spec = change.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for field in ("priority", "suspend"):
        if field in spec and spec[field] is None:
            raise GatewayProblem(Fault.INVALID_FIELD, f"{field} cannot be null", param=field)
    return _answer(show(await services.jobs.patch(id, {"spec": spec})))


@router.delete("/{id}", status_code=204, responses=_ERRORS)
async def delete(request: Request, caller: Transcriber, id: str) -> Response:
    """Delete a transcription with its recording and its transcript; work on it is stopped."""
    services = services_of(request)
    await services.jobs.get(id, caller)
    await services.jobs.delete(id)
    return Response(status_code=204)


@router.post("/{id}/cancel", status_code=202, response_model=Transcription, responses=_ERRORS)
async def cancel(request: Request, caller: Transcriber, id: str) -> Response:
    """Stop a transcription for good; one that has ended stays as it is."""
    services = services_of(request)
    job = await services.jobs.get(id, caller)
    if job.status.phase is None or not job.status.phase.finished:
        job = await services.jobs.cancel(id)
    return _answer(show(job), status=202)


@router.post("/{id}/retry", status_code=202, response_model=Transcription, responses=_ERRORS)
async def retry(request: Request, caller: Transcriber, id: str) -> Response:
    """Run the stages of a failed or cancelled transcription again that have no result."""
    services = services_of(request)
    job = await services.jobs.get(id, caller)
    if job.status.phase not in (JobPhase.FAILED, JobPhase.CANCELLED):
        state = (job.status.phase or JobPhase.PENDING).lower()
        raise GatewayProblem(
            Fault.CONFLICT,
            f"only what failed or was cancelled can be retried; it is {state}",
            job=id,
        )
    return _answer(show(await services.jobs.retry(job)), status=202)


@router.get("/{id}/export/{format}", responses={**_ERRORS, 200: {"content": {"text/plain": {}}}})
async def export(request: Request, caller: Reader, id: str, format: TranscriptFormat) -> Response:
    """Give the transcript as srt, vtt, txt, json or segmented_json."""
    services = services_of(request)
    job = await services.jobs.get(id, caller)
    stored = await services.jobs.transcript(job)
    try:
        rendered = await anyio.to_thread.run_sync(lambda: render(parse_transcript(stored), format))
    except NoTimes as error:
        raise GatewayProblem(Fault.CONFLICT, str(error), job=id) from error
    name = f"{id}.{rendered.extension}"
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return Response(rendered.text, media_type=rendered.content_type, headers=headers)


def _new_job(
    services: Services,
    caller: Caller,
    wanted: NewTranscription,
    form: Form,
    idempotency_key: str | None,
) -> NewJob:
    choice = services.engines.choose(wanted.engine, param="engine") if wanted.engine else None
    spec = job_spec(
        wanted,
        upload=form.upload,
        choice=choice,
        retention=services.settings.retention_seconds,
    )
    services.engines.plan(spec)
    name = job_name(idempotency_key=idempotency_key, owner=caller.key_id)
    return NewJob(name=name, spec=spec, caller=caller, dialect="native")


async def _submit(
    request: Request, services: Services, new: NewJob, form: Form, *, wait: bool
) -> Response:
    with services.watch.follow(new.name) as follower:
        created = await services.jobs.create(new)
        if created.new:
            form.keep()
        headers = {"Location": f"{PATH}/{new.name}"}
        if not wait:
            return _answer(show(created.job), status=202, headers=headers)
        ended = await wait_for_end(
            services, request, name=new.name, caller=new.caller, follower=follower
        )
    if isinstance(ended, TranscriptionJob):
        return await _shown(services, ended, transcript=True, headers=headers)
    job = await services.jobs.get(new.name, new.caller)
    return _answer(show(job), status=202, headers=headers)


async def _shown(
    services: Services,
    job: TranscriptionJob,
    *,
    transcript: bool,
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer with a job; a long transcript is parsed and written off the event loop."""
    shown = show(job)
    if not transcript or job.status.phase != JobPhase.SUCCEEDED:
        return _answer(shown, headers=headers)
    stored = await services.jobs.transcript(job)

    def write() -> str:
        full = shown.model_copy(update={"transcript": parse_transcript(stored)})
        return full.model_dump_json()

    body = await anyio.to_thread.run_sync(write)
    return Response(body, media_type=JSON_TYPE, headers=headers)


def _answer(
    shown: Transcription | TranscriptionPage,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return Response(
        shown.model_dump_json(), status_code=status, media_type=JSON_TYPE, headers=headers
    )


async def _bounded_body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise GatewayProblem(Fault.TOO_LARGE, f"the body is larger than {limit} bytes")
    return bytes(body)


def _write_cursor(point: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode("|".join(point).encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise GatewayProblem(
            Fault.INVALID_FIELD, "the cursor is not valid", param="cursor"
        ) from error
    created, bar, name = text.partition("|")
    if not bar:
        raise GatewayProblem(Fault.INVALID_FIELD, "the cursor is not valid", param="cursor")
    return created, name
