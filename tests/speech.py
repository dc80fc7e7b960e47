"""Speech that comes as packages: short clips with their texts.

Recorded: a public-domain address (`examples/jfk.flac`), LibriVox readings and card names (Debian's
`pocketsphinx-testdata`). Synthetic: 27 clips in nine languages (`pytest-audioeval`, neural voices)
and whatever `synthesise` speaks with espeak-ng.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av

from scripts.fetch_data import BUNDLES, cache_folder

CHECKOUT = Path(__file__).parents[1]
MADE = cache_folder() / "audio" / "made"
"""Where recordings that tests make are kept for the next run."""

_POCKETSPHINX = Path("/usr/share/pocketsphinx/test/data")
_JFK_TEXT = (
    "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country."
)
_BSD = "BSD-2-Clause (Debian pocketsphinx-testdata)"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One clip. `text` is what is said, `duration` is in seconds, `language` an ISO 639-1 code."""

    name: str
    path: Path
    text: str
    language: str
    duration: float
    speaker: str
    licence: str
    recorded: bool
    """A person's voice, not a synthetic one."""


def duration_of(path: Path) -> float:
    """Seconds that the container states."""
    with av.open(str(path)) as container:
        assert container.duration is not None, path
        return container.duration / 1e6


@cache
def samples() -> dict[str, Sample]:
    """All clips by name, in a fixed order: `jfk`, `librivox-*`, `cards-*`, `<language>-*`."""
    found = [jfk(), *_librivox(), *_cards(), *_audioeval()]
    return {sample.name: sample for sample in found}


def recorded_english() -> list[Sample]:
    """The clips of people speaking English."""
    return [each for each in samples().values() if each.recorded and each.language == "en"]


@cache
def jfk() -> Sample:
    """Eleven seconds of one speaker with pauses: the example of the documentation."""
    path = CHECKOUT / "examples" / "jfk.flac"
    return Sample(
        name="jfk",
        path=path,
        text=_JFK_TEXT,
        language="en",
        duration=duration_of(path),
        speaker="jfk",
        licence="public domain",
        recorded=True,
    )


def _transcription(folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    """The pairs of a Sphinx transcription file: `<s> text </s> (utterance)`."""
    listing = folder / name
    if not listing.is_file():
        raise FileNotFoundError(f"{listing}: install Debian's pocketsphinx-testdata (`make setup`)")
    for line in listing.read_text().splitlines():
        said, _, utterance = line.rpartition("(")
        text = said.replace("<s>", "").replace("</s>", "").strip()
        yield folder / f"{utterance.rstrip(')')}.wav", text


def _librivox() -> Iterator[Sample]:
    for path, text in _transcription(_POCKETSPHINX / "librivox", "transcription"):
        yield Sample(
            name=f"librivox-{path.stem[-4:]}",
            path=path,
            # As in the book; the transcription has a slip here.
            text=text.replace("a more a amiable", "a more amiable"),
            language="en",
            duration=duration_of(path),
            speaker="librivox",
            licence=f"recording: public domain (LibriVox); package: {_BSD}",
            recorded=True,
        )


def _cards() -> Iterator[Sample]:
    for path, text in _transcription(_POCKETSPHINX / "cards", "cards.transcription"):
        yield Sample(
            name=f"cards-{path.stem}",
            path=path,
            text=text,
            language="en",
            duration=duration_of(path),
            speaker="cards",
            licence=_BSD,
            recorded=True,
        )


def _audioeval() -> Iterator[Sample]:
    folder = cache_folder() / BUNDLES["speech"].folder
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: run `python scripts/fetch_data.py speech`")
    for path in sorted(folder.glob("*/*.wav")):
        language = path.parent.name
        yield Sample(
            name=f"{language}-{path.stem.replace('_', '-')}",
            path=path,
            text=path.with_suffix(".txt").read_text().strip(),
            language=language,
            duration=duration_of(path),
            speaker=f"audioeval-{language}",
            licence="MIT (pytest-audioeval)",
            recorded=False,
        )


def synthesise(text: str, *, voice: str = "en-us", words_per_minute: int = 150) -> Sample:
    """Speaks the text with espeak-ng (22.05 kHz mono wav); kept for the next call."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise FileNotFoundError("espeak-ng is not on PATH: `make setup` installs it")
    key = hashlib.sha256(f"{voice} {words_per_minute} {text}".encode()).hexdigest()[:16]
    path = MADE / f"espeak-{key}.wav"
    if not path.exists():
        MADE.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [program, "-v", voice, "-s", str(words_per_minute), "-w", str(fresh), "--", text],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        fresh.replace(path)
    return Sample(
        name=f"espeak-{key}",
        path=path,
        text=text,
        language=voice.partition("-")[0],
        duration=duration_of(path),
        speaker=f"espeak-{voice}",
        licence="synthesised with espeak-ng",
        recorded=False,
    )
