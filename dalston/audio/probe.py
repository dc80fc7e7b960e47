"""What a recording is, from its header alone.

Recordings come from strangers. ffmpeg would follow references in playlists (HLS, ffconcat, ...) to
other files and addresses; here it is given an open file and no protocol, so that it reads those
bytes and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer

from dalston.audio.errors import EmptyAudio, NoAudioStream, UndecodableAudio

_NO_PROTOCOLS = {"protocol_whitelist": "none"}


@dataclass(frozen=True, slots=True)
class Probe:
    """What a recording's header says of its first audio stream.

    `duration` is seconds, or None where the container does not say; `sample_rate` and `channels` are
    0 and `codec` is empty when there is no audio.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration: float | None
    has_audio: bool
    has_video: bool = False


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a recording with ffmpeg, which may read that file only.

    Raises EmptyAudio and UndecodableAudio; OSError when the file cannot be opened.
    """
    if path.stat().st_size == 0:
        raise EmptyAudio("The file is empty. Send a recording of at least 0.1 seconds.")
    with path.open("rb") as file:
        try:
            container = av.open(file, mode="r", options=_NO_PROTOCOLS, metadata_errors="replace")
        except (av.error.FFmpegError, ValueError) as error:
            raise UndecodableAudio(
                "The file is not audio or video in a format that can be read, or its beginning or "
                "index is missing. Send the whole file, or convert it to WAV, FLAC, MP3 or MP4."
            ) from error
        with container:
            yield container


def describe(container: InputContainer) -> Probe:
    """Give what the header of an open container says."""
    name = container_name(container)
    has_video = any(stream.type == "video" for stream in container.streams)
    if not container.streams.audio:
        return Probe(name, "", 0, 0, None, has_audio=False, has_video=has_video)
    stream = container.streams.audio[0]
    context = codec_context(stream)
    duration: float | None = None
    if stream.duration and stream.time_base:
        duration = float(stream.duration * stream.time_base)
    elif container.duration:
        duration = container.duration / av.time_base
    return Probe(
        container=name,
        codec=context.codec.canonical_name if context is not None else "",
        sample_rate=context.sample_rate if context is not None else 0,
        channels=context.layout.nb_channels if context is not None else 0,
        duration=duration if duration is not None and duration > 0 else None,
        has_audio=True,
        has_video=has_video,
    )


def codec_context(stream: AudioStream) -> AudioCodecContext | None:
    """Give the stream's decoder; None, whatever PyAV's annotation says, when ffmpeg has none."""
    context: AudioCodecContext | None = getattr(stream, "codec_context", None)
    return context


def container_name(container: InputContainer) -> str:
    """Give one usual word for a container's format: `wav`, `mp3`, `mp4`, `matroska`, ..."""
    first = container.format.name.split(",")[0]
    return "mp4" if first == "mov" else first


def probe(path: Path) -> Probe:
    """Tell what a recording is from its header, without decoding it.

    A picture or a video without sound has `has_audio` False. Raises EmptyAudio, and
    UndecodableAudio when it is neither audio nor video.
    """
    with open_container(path) as container:
        found = describe(container)
        if not found.has_audio and not found.has_video:
            raise not_a_recording()
        return found


def not_a_recording() -> UndecodableAudio:
    """Give the error for text and other files that ffmpeg can open but that are no recording."""
    return UndecodableAudio(
        "The file holds neither audio nor video. Send a recording, for example WAV, MP3 or MP4."
    )


def no_audio(found: Probe) -> NoAudioStream | UndecodableAudio:
    """Give the error for a file without an audio stream."""
    if not found.has_video:
        return not_a_recording()
    return NoAudioStream(
        f"The file ({found.container}) has pictures but no sound. Send a recording that has an "
        "audio track."
    )
