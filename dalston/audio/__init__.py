"""Audio in: probing and decoding whatever arrives, and the 16 kHz mono WAV that engines read."""

from dalston.audio.activity import ActivityMeter, LevelTrack, speech_spans
from dalston.audio.cuts import PartPlan, Span, plan_parts
from dalston.audio.decode import AudioDecoder, open_decoder
from dalston.audio.errors import (
    AudioError,
    AudioTooLong,
    AudioTooShort,
    EmptyAudio,
    NoAudioStream,
    TooManyChannels,
    UndecodableAudio,
)
from dalston.audio.pcm import SAMPLE_RATE, float_to_pcm, pcm_to_float
from dalston.audio.probe import Probe, probe
from dalston.audio.wav import (
    WAV_HEADER_BYTES,
    WavInfo,
    WavWriter,
    byte_range,
    read_wav,
    wav_header,
    wav_info,
    write_wav,
)

__all__ = [
    "SAMPLE_RATE",
    "WAV_HEADER_BYTES",
    "ActivityMeter",
    "AudioDecoder",
    "AudioError",
    "AudioTooLong",
    "AudioTooShort",
    "EmptyAudio",
    "LevelTrack",
    "NoAudioStream",
    "PartPlan",
    "Probe",
    "Span",
    "TooManyChannels",
    "UndecodableAudio",
    "WavInfo",
    "WavWriter",
    "byte_range",
    "float_to_pcm",
    "open_decoder",
    "pcm_to_float",
    "plan_parts",
    "probe",
    "read_wav",
    "speech_spans",
    "wav_header",
    "wav_info",
    "write_wav",
]
