"""How a Deployment's ReplicaSets grow and shrink during a rollout: decisions without I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SetFacts:
    """One ReplicaSet of a Deployment: pods wanted, pods there, pods available."""

    name: str
    wanted: int
    replicas: int = 0
    ready: int = 0
    available: int = 0
    created_at: float = 0.0
    pods: int = 0
    """Pods that have not ended, those on their way out too."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many pods more, or fewer available ones, than `replicas` a rollout may have."""

    surge: int
    unavailable: int


def limits_of(strategy: JSON, replicas: int) -> Limits:
    """Read maxSurge (rounded up) and maxUnavailable (down); both 0 would never get on."""
    if strategy.get("type") == "Recreate":
        return Limits(0, replicas)
    rolling = strategy.get("rollingUpdate") or {}
    surge = math.ceil(_share(rolling.get("maxSurge", "25%"), replicas))
    unavailable = math.floor(_share(rolling.get("maxUnavailable", "25%"), replicas))
    return Limits(surge, 1 if surge == 0 and unavailable == 0 else min(unavailable, replicas))


def _share(value: int | str, total: int) -> float:
    text = str(value)
    return total * int(text[:-1]) / 100 if text.endswith("%") else float(int(text))


def next_sizes(
    desired: int, new: SetFacts, olds: Sequence[SetFacts], *, limits: Limits, recreate: bool = False
) -> dict[str, int]:
    """The sizes to set now, by ReplicaSet name; those that stay are left out."""
    if recreate:
        if any(old.wanted or old.pods for old in olds):
            return {old.name: 0 for old in olds if old.wanted}
        return {} if new.wanted == desired else {new.name: desired}
    grown = _new_size(desired, new, olds, limits=limits)
    if grown != new.wanted:
        return {new.name: grown}
    return _shrink(desired, new, olds, limits=limits)


def _new_size(desired: int, new: SetFacts, olds: Sequence[SetFacts], *, limits: Limits) -> int:
    if new.wanted >= desired:
        return desired
    total = new.wanted + sum(old.wanted for old in olds)
    room = max(0, desired + limits.surge - total)
    return min(desired, new.wanted + room)


def _shrink(
    desired: int, new: SetFacts, olds: Sequence[SetFacts], *, limits: Limits
) -> dict[str, int]:
    """Old sets: first pods that are not available, then as many as availability allows."""
    least = desired - limits.unavailable
    total = new.wanted + sum(old.wanted for old in olds)
    budget = total - least - (new.wanted - new.available)
    if budget <= 0:
        return {}
    left, sizes = [], {}
    for old in sorted(olds, key=lambda entry: entry.created_at):
        unhealthy = min(budget, old.wanted - old.available) if old.wanted > old.available else 0
        budget -= unhealthy
        if unhealthy:
            sizes[old.name] = old.wanted - unhealthy
        left.append(replace(old, wanted=old.wanted - unhealthy))
    spare = new.available + sum(old.available for old in left) - least
    for old in left:
        cut = min(old.wanted, max(0, spare))
        spare -= cut
        if cut:
            sizes[old.name] = old.wanted - cut
    return sizes
