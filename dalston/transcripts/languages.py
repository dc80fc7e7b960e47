"""The language of a recording, decided by the parts that have speech."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageVote:
    """What one part says of the language; `seconds` of speech is its weight."""

    language: str | None
    probability: float | None
    seconds: float


def decide_language(votes: Sequence[LanguageVote]) -> tuple[str | None, float | None]:
    """Give the language with most seconds, weighted by probability, and how sure that is.

    Parts without speech count only when no part has any. The probability is that of the winner,
    averaged over all speech; None when no part that found the winner knew one.
    """
    known = [vote for vote in votes if vote.language is not None]
    spoken = [vote for vote in known if vote.seconds > 0]
    if not spoken:
        first = known[0] if known else None
        return (first.language, first.probability) if first else (None, None)
    weights: dict[str, float] = defaultdict(float)
    for vote in spoken:
        sure = 1.0 if vote.probability is None else vote.probability
        weights[vote.language or ""] += vote.seconds * sure
    winner = max(weights, key=lambda language: weights[language])
    judged = [vote for vote in spoken if vote.probability is not None]
    mine = [vote for vote in judged if vote.language == winner]
    if not mine:
        return winner, None
    total = sum(vote.seconds for vote in judged)
    certain = sum(vote.seconds * (vote.probability or 0.0) for vote in mine) / total
    return winner, min(1.0, max(0.0, certain))
