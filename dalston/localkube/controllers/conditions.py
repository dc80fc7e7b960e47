"""Conditions of built-in kinds: lists of {type, status, reason, message, lastTransitionTime}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dalston.localkube.controllers.times import stamp

JSON = dict[str, Any]


def find(conditions: Sequence[JSON] | None, type: str) -> JSON | None:
    """The condition of that type."""
    return next((entry for entry in conditions or () if entry["type"] == type), None)


def is_true(conditions: Sequence[JSON] | None, type: str) -> bool:
    """Whether the condition of that type holds."""
    found = find(conditions, type)
    return found is not None and found["status"] == "True"


def with_condition(
    conditions: Sequence[JSON] | None,
    type: str,
    *,
    status: bool,
    reason: str = "",
    message: str = "",
    now: float,
) -> list[JSON]:
    """The list with that condition set; its time changes only with its status."""
    old = find(conditions, type)
    text = "True" if status else "False"
    changed = old is None or old["status"] != text
    new: JSON = {
        "type": type,
        "status": text,
        "lastTransitionTime": stamp(now) if changed or old is None else old["lastTransitionTime"],
    }
    if reason:
        new["reason"] = reason
    if message:
        new["message"] = message
    if old is None:
        return [*(conditions or ()), new]
    kept = {name: value for name, value in old.items() if name not in ("reason", "message")}
    return [{**kept, **new} if entry is old else entry for entry in conditions or ()]


def merge_patch(old: JSON, new: JSON) -> JSON:
    """The JSON merge patch that makes `new` of `old`, one level deep; empty when they are equal."""
    patch: JSON = {name: value for name, value in new.items() if old.get(name) != value}
    patch.update({name: None for name in old if name not in new and old[name] is not None})
    return patch
