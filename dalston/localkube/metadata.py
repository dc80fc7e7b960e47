"""The part of every object that the server owns: names, uids, generations, finalizers, labels."""

from __future__ import annotations

import re
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

from dalston.localkube import errors
from dalston.localkube.errors import FieldError
from dalston.localkube.registry import Kind

JSON = dict[str, Any]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_IS_LABEL = re.compile(rf"{_LABEL}\Z")
_IS_SUBDOMAIN = re.compile(rf"{_SUBDOMAIN}\Z")
_LABEL_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_IS_LABEL_VALUE = re.compile(rf"{_LABEL_VALUE}\Z")
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_IS_QUALIFIED = re.compile(rf"{_QUALIFIED}\Z")
_ANNOTATION_BYTES = 256 * 1024
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"

_FIELDS = frozenset(
    "name generateName namespace uid resourceVersion generation creationTimestamp deletionTimestamp "
    "deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields "
    "selfLink".split()
)
"""Every field of ObjectMeta; others are pruned."""


def now() -> str:
    """The present as RFC 3339 with whole seconds, as object metadata has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def random_suffix() -> str:
    return "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))


def begin(obj: JSON, *, namespace: str, tracks_generation: bool) -> None:
    """Makes the metadata of a new object: identity and times are the server's."""
    metadata = obj["metadata"]
    for server_owned in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        metadata.pop(server_owned, None)
    metadata.pop("resourceVersion", None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"][:58] + random_suffix()
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now()
    if tracks_generation:
        metadata["generation"] = 1
    else:
        metadata.pop("generation", None)


def carry_over(new: JSON, old: JSON) -> None:
    """Restores what an update may not change."""
    metadata, before = new["metadata"], old["metadata"]
    for name in (
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
    ):
        if name in before:
            metadata[name] = before[name]
        elif name != "generateName":
            metadata.pop(name, None)
    metadata.pop("selfLink", None)
    if before.get("namespace"):
        metadata["namespace"] = before["namespace"]


def tidy(metadata: JSON) -> list[str]:
    """Prunes unknown and empty fields; returns the unknown ones' paths."""
    unknown = [name for name in metadata if name not in _FIELDS]
    for name in unknown:
        del metadata[name]
    for name in ("labels", "annotations", "finalizers", "ownerReferences", "managedFields"):
        if name in metadata and not metadata[name]:
            del metadata[name]
    return [f"metadata.{name}" for name in unknown]


def validate(kind: Kind, metadata: JSON) -> list[FieldError]:
    """Problems of name, labels, annotations, owner references and finalizers."""
    found = _types(metadata)
    if found:
        return found
    if not metadata.get("name"):
        return [errors.required("metadata.name", "name or generateName is required")]
    if not kind.strategy.free_name:
        found.extend(_name(metadata["name"], label_only=kind.strategy.label_name))
    for key, value in (metadata.get("labels") or {}).items():
        found.extend(_key("metadata.labels", key))
        found.extend(_label_value(value))
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        found.extend(_key("metadata.annotations", key.lower()))
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATION_BYTES:
        found.append(errors.too_long("metadata.annotations", _ANNOTATION_BYTES))
    found.extend(_owners(metadata.get("ownerReferences") or []))
    return found


def _types(metadata: JSON) -> list[FieldError]:
    found = []
    for name in ("labels", "annotations"):
        values = metadata.get(name)
        if values is not None and not (
            isinstance(values, dict) and all(isinstance(value, str) for value in values.values())
        ):
            detail = f"metadata.{name} in body must be a map of strings"
            found.append(errors.type_invalid(f"metadata.{name}", "object", detail))
    return found


def _name(name: str, *, label_only: bool) -> list[FieldError]:
    limit, pattern = (63, _IS_LABEL) if label_only else (253, _IS_SUBDOMAIN)
    found = []
    if len(name) > limit:
        detail = f"must be no more than {limit} characters"
        found.append(errors.invalid_value("metadata.name", name, detail))
    if pattern.match(name) is None:
        what = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or "
            f"'123-abc', regex used for validation is '{_LABEL}')"
            if label_only
            else "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
            "characters, '-' or '.', and must start and end with an alphanumeric character "
            f"(e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
        )
        found.append(errors.invalid_value("metadata.name", name, what))
    return found


def _key(path: str, key: str) -> list[FieldError]:
    prefix, slash, name = key.rpartition("/")
    found = []
    if slash and _IS_SUBDOMAIN.match(prefix) is None:
        found.append(errors.invalid_value(path, key, f"prefix part must match '{_SUBDOMAIN}'"))
    if _IS_QUALIFIED.match(name) is None or len(name) > 63:
        detail = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start "
            "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
            f"'123-abc', regex used for validation is '{_QUALIFIED}')"
        )
        found.append(errors.invalid_value(path, key, detail))
    return found


def _label_value(value: str) -> list[FieldError]:
    found = []
    if len(value) > 63:
        detail = "must be no more than 63 characters"
        found.append(errors.invalid_value("metadata.labels", value, detail))
    if _IS_LABEL_VALUE.match(value) is None:
        detail = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', "
            "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  "
            f"or 'my_value',  or '12345', regex used for validation is '{_LABEL_VALUE}')"
        )
        found.append(errors.invalid_value("metadata.labels", value, detail))
    return found


def _owners(owners: list[JSON]) -> list[FieldError]:
    found = []
    controllers = [owner for owner in owners if owner.get("controller")]
    for index, owner in enumerate(owners):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                path = f"metadata.ownerReferences[{index}].{name}"
                found.append(errors.invalid_value(path, owner.get(name, ""), "must not be empty"))
    if len(controllers) > 1:
        detail = "Only one reference can have Controller set to true"
        found.append(errors.invalid_value("metadata.ownerReferences", "object", detail))
    return found


def validate_update(new: JSON, old: JSON) -> list[FieldError]:
    """Problems of a metadata change: finalizers cannot be added once deletion has begun."""
    if "deletionTimestamp" not in old:
        return []
    added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
    if not added:
        return []
    shown = ", ".join(f'"{name}"' for name in added)
    detail = (
        "no new finalizers can be added if the object is being deleted, found new finalizers "
        f"[]string{{{shown}}}"
    )
    return [errors.forbidden_field("metadata.finalizers", detail)]
