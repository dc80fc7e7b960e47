"""The fields of the built-in kinds, read from `builtin_types.json`.

One table serves schemas (pruning, OpenAPI), merge keys and protobuf bodies. An entry is
"NUMBER [[]|{}]TYPE FLAG…": the wire number, the type (list of, map to), and how lists merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from dalston.localkube.schema import NULL_IS_ABSENT, Check, Findings, Path, compile_schema

JSON = dict[str, Any]

_PACKAGES = {
    "": "core",
    "apps": "apps",
    "batch": "batch",
    "policy": "policy",
    "coordination.k8s.io": "coordination",
    "events.k8s.io": "events",
    "scheduling.k8s.io": "scheduling",
    "authentication.k8s.io": "authentication",
    "authorization.k8s.io": "authorization",
    "autoscaling": "autoscaling",
}
_SCALARS: dict[str, JSON] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "double": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "Quantity": {"type": "string", "format": "quantity"},
    "IntOrString": {"x-kubernetes-int-or-string": True, "format": "int-or-string"},
    "RawExtension": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "meta.FieldsV1": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "meta.Time": {"type": "string", "format": "date-time"},
    "meta.MicroTime": {"type": "string", "format": "date-time"},
    "meta.Duration": {"type": "string"},
}
_ATOMIC = frozenset(
    "meta.LabelSelector core.ObjectReference core.LocalObjectReference core.SecretKeySelector "
    "core.TypedLocalObjectReference core.ConfigMapKeySelector core.ObjectFieldSelector "
    "core.ResourceFieldSelector core.NodeSelector core.NodeSelectorTerm core.SecretReference "
    "meta.OwnerReference core.TopologySelectorTerm".split()
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. `shape`: "", "[]" (list) or "{}" (map from strings)."""

    name: str
    number: int
    shape: str
    type: str
    inline: bool = False
    merge: str | None = None
    list_keys: tuple[str, ...] = ()
    is_set: bool = False
    atomic: bool = False
    zero: bool = False
    """Whether a zero on the wire was meant (a pointer in Go) and is no mere default."""


@cache
def _table() -> dict[str, dict[str, str]]:
    raw = files("dalston.localkube").joinpath("builtin_types.json").read_bytes()
    table: dict[str, dict[str, str]] = orjson.loads(raw)
    return table


@cache
def fields(message: str) -> tuple[Field, ...]:
    """The fields of a message, empty for scalars and unknown messages."""
    if message in _SCALARS:
        return ()
    return tuple(_field(name, text) for name, text in _table().get(message, {}).items())


def _field(name: str, text: str) -> Field:
    number, type_name, *flags = text.split()
    options = dict(flag.split("=", 1) for flag in flags if "=" in flag)
    shape = type_name[:2] if type_name[:2] in ("[]", "{}") else ""
    return Field(
        name=name,
        number=int(number),
        shape=shape,
        type=type_name.removeprefix(shape),
        inline="inline" in flags,
        merge=options.get("merge", "" if "merge" in flags else None),
        list_keys=tuple(options["map"].split(",")) if "map" in options else (),
        is_set="set" in flags,
        atomic="atomic" in flags,
        zero="zero" in flags,
    )


def message_of(group: str, kind: str) -> str | None:
    """The message of a kind, None when the table does not have it."""
    message = f"{_PACKAGES.get(group, '?')}.{kind}"
    return message if message in _table() else None


def group_version_message(api_version: str, kind: str) -> str | None:
    """The message of an `apiVersion` and `kind`."""
    if kind == "DeleteOptions":
        return "meta.DeleteOptions"
    return message_of(api_version.rpartition("/")[0], kind)


def reference(message: str) -> str:
    """The component name of a message in OpenAPI documents."""
    package, _, name = message.partition(".")
    root = "io.k8s.apimachinery.pkg.apis" if package == "meta" else "io.k8s.api"
    return f"{root}.{package}.v1.{name}"


def is_scalar(type_name: str) -> bool:
    return type_name in _SCALARS


def visible_fields(message: str) -> list[Field]:
    """The fields as JSON has them: those of inlined messages stand in their place."""
    found: list[Field] = []
    for field in fields(message):
        found.extend(visible_fields(field.type) if field.inline else [field])
    return found


def schema_of(message: str, *, inner: Any) -> JSON:
    """The OpenAPI schema of a message; `inner(type)` gives the schema (or $ref) of nested ones."""
    properties = {field.name: _field_schema(field, inner) for field in visible_fields(message)}
    schema: JSON = {"type": "object", "properties": properties, NULL_IS_ABSENT: True}
    if message in _ATOMIC:
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def _field_schema(field: Field, inner: Any) -> JSON:
    element = dict(_SCALARS[field.type]) if is_scalar(field.type) else inner(field.type)
    if field.shape == "{}":
        schema: JSON = {"type": "object", "additionalProperties": element}
        if field.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        return schema
    if field.shape != "[]":
        return dict(element)
    schema = {"type": "array", "items": element}
    if field.list_keys:
        schema["x-kubernetes-list-type"] = "map"
        schema["x-kubernetes-list-map-keys"] = list(field.list_keys)
    else:
        schema["x-kubernetes-list-type"] = "set" if field.is_set else "atomic"
    if field.merge is not None:
        schema["x-kubernetes-patch-strategy"] = "merge"
        if field.merge:
            schema["x-kubernetes-patch-merge-key"] = field.merge
    return schema


@cache
def full_schema(message: str) -> JSON:
    """The schema of a message with all nested messages in place. Shared: never change it."""
    return schema_of(message, inner=full_schema)


@cache
def check_of(message: str) -> Check:
    """The compiled check of a message; nested messages are compiled when first met."""
    compiled: Check | None = None

    def check(value: Any, path: Path, found: Findings) -> Any:
        nonlocal compiled
        if compiled is None:
            compiled = compile_schema(full_schema(message))
        return compiled(value, path, found)

    return check
