"""Strategic merge patch: lists merge by their keys, `$patch` and the other directives apply."""

from __future__ import annotations

from typing import Any

from dalston.localkube import errors

JSON = dict[str, Any]

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DROP = "$deleteFromPrimitiveList/"


def strategic_merge(target: JSON, patch: JSON, schema: JSON) -> JSON:
    """`target` changed as `patch` says; merge keys come from the OpenAPI `schema`."""
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise errors.bad_request(f"unknown $patch directive {directive!r}")
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(target, key, value, schema=_below(schema, key))
    for key, value in patch.items():
        if key.startswith(_DROP):
            name = key.removeprefix(_DROP)
            target[name] = [item for item in target.get(name) or () if item not in value]
        elif key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            if isinstance(target.get(name), list):
                merge_key = _below(schema, name).get("x-kubernetes-patch-merge-key")
                target[name] = _ordered(target[name], value, merge_key)
    if _RETAIN in patch:
        for name in target.keys() - set(patch[_RETAIN]):
            del target[name]
    return target


def _below(schema: JSON, key: str) -> JSON:
    found = (schema.get("properties") or {}).get(key) or schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def _merge_field(target: JSON, key: str, value: Any, *, schema: JSON) -> None:
    if value is None:
        target.pop(key, None)
    elif isinstance(value, dict):
        before = target.get(key)
        target[key] = strategic_merge(before if isinstance(before, dict) else {}, value, schema)
    elif isinstance(value, list) and schema.get("x-kubernetes-patch-strategy") == "merge":
        target[key] = _merge_list(target.get(key) or [], value, schema)
    else:
        target[key] = value


def _merge_list(target: list[Any], patch: list[Any], schema: JSON) -> list[Any]:
    merge_key = schema.get("x-kubernetes-patch-merge-key")
    if merge_key is None:
        return target + [item for item in patch if item not in target]
    if any(item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if _PATCH not in item]
    items = schema.get("items") or {}
    merged = list(target)
    for item in patch:
        if merge_key not in item:
            raise errors.bad_request(
                f"map: {item} does not contain declared merge key: {merge_key}"
            )
        places = [i for i, held in enumerate(merged) if held.get(merge_key) == item[merge_key]]
        if item.get(_PATCH) == "delete":
            merged = [held for held in merged if held.get(merge_key) != item[merge_key]]
        elif places:
            merged[places[0]] = strategic_merge(merged[places[0]], item, items)
        else:
            merged.append(strategic_merge({}, item, items))
    return merged


def _ordered(items: list[Any], order: list[Any], merge_key: str | None) -> list[Any]:
    """`items` with those that `order` names in its order; the others stay behind them."""
    if merge_key is None:
        ranks = {value: rank for rank, value in enumerate(order)}
        return sorted(items, key=lambda item: ranks.get(item, len(ranks)))
    ranks = {entry.get(merge_key): rank for rank, entry in enumerate(order)}
    return sorted(items, key=lambda item: ranks.get(item.get(merge_key), len(ranks)))
