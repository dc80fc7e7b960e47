"""The one sample format inside Dalston: 16 kHz, mono, signed 16-bit little-endian."""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples a second."""

SAMPLE_BYTES = 2

PCM_DTYPE = np.dtype("<i2")

_FULL_SCALE = 32768.0


def pcm_to_float(pcm: bytes | bytearray | memoryview | NDArray[np.int16]) -> NDArray[np.float32]:
    """Give samples in [-1, 1) for 16-bit PCM; an odd last byte is left out."""
    if isinstance(pcm, np.ndarray):
        samples = pcm
    else:
        samples = np.frombuffer(pcm, dtype=PCM_DTYPE, count=len(pcm) // SAMPLE_BYTES)
    return np.multiply(samples, 1.0 / _FULL_SCALE, dtype=np.float32)


def float_to_pcm(samples: NDArray[np.floating | np.int16]) -> NDArray[np.int16]:
    """Give 16-bit PCM for samples in [-1, 1]; what is louder is clipped."""
    scaled = np.rint(np.asarray(samples, dtype=np.float32) * _FULL_SCALE)
    pcm: NDArray[np.int16] = np.clip(scaled, -32768, 32767).astype(PCM_DTYPE)
    return pcm
