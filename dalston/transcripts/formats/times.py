"""What the written formats share: clock times, names of speakers, the need for times."""

from dalston.transcripts.model import Transcript


class NoTimes(ValueError):
    """The format needs times and the transcript has none."""


def clock(seconds: float, *, mark: str = ".") -> str:
    """Write seconds as `00:00:00.000`."""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{mark}{milliseconds:03}"


def need_times(transcript: Transcript) -> None:
    """Raise NoTimes for a transcript whose segments have no times."""
    if any(segment.start is None or segment.end is None for segment in transcript.segments):
        raise NoTimes(
            "The transcript was made without times. Transcribe with timestamps `segment`, `word` or "
            "`character` to get subtitles."
        )


def speaker_names(transcript: Transcript) -> dict[str, str]:
    """Give the name to print for each speaker."""
    return {speaker.id: speaker.label or speaker.id for speaker in transcript.speakers}
