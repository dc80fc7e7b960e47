"""Events under both their groups: stored as core/v1, served as events.k8s.io/v1 too."""

from __future__ import annotations

import dataclasses
from typing import Any

from dalston.localkube.registry import Kind, Strategy

JSON = dict[str, Any]

STORAGE_KEY = "events"

_NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_OLD_NAMES = {new: old for old, new in _NEW_NAMES.items()}


def _convert(event: JSON, api_version: str) -> JSON:
    """`event` in the form of `api_version`, a new dict."""
    names = _OLD_NAMES if api_version == "v1" else _NEW_NAMES
    converted = {names.get(name, name): value for name, value in event.items()}
    converted["apiVersion"] = api_version
    return converted


def _prepare(event: JSON) -> None:
    event.setdefault("type", "Normal")
    event.setdefault("involvedObject", {})


def joined(kind: Kind, selectable: dict[str, tuple[str, ...]]) -> Kind:
    """`kind` with the conversion and selectable fields that both groups share."""
    return dataclasses.replace(
        kind,
        selectable=selectable,
        convert=_convert,
        stored_as=STORAGE_KEY,
        strategy=Strategy(prepare=_prepare),
    )
