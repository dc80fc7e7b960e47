"""The decisions of a rollout, without a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalston.localkube.controllers.pods import PodFacts
from dalston.localkube.controllers.replicasets import victims
from dalston.localkube.controllers.rollout import Limits, SetFacts, limits_of, next_sizes


@pytest.mark.parametrize(
    ("rolling", "replicas", "expected"),
    [
        ({}, 4, Limits(1, 1)),
        ({}, 1, Limits(1, 0)),
        ({"maxSurge": 0, "maxUnavailable": 0}, 3, Limits(0, 1)),
        ({"maxSurge": "50%", "maxUnavailable": "50%"}, 3, Limits(2, 1)),
        ({"maxSurge": 2, "maxUnavailable": 5}, 3, Limits(2, 3)),
    ],
)
def test_limits_round_surge_up_and_unavailable_down(
    rolling: dict[str, Any], replicas: int, expected: Limits
) -> None:
    assert limits_of({"type": "RollingUpdate", "rollingUpdate": rolling}, replicas) == expected


def test_rollout_grows_the_new_set_by_the_surge_first() -> None:
    new, old = SetFacts("new", 0), SetFacts("old", 4, 4, 4, 4)
    assert next_sizes(4, new, [old], limits=Limits(1, 0)) == {"new": 1}


def test_rollout_waits_for_new_pods_before_it_shrinks_the_old_set() -> None:
    new, old = SetFacts("new", 1, 1, 0, 0), SetFacts("old", 4, 4, 4, 4)
    assert next_sizes(4, new, [old], limits=Limits(1, 0)) == {}


def test_rollout_removes_unhealthy_old_pods_first() -> None:
    new, old = SetFacts("new", 1, 1, 1, 1), SetFacts("old", 4, 4, 2, 2)
    assert next_sizes(4, new, [old], limits=Limits(1, 0)) == {"old": 3}


@given(
    desired=st.integers(1, 8),
    surge=st.integers(0, 3),
    unavailable=st.integers(0, 3),
    before=st.integers(0, 8),
)
def test_rollout_always_ends_within_its_limits(
    desired: int, surge: int, unavailable: int, before: int
) -> None:
    limits = Limits(surge, unavailable if surge or unavailable else 1)
    new, old = SetFacts("new", 0), SetFacts("old", before, before, before, before)
    for _ in range(4 * (desired + before) + 4):
        sizes = next_sizes(desired, new, [old], limits=limits)
        if not sizes and new.available == new.wanted:
            break
        size = sizes.get("new", new.wanted)
        # New pods come up before the next step.
        new = SetFacts("new", size, size, size, size)
        left = sizes.get("old", old.wanted)
        old = SetFacts("old", left, left, left, left)
        assert new.wanted + old.wanted <= max(desired + limits.surge, before)
        assert new.available + old.available >= min(before, desired - limits.unavailable)
    assert (new.wanted, old.wanted) == (desired, 0)


def test_victims_are_pending_then_cheap_then_young_pods() -> None:
    old = PodFacts("old", "1", created_at=1, phase="Running", bound=True, ready=True)
    pods = [
        old,
        replace(old, name="cheap", deletion_cost=-1),
        replace(old, name="young", created_at=9),
        PodFacts("pending", "4", bound=True),
    ]
    assert [pod.name for pod in victims(pods, 3)] == ["pending", "cheap", "young"]
