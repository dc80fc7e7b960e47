"""From the form to a job's spec, and to what the answer needs to know later. Pure functions."""

import orjson
from pydantic import BaseModel, ConfigDict

from dalston.resources.transcription_job import EngineChoice, TranscriptionJob, TranscriptionJobSpec
from dalston.resources.transcription_options import (
    Detect,
    Redaction,
    Refine,
    Source,
    SourceFormat,
    SpeakerMode,
    Speakers,
    Timestamps,
)
from dalston_gateway.elevenlabs.features import needs_times
from dalston_gateway.elevenlabs.form import (
    ChannelStyle,
    FormatRequest,
    Granularity,
    SpeechToTextForm,
)
from dalston_gateway.languages import normalise
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.uploads import Upload

ANSWER_ANNOTATION = "dalston.io/elevenlabs-answer"
WEBHOOK_METADATA_ANNOTATION = "dalston.io/webhook-metadata"
WEBHOOK_ID_ANNOTATION = "dalston.io/webhook-id"

DEFAULT_MODELS = frozenset(
    {"scribe_v1", "scribe_v1_experimental", "scribe_v2", "scribe_v2_medical", "scribe_v3"}
)
"""Names that stand for the installation's own choice of engine and model."""

_TIMESTAMPS = {
    Granularity.NONE: Timestamps.NONE,
    Granularity.WORD: Timestamps.WORD,
    Granularity.CHARACTER: Timestamps.CHARACTER,
}


class AnswerOptions(BaseModel):
    """How a transcript is answered; kept with the job, so that fetching it later gives the same."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    granularity: Granularity = Granularity.WORD
    channel_style: ChannelStyle = ChannelStyle.SEPARATE
    formats: tuple[FormatRequest, ...] = ()
    warnings: tuple[str, ...] = ()


def job_spec(
    form: SpeechToTextForm,
    *,
    source: Source,
    engine: EngineChoice | None,
    audio_events: bool,
    ttl: int | None,
) -> TranscriptionJobSpec:
    """Give the spec; `audio_events` tells whether the installation can mark them."""
    return TranscriptionJobSpec(
        source=source,
        language=_language(form.language_code),
        timestamps=_timestamps(form),
        speakers=_speakers(form),
        vocabulary=list(form.keyterms),
        temperature=form.temperature,
        seed=form.seed,
        detect=_detect(form, audio_events=audio_events),
        refine=_refine(form),
        engines=[engine] if engine else [],
        ttl_seconds_after_finished=ttl,
    )


def job_source(form: SpeechToTextForm, upload: Upload | None) -> Source:
    """Give the source; raises GatewayProblem unless there is exactly one."""
    urls = [url for url in (form.source_url, form.cloud_storage_url) if url]
    if len(urls) + (upload is not None) != 1:
        which = "none was" if not urls and upload is None else "several were"
        raise GatewayProblem(
            Fault.MISSING_FIELD if which == "none was" else Fault.INVALID_FIELD,
            f"exactly one of file, source_url and cloud_storage_url must be given; {which}",
            param="file",
        )
    pcm = form.file_format == "pcm_s16le_16"
    format = SourceFormat.PCM_S16LE_16 if pcm else SourceFormat.AUTO
    if upload is not None:
        return Source(artifact=upload.key, file_name=upload.file_name, format=format)
    if not urls[0].lower().startswith(("https://", "http://")):
        raise GatewayProblem(
            Fault.SOURCE_URL, "the URL must begin with https:// or http://", param="url"
        )
    return Source(url=urls[0], format=format)


def annotations(form: SpeechToTextForm, warnings: list[str]) -> dict[str, str]:
    """Give what is kept with the job for its answers."""
    options = AnswerOptions(
        granularity=form.timestamps_granularity,
        channel_style=form.multichannel_output_style,
        formats=form.additional_formats,
        warnings=tuple(warnings),
    )
    kept = {ANSWER_ANNOTATION: options.model_dump_json(exclude_defaults=True)}
    if form.webhook_metadata is not None:
        kept[WEBHOOK_METADATA_ANNOTATION] = orjson.dumps(form.webhook_metadata).decode()
    if form.webhook_id is not None:
        kept[WEBHOOK_ID_ANNOTATION] = form.webhook_id
    return kept


def answer_options(job: TranscriptionJob) -> AnswerOptions:
    """Give the options of a job's answer; those of one that came by another API follow its spec."""
    kept = job.metadata.annotations.get(ANSWER_ANNOTATION)
    if kept is not None:
        return AnswerOptions.model_validate_json(kept)
    granularity = {
        Timestamps.NONE: Granularity.NONE,
        Timestamps.CHARACTER: Granularity.CHARACTER,
    }.get(job.spec.timestamps, Granularity.WORD)
    return AnswerOptions(granularity=granularity)


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


def _timestamps(form: SpeechToTextForm) -> Timestamps:
    wanted = _TIMESTAMPS[form.timestamps_granularity]
    if wanted != Timestamps.NONE:
        return wanted
    if form.diarize:
        return Timestamps.WORD
    return Timestamps.SEGMENT if needs_times(form) else Timestamps.NONE


def _speakers(form: SpeechToTextForm) -> Speakers:
    if form.use_multi_channel:
        return Speakers(mode=SpeakerMode.CHANNELS)
    if not form.diarize:
        return Speakers()
    return Speakers(
        mode=SpeakerMode.DIARIZE, max=form.num_speakers, threshold=form.diarization_threshold
    )


def _detect(form: SpeechToTextForm, *, audio_events: bool) -> Detect | None:
    # Unset stands for true at the live service; it never fails where nothing detects them.
    events = audio_events and form.tag_audio_events is not False
    redaction = None
    if form.entity_redaction:
        redaction = Redaction(entities=list(form.entity_redaction), mode=form.entity_redaction_mode)
    if not events and not form.entity_detection and redaction is None:
        return None
    return Detect(audio_events=events, entities=list(form.entity_detection), redaction=redaction)


def _refine(form: SpeechToTextForm) -> Refine | None:
    if not form.no_verbatim and form.transcript_edit is None:
        return None
    return Refine(no_verbatim=form.no_verbatim, instruction=form.transcript_edit)
