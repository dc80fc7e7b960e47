"""Sets of field paths, as server-side apply records them in `metadata.managedFields`.

A path is a tuple of steps written as FieldsV1 writes them: `f:NAME` for a field, `k:{…}` for the element
of a keyed list, `v:…` for the element of a set. What a schema calls atomic is one path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

JSON = dict[str, Any]
Path = tuple[str, ...]

_SERVER_OWNED = frozenset(
    "name generateName namespace uid resourceVersion generation creationTimestamp selfLink "
    "deletionTimestamp deletionGracePeriodSeconds managedFields".split()
)
MISSING: Any = object()


def below(schema: JSON, name: str) -> JSON:
    """The schema of field `name`; empty (free form) where nothing is declared."""
    found = (schema.get("properties") or {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def is_atomic_map(schema: JSON) -> bool:
    return schema.get("x-kubernetes-map-type") == "atomic"


def list_type(schema: JSON) -> str:
    kind: str = schema.get("x-kubernetes-list-type") or "atomic"
    return kind


def element_step(element: Any, schema: JSON) -> str:
    """The step to an element of a keyed list or a set."""
    if list_type(schema) == "set":
        return "v:" + orjson.dumps(element).decode()
    items = (schema.get("items") or {}).get("properties") or {}
    keys = {}
    for key in sorted(schema.get("x-kubernetes-list-map-keys") or ()):
        value = element.get(key, items.get(key, {}).get("default", MISSING))
        if value is MISSING and key == "protocol":
            value = "TCP"  # The one key of a built-in list that has a default.
        if value is not MISSING:
            keys[key] = value
    return "k:" + orjson.dumps(keys).decode()


def collect(value: Any, schema: JSON) -> set[Path]:
    """The paths of everything that `value` sets."""
    return set(_walk(value, schema, ()))


def collect_object(obj: JSON, schema: JSON, *, subresource: str) -> set[Path]:
    """The paths of an object that a manager can own through the object or its status."""
    found: set[Path] = set()
    for name, value in obj.items():
        if name in ("apiVersion", "kind") or (name == "status") is not (subresource == "status"):
            continue
        if name == "metadata":
            value = {key: item for key, item in value.items() if key not in _SERVER_OWNED}
            if not value:
                continue
        found.update(_walk(value, below(schema, name), (f"f:{name}",)))
    return found


def _walk(value: Any, schema: JSON, path: Path) -> Iterator[Path]:
    if isinstance(value, dict) and value and not is_atomic_map(schema):
        for name, item in value.items():
            yield from _walk(item, below(schema, name), (*path, f"f:{name}"))
    elif isinstance(value, list) and value and list_type(schema) in ("map", "set"):
        items = schema.get("items") or {}
        for element in value:
            place = (*path, element_step(element, schema))
            yield place
            if isinstance(element, dict):
                yield from _walk(element, items, place)
    else:
        yield path


def read(value: Any, schema: JSON, path: Path) -> Any:
    """The value at `path`, MISSING when there is none."""
    for step in path:
        if step.startswith("f:"):
            name = step[2:]
            if not isinstance(value, dict) or name not in value:
                return MISSING
            value, schema = value[name], below(schema, name)
        else:
            if not isinstance(value, list):
                return MISSING
            found = [item for item in value if element_step(item, schema) == step]
            if not found:
                return MISSING
            value, schema = found[0], schema.get("items") or {}
    return value


def remove(value: Any, schema: JSON, path: Path) -> None:
    """Deletes what is at `path`, and the objects that become empty by it."""
    if not path:
        return
    step, rest = path[0], path[1:]
    if step.startswith("f:"):
        name = step[2:]
        if not isinstance(value, dict) or name not in value:
            return
        if rest:
            remove(value[name], below(schema, name), rest)
        if not rest or value[name] in ({}, []):
            del value[name]
        return
    if not isinstance(value, list):
        return
    for index, item in enumerate(value):
        if element_step(item, schema) == step:
            if rest:
                remove(item, schema.get("items") or {}, rest)
            else:
                del value[index]
            return


def encode(paths: Iterable[Path]) -> JSON:
    """FieldsV1 of a set of paths."""
    root: JSON = {}
    everything = set(paths)
    for path in sorted(everything):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        if path[-1][:2] in ("k:", "v:"):
            node["."] = {}
    return _plain(root)


def _plain(node: JSON) -> JSON:
    """Drops the "." of elements that have nothing below them."""
    if list(node) == ["."]:
        return {}
    return {key: _plain(child) for key, child in node.items()}


def decode(fields: JSON) -> set[Path]:
    """The set of paths that FieldsV1 stands for."""
    return set(_decode(fields, ()))


def _decode(node: JSON, path: Path) -> Iterator[Path]:
    for step, child in node.items():
        if step == ".":
            yield path
        elif not child:
            yield (*path, step)
        else:
            yield from _decode(child, (*path, step))


def show(path: Path) -> str:
    """A path as conflicts print it: `.spec.containers[name="a"].image`."""
    parts = []
    for step in path:
        if step.startswith("f:"):
            parts.append(f".{step[2:]}")
        elif step.startswith("k:"):
            keys = orjson.loads(step[2:])
            inner = ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in keys.items())
            parts.append(f"[{inner}]")
        else:
            parts.append(f"[={step[2:]}]")
    return "".join(parts)
