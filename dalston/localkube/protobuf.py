"""Protobuf request bodies of built-in kinds, as `kubectl create` sends them, turned into JSON objects.

Only reading: answers are JSON, which every client accepts.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from dalston.localkube import builtin_types, errors
from dalston.localkube.builtin_types import Field

JSON = dict[str, Any]
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def decode(body: bytes) -> JSON:
    """The object in `body`. Raises ApiError 400 or, for kinds that are not known, 415."""
    if not body.startswith(_MAGIC):
        raise errors.bad_request("the body is not in the Kubernetes protobuf envelope")
    try:
        envelope = dict(_raw_fields(body[len(_MAGIC) :]))
        type_meta = dict(_raw_fields(envelope.get(1, b"")))
        api_version = type_meta.get(1, b"").decode()
        kind = type_meta.get(2, b"").decode()
        message = builtin_types.group_version_message(api_version, kind)
        if message is None:
            raise errors.unsupported_media_type(["application/json", "application/yaml"])
        obj = _message(message, envelope.get(2, b""))
    except (IndexError, struct.error, UnicodeDecodeError, AttributeError, TypeError) as problem:
        raise errors.bad_request(f"the protobuf body is broken: {problem}") from None
    return {"kind": kind, "apiVersion": api_version, **obj}


def _raw_fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, int or bytes) of a message on the wire."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
        elif wire == _BYTES:
            size, position = _varint(data, position)
            if position + size > len(data):
                raise IndexError("truncated")
            yield number, data[position : position + size]
            position += size
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            yield number, data[position : position + size]
            position += size
        else:
            raise IndexError(f"unknown wire type {wire}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _message(name: str, data: bytes) -> JSON:
    by_number = {field.number: field for field in builtin_types.fields(name)}
    obj: JSON = {}
    for number, raw in _raw_fields(data):
        field = by_number.get(number)
        if field is None:
            continue
        if field.inline:
            obj.update(_message(field.type, raw))
        elif field.shape == "[]":
            obj.setdefault(field.name, []).append(_value(field.type, raw))
        elif field.shape == "{}":
            key, value = _entry(field, raw)
            obj.setdefault(field.name, {})[key] = value
        else:
            obj[field.name] = _value(field.type, raw)
    meant = {field.name for field in by_number.values() if field.zero}
    return {
        key: value
        for key, value in obj.items()
        if value != "" and (key in meant or not _empty(value))
    }


def _empty(value: Any) -> bool:
    """Go writes the zero values of all fields that are no pointers; JSON leaves them out."""
    return value is None or value == {} or value is False or value == 0


def _entry(field: Field, raw: bytes) -> tuple[str, Any]:
    parts = dict(_raw_fields(raw))
    return parts.get(1, b"").decode(), _value(field.type, parts.get(2, b""))


def _value(type_name: str, raw: Any) -> Any:
    if type_name == "string":
        return raw.decode()
    if type_name in ("int32", "int64"):
        return raw - (1 << 64) if raw >= 1 << 63 else raw
    if type_name == "bool":
        return bool(raw)
    if type_name == "bytes":
        return base64.b64encode(raw).decode()
    if type_name == "double":
        return struct.unpack("<d", raw)[0]
    if type_name in ("meta.Time", "meta.MicroTime"):
        return _time(raw, micro=type_name == "meta.MicroTime")
    if type_name == "Quantity":
        return dict(_raw_fields(raw)).get(1, b"").decode()
    if type_name == "IntOrString":
        parts = dict(_raw_fields(raw))
        return parts.get(3, b"").decode() if parts.get(1) else _value("int32", parts.get(2, 0))
    if type_name in ("RawExtension", "meta.FieldsV1", "meta.Duration"):
        return None
    return _message(type_name, raw)


def _time(raw: bytes, *, micro: bool) -> str | None:
    parts = dict(_raw_fields(raw))
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not seconds and not nanos:
        return None
    at = datetime.fromtimestamp(_value("int64", seconds), UTC).replace(microsecond=nanos // 1000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")
