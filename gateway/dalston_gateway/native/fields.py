"""What POST /v1/audio/transcriptions takes: the fields of a TranscriptionJob's spec, flat where that helps.

The same fields come as a JSON body (with `url`) or as a form (with `file` or `url`). In a form, nested
fields are written with dots (`speakers.max=3`) or as JSON text, lists as repeated fields or JSON text.
There is no field `model`: that is how requests in OpenAI's dialect are told from native ones.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from dalston.resources.meta import KubeModel
from dalston.resources.transcription_job import (
    EngineChoice,
    Execution,
    Priority,
    TranscriptionJobSpec,
    WebhookTarget,
)
from dalston.resources.transcription_options import (
    Source,
    SourceFormat,
    Speakers,
    TranscriptionOptions,
)
from dalston_gateway.languages import normalise
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.responses import InvalidFields
from dalston_gateway.uploads import Upload

_LISTS = frozenset(
    {("vocabulary",), ("engines",), ("webhooks",), ("detect", "entities")}
    | {("detect", "redaction", "entities")}
)


def _mode_alone(value: Any) -> Any:
    """`speakers=diarize` is short for `speakers.mode=diarize`."""
    return {"mode": value} if isinstance(value, str) else value


class NewTranscription(TranscriptionOptions):
    """A recording to transcribe and how; give `url`, or a form with `file`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={})

    url: str | None = Field(
        default=None,
        max_length=4096,
        pattern=r"^https?://",
        description="Address that the recording is fetched from.",
    )
    format: SourceFormat = Field(
        default=SourceFormat.AUTO, description="pcm_s16le_16 for raw samples."
    )
    speakers: Annotated[Speakers, BeforeValidator(_mode_alone)] = Field(
        default_factory=Speakers, description="How speakers are told apart; a mode, or an object."
    )
    engine: str | None = Field(
        default=None,
        max_length=320,
        description="Engine, model, or engine/model that transcribes; chosen when absent.",
    )
    engines: list[EngineChoice] = Field(
        default_factory=list, max_length=7, description="Engine and model for single stages."
    )
    priority: Priority = Field(default=Priority.NORMAL, description="high, normal, low.")
    execution: Execution = Field(default_factory=Execution, description="Who does the work.")
    suspend: bool = Field(default=False, description="Do not start yet.")
    active_deadline_seconds: int | None = Field(default=None, ge=1, le=604800)
    ttl_seconds_after_finished: int | None = Field(default=None, ge=0, le=31536000)
    webhooks: list[WebhookTarget] = Field(default_factory=list, max_length=8)


class TranscriptionPatch(KubeModel):
    """What can still be changed of a job."""

    model_config = ConfigDict(extra="forbid")

    priority: Priority | None = Field(default=None, description="high, normal, low.")
    suspend: bool | None = Field(default=None, description="Publish no further tasks.")
    ttl_seconds_after_finished: int | None = Field(
        default=None, ge=0, le=31536000, description="null: kept for ever."
    )


def read_json(body: bytes) -> NewTranscription:
    """Read a JSON body; raises InvalidFields or GatewayProblem."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise GatewayProblem(Fault.MALFORMED_BODY, f"the body is no JSON: {error}") from error
    return _validated(given)


def read_fields(fields: Mapping[str, Sequence[str]]) -> NewTranscription:
    """Read a form's fields; raises InvalidFields or GatewayProblem."""
    given: dict[str, Any] = {}
    for name, values in fields.items():
        path = tuple(name.split("."))
        value = _value(path, values)
        if value is not None and value != "":
            _place(given, path, value)
    return _validated(given)


def job_spec(
    wanted: NewTranscription,
    *,
    upload: Upload | None,
    choice: EngineChoice | None,
    retention: int | None,
) -> TranscriptionJobSpec:
    """Give the job's spec; raises GatewayProblem unless there is exactly one source."""
    if (wanted.url is None) == (upload is None):
        which = "none was" if upload is None else "both were"
        raise GatewayProblem(
            Fault.MISSING_FIELD if upload is None else Fault.INVALID_FIELD,
            f"exactly one of file and url must be given; {which}",
            param="file",
        )
    if upload is not None:
        source = Source(artifact=upload.key, file_name=upload.file_name, format=wanted.format)
    else:
        source = Source(url=wanted.url, format=wanted.format)
    engines = list(wanted.engines)
    if choice is not None:
        if any(each.stage == choice.stage for each in engines):
            raise GatewayProblem(
                Fault.INVALID_FIELD,
                "engine and engines both choose for the stage transcribe",
                param="engine",
            )
        engines.append(choice)
    values = {name: getattr(wanted, name) for name in TranscriptionOptions.model_fields}
    values["language"] = _language(wanted.language)
    return TranscriptionJobSpec(
        **values,
        source=source,
        engines=engines,
        priority=wanted.priority,
        execution=wanted.execution,
        suspend=wanted.suspend,
        active_deadline_seconds=wanted.active_deadline_seconds,
        ttl_seconds_after_finished=(
            wanted.ttl_seconds_after_finished
            if "ttl_seconds_after_finished" in wanted.model_fields_set
            else retention
        ),
        webhooks=wanted.webhooks,
    )


def _language(code: str | None) -> str | None:
    if code is None:
        return None
    language = normalise(code)
    if language is None:
        raise GatewayProblem(
            Fault.UNKNOWN_LANGUAGE,
            f"{code!r} is no ISO 639-1 or ISO 639-3 language code",
            param="language",
        )
    return language


def _validated(given: Any) -> NewTranscription:
    try:
        return NewTranscription.model_validate(given)
    except ValidationError as error:
        raise InvalidFields.of(error) from error


def _value(path: tuple[str, ...], values: Sequence[str]) -> Any:
    if path in _LISTS:
        return [each for value in values if value for each in _listed(value)]
    last = values[-1]
    return _parsed(last) if last[:1] in "{[" else last


def _listed(value: str) -> list[Any]:
    parsed = _parsed(value) if value[0] in "{[" else value
    return parsed if isinstance(parsed, list) else [parsed]


def _parsed(value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _place(given: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        inner = given.setdefault(step, {})
        if isinstance(inner, str):
            inner = given[step] = {"mode": inner}
        if not isinstance(inner, dict):
            name = ".".join(path)
            raise GatewayProblem(Fault.INVALID_FIELD, f"{name} does not go with {step}", param=name)
        given = inner
    given[path[-1]] = value
