"""PREPARE: any recording in; 16 kHz mono WAV, a map of its silences and the parts to transcribe out."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from dalston.engine_sdk import (
    ActivityMeter,
    AudioDecoder,
    AudioTooLong,
    AudioTooShort,
    Engine,
    Part,
    PartPlan,
    PrepareResult,
    SourceFormat,
    SpeakerMode,
    Task,
    Track,
    WavWriter,
    open_decoder,
    plan_parts,
    speech_spans,
)

MIN_SECONDS = 0.1
"""Less audio than this holds no word."""

MAX_PARTS = 1024
"""Most parts of a job: its status lists each of them."""


@dataclass(frozen=True)
class Settings:
    """The engine's parameters; see engine.yaml."""

    part_seconds: float = 600.0
    max_seconds: float = 86_400.0
    max_channels: int = 5

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> "Settings":
        """Read the manifest's values; what is absent keeps its default."""
        return cls(
            part_seconds=float(parameters.get("partSeconds", cls.part_seconds)),
            max_seconds=float(parameters.get("maxSeconds", cls.max_seconds)),
            max_channels=int(parameters.get("maxChannels", cls.max_channels)),
        )


@dataclass(frozen=True)
class Recorder:
    """Writes one track and measures its level on the way."""

    writer: WavWriter
    meter: ActivityMeter = field(default_factory=ActivityMeter)


class AudioPrepare(Engine):
    """Decodes with ffmpeg's libraries; one pass, in constant memory."""

    def process(self, task: Task) -> PrepareResult:
        """Prepare the recording; raises an AudioError when it cannot be read or is out of bounds."""
        settings = Settings.from_parameters(self.context.parameters)
        assert task.source is not None, "PREPARE tasks have a source"
        split = task.request.options.speakers.mode is SpeakerMode.CHANNELS
        with open_decoder(
            task.source,
            split_channels=split,
            max_channels=settings.max_channels,
            raw_pcm=task.request.source.format is SourceFormat.PCM_S16LE_16,
        ) as decoder:
            recorders = _record(task, decoder, split=split, max_seconds=settings.max_seconds)
            return _result(decoder, recorders, split=split, settings=settings)


def _record(
    task: Task, decoder: AudioDecoder, *, split: bool, max_seconds: float
) -> list[Recorder]:
    """Decode all of the recording into one WAV file a track."""
    names = [f"channel-{n}.wav" for n in range(decoder.tracks)] if split else ["audio.wav"]
    with ExitStack() as stack:
        recorders = [Recorder(stack.enter_context(WavWriter(task.output(n)))) for n in names]
        for block in decoder.blocks():
            task.check_cancelled()
            for recorder, samples in zip(recorders, block, strict=True):
                recorder.writer.write(samples)
                recorder.meter.feed(samples)
            done = recorders[0].writer.seconds
            if done > max_seconds:
                raise AudioTooLong(
                    f"The recording is longer than {max_seconds / 3600:g} hours. Send it in pieces."
                )
            task.progress(done, max(done, decoder.probe.duration or 0.0))
    if done < MIN_SECONDS:
        raise AudioTooShort(
            f"The recording has {done * 1000:.0f} ms of audio. Send at least "
            f"{MIN_SECONDS * 1000:.0f} ms."
        )
    return recorders


def _result(
    decoder: AudioDecoder, recorders: list[Recorder], *, split: bool, settings: Settings
) -> PrepareResult:
    tracks: list[Track] = []
    plans: list[PartPlan] = []
    for index, recorder in enumerate(recorders):
        levels = recorder.meter.finish()
        speech = speech_spans(levels)
        plans.append(
            plan_parts(
                levels,
                speech,
                part_seconds=settings.part_seconds,
                max_parts=MAX_PARTS // len(recorders),
            )
        )
        tracks.append(
            Track(
                index=index,
                channel=index if split else None,
                audio=recorder.writer.path.name,
                duration=levels.duration,
                speech=speech,
            )
        )
    return PrepareResult(
        duration=tracks[0].duration,
        channels=decoder.probe.channels,
        sample_rate=decoder.probe.sample_rate,
        container=decoder.probe.container,
        codec=decoder.probe.codec,
        tracks=tuple(tracks),
        parts=tuple(_parts(plans)),
        warnings=(*decoder.warnings(), *_forced_cuts(plans)),
    )


def _parts(plans: list[PartPlan]) -> Iterator[Part]:
    """Number the parts of all tracks."""
    spans = [(track, span) for track, plan in enumerate(plans) for span in plan.parts]
    for index, (track, (start, end)) in enumerate(spans):
        yield Part(index=index, track=track, start=start, end=end)


def _forced_cuts(plans: list[PartPlan]) -> Iterator[str]:
    cuts = sorted({cut for plan in plans for cut in plan.forced})
    if cuts:
        times = ", ".join(f"{cut:.1f}" for cut in cuts[:5]) + (", ..." if len(cuts) > 5 else "")
        yield f"No silence to divide the recording in: it is cut at {times} s, where it is quietest."
