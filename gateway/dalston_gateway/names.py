"""Names of jobs and uploads: 20 characters, valid for Kubernetes and for every dialect's ids."""

import hashlib
import re
import secrets
import string

_LETTERS = string.ascii_lowercase
_ALPHABET = string.ascii_lowercase + string.digits
_LENGTH = 20
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def new_name() -> str:
    """Give a fresh name: a letter, then letters and digits, 103 random bits."""
    rest = (secrets.choice(_ALPHABET) for _ in range(_LENGTH - 1))
    return secrets.choice(_LETTERS) + "".join(rest)


def job_name(*, idempotency_key: str | None, owner: str | None) -> str:
    """Give the name that this key of this owner always leads to; a fresh one without a key."""
    if not idempotency_key:
        return new_name()
    material = f"{owner or ''}\x00{idempotency_key}".encode()
    number = int.from_bytes(hashlib.sha256(material).digest())
    number, first = divmod(number, len(_LETTERS))
    characters = [_LETTERS[first]]
    for _ in range(_LENGTH - 1):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(characters)


def is_name(text: str) -> bool:
    """Tell whether the text can be the name of a job at all, one applied by hand included."""
    return _NAME.fullmatch(text) is not None
