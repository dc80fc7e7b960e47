"""File names as clients send them: shown to people, never used as a path."""

import re
import unicodedata

LONGEST = 255
_UNWANTED = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def clean(name: bytes | None) -> str | None:
    """Give the last path part as printable text of at most 255 characters; None when nothing is left."""
    if not name:
        return None
    text = unicodedata.normalize("NFC", name.decode(errors="replace"))
    last = re.split(r"[/\\]", text)[-1]
    printable = _UNWANTED.sub("", last).strip()
    if printable in ("", ".", ".."):
        return None
    if len(printable) <= LONGEST:
        return printable
    stem, dot, extension = printable.rpartition(".")
    if dot and len(extension) <= 16:
        return stem[: LONGEST - len(extension) - 1] + dot + extension
    return printable[:LONGEST]
