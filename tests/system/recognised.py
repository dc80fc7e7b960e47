"""Whether a transcript says what was said."""

import re


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.sub(r"[^\w\s']", " ", text.lower()).split()


def says(text: str, reference: str) -> bool:
    """Tells whether a text has the words of the reference, in order and nothing else."""
    return words_of(text) == words_of(reference)
