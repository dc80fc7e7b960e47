"""Merge patches, which turn what was written into what is wanted; overlays of pod templates."""

from copy import deepcopy
from typing import Any

from dalston_operator.patches import merge_patch, strategic_merge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dalston.localkube.patches import merge_patch as apply_patch

_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_SCALARS = st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "y"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(st.sampled_from("abcd"), _VALUES, max_size=4)


@_UNHURRIED
@given(old=_OBJECTS, new=_OBJECTS)
def test_patch_turns_the_old_into_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert apply_patch(deepcopy(old), merge_patch(old, new)) == new


@_UNHURRIED
@given(value=_OBJECTS)
def test_patch_of_nothing_is_empty(value: dict[str, Any]) -> None:
    assert merge_patch(value, value) == {}


def test_patch_holds_only_what_differs() -> None:
    old = {"same": 1, "changed": {"kept": 1, "gone": 2}, "gone": 3}
    new = {"same": 1, "changed": {"kept": 1, "new": [1]}}
    assert merge_patch(old, new) == {"changed": {"gone": None, "new": [1]}, "gone": None}


def test_lists_of_named_things_merge_by_name() -> None:
    base = {"containers": [{"name": "a", "image": "one"}, {"name": "b"}]}
    overlay = {"containers": [{"name": "a", "tty": True}, {"name": "c"}]}
    assert strategic_merge(base, overlay) == {
        "containers": [{"name": "a", "image": "one", "tty": True}, {"name": "b"}, {"name": "c"}]
    }


def test_other_lists_are_replaced() -> None:
    assert strategic_merge({"args": ["a", "b"]}, {"args": ["c"]}) == {"args": ["c"]}


def test_null_removes() -> None:
    assert strategic_merge({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}


def test_overlay_leaves_the_base_as_it_was() -> None:
    base = {"a": {"b": [{"name": "x"}]}}
    strategic_merge(base, {"a": {"b": None, "c": 1}})
    assert base == {"a": {"b": [{"name": "x"}]}}
