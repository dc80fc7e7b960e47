"""Which options contradict each other, and which have no effect here. Pure functions.

What would change the meaning of the answer is refused; what only fine-tunes it is done without, and
said so in `warnings`.
"""

from collections.abc import Collection

from dalston.resources.stages import Stage
from dalston_gateway.elevenlabs.form import ChannelStyle, Granularity, SpeechToTextForm
from dalston_gateway.problems import Fault, GatewayProblem

_DOCUMENTS = frozenset({"docx", "html", "pdf"})
_TIMED = frozenset({"srt"})


def check_combination(form: SpeechToTextForm, *, logged: bool) -> None:
    """Raise GatewayProblem for options that do not go together (contract, section 3.2)."""
    for broken, param, message in (
        (form.diarize and form.use_multi_channel, "diarize", "not with use_multi_channel"),
        (
            form.diarization_threshold is not None and not form.diarize,
            "diarization_threshold",
            "only with diarize=true",
        ),
        (
            form.diarization_threshold is not None and form.num_speakers is not None,
            "diarization_threshold",
            "not with num_speakers",
        ),
        (
            form.detect_speaker_roles and not form.diarize,
            "detect_speaker_roles",
            "only with diarize=true",
        ),
        (
            _combined(form) and form.timestamps_granularity == Granularity.NONE,
            "multichannel_output_style",
            "combined needs timestamps",
        ),
        (
            _combined(form) and bool(form.entity_detection or form.entity_redaction),
            "multichannel_output_style",
            "combined not with entity_detection or entity_redaction",
        ),
        (
            form.transcript_edit is not None
            and bool(form.entity_detection or form.entity_redaction or form.use_multi_channel),
            "transcript_edit",
            "not with entity_detection, entity_redaction or use_multi_channel",
        ),
        (form.webhook_id is not None and not form.webhook, "webhook_id", "only with webhook=true"),
        (
            form.webhook and not logged,
            "webhook",
            "not with enable_logging=false: the transcript could never be fetched",
        ),
    ):
        if broken:
            raise GatewayProblem(Fault.INVALID_FIELD, f"{param}: {message}", param=param)


def check_supported(form: SpeechToTextForm, *, stages: Collection[Stage]) -> None:
    """Raise GatewayProblem for what Dalston does not do, or no engine here; `stages` are those offered."""
    for item in form.additional_formats:
        if item.format in _DOCUMENTS:
            raise GatewayProblem(
                Fault.UNSUPPORTED,
                f"additional_formats: {item.format} is not offered; srt, txt and segmented_json are",
                param="additional_formats",
            )
    if form.detect_speaker_roles:
        raise GatewayProblem(
            Fault.UNSUPPORTED,
            "detect_speaker_roles: no engine tells agent and customer apart",
            param="detect_speaker_roles",
        )
    for wanted, param, stage in (
        (form.diarize, "diarize", Stage.DIARIZE),
        (bool(form.entity_detection), "entity_detection", Stage.DETECT),
        (bool(form.entity_redaction), "entity_redaction", Stage.DETECT),
        (form.no_verbatim, "no_verbatim", Stage.REFINE),
        (form.transcript_edit is not None, "transcript_edit", Stage.REFINE),
    ):
        if wanted and stage not in stages:
            raise GatewayProblem(
                Fault.UNSUPPORTED,
                f"{param}: this installation has no engine for it; an Engine with stage {stage} "
                "would do it",
                param=param,
            )


def notes(form: SpeechToTextForm, *, audio_events: bool) -> list[str]:
    """Say what was asked for and has no effect; `audio_events` tells whether they are detected."""
    pairs = (
        (
            form.tag_audio_events is True and not audio_events,
            "tag_audio_events: no engine of this installation detects audio events",
        ),
        (
            form.num_speakers is not None and not form.diarize,
            "num_speakers has no effect without diarize",
        ),
        (form.use_speaker_library, "use_speaker_library: there is no speaker library"),
        (form.numbers_format is not None, "numbers_format: numbers stay as the model writes them"),
        (
            bool(form.secondary_language_codes),
            "secondary_language_codes: one language is used for the whole recording",
        ),
        (
            form.webhook,
            "webhook: no webhook is configured; fetch the transcript by its transcription_id",
        ),
        (
            form.model_id == "scribe_v2_medical",
            "model_id: there is no medical model; the default model is used",
        ),
        (
            form.multichannel_output_style == ChannelStyle.COMBINED and not form.use_multi_channel,
            "multichannel_output_style has no effect without use_multi_channel",
        ),
    )
    return [text for applies, text in pairs if applies]


def needs_times(form: SpeechToTextForm) -> bool:
    """Tell whether a format needs times that the words of the answer do not show."""
    return any(
        item.format in _TIMED or item.include_timestamps is not False
        for item in form.additional_formats
    )


def _combined(form: SpeechToTextForm) -> bool:
    return form.use_multi_channel and form.multichannel_output_style == ChannelStyle.COMBINED
