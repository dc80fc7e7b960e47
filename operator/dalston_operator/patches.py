"""JSON merge patches (RFC 7386) and the strategic merge of pod templates."""

from typing import Any

_MERGED_BY = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
}
"""Lists of a pod template whose items are merged by a key; all others are replaced."""


def merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Give the patch that turns `old` into `new`; empty when they are equal."""
    patch: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())
    for name, value in new.items():
        before = old.get(name)
        if before == value and name in old:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            patch[name] = merge_patch(before, value)
        else:
            patch[name] = value
    return patch


def strategic_merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Lay an overlay over a pod template: objects merge, named lists merge by name, null removes."""
    merged = dict(base)
    for name, value in overlay.items():
        before = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(before, dict) and isinstance(value, dict):
            merged[name] = strategic_merge(before, value)
        elif isinstance(before, list) and isinstance(value, list) and name in _MERGED_BY:
            merged[name] = _merge_lists(before, value, _MERGED_BY[name])
        else:
            merged[name] = value
    return merged


def _merge_lists(
    base: list[dict[str, Any]], overlay: list[dict[str, Any]], key: str
) -> list[dict[str, Any]]:
    items = {item.get(key): item for item in base}
    for item in overlay:
        before = items.get(item.get(key))
        items[item.get(key)] = strategic_merge(before, item) if before else item
    return list(items.values())
