"""What can be wrong with a recording: each error says what it is and what to do about it.

All of these are the input's fault: the same recording fails again, so nothing is retried.
"""

from typing import ClassVar


class AudioError(Exception):
    """Something is wrong with a recording; `code` is one word of a closed set, for programs."""

    code: ClassVar[str] = "UndecodableAudio"


class EmptyAudio(AudioError):
    """The file has no bytes."""

    code = "EmptyAudio"


class UndecodableAudio(AudioError):
    """The bytes are no audio or video, or are too damaged to be read."""

    code = "UndecodableAudio"


class NoAudioStream(AudioError):
    """The file is a picture, a subtitle or a video without sound."""

    code = "NoAudioStream"


class AudioTooShort(AudioError):
    """There is less audio than a word takes."""

    code = "AudioTooShort"


class AudioTooLong(AudioError):
    """There is more audio than is accepted."""

    code = "AudioTooLong"


class TooManyChannels(AudioError):
    """There are more channels than are transcribed one by one."""

    code = "TooManyChannels"
