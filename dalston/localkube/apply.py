"""Server-side apply: ownership of fields by manager, merging, conflicts.

Ownership is kept from the first apply on: what an object held before that counts as owned by
"before-first-apply", and what came with a client-side `kubectl apply` as owned by nobody, so that
`kubectl` can take over.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import orjson

from dalston.localkube import builtin_types, errors, fieldsets, metadata
from dalston.localkube.fieldsets import MISSING, Path
from dalston.localkube.objects import Objects
from dalston.localkube.registry import Version
from dalston.localkube.targets import Target, WriteOptions

JSON = dict[str, Any]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(slots=True)
class Owner:
    """One entry of managedFields."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    paths: set[Path]

    def key(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource

    def entry(self) -> JSON:
        entry: JSON = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.encode(self.paths),
        }
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry

    def __str__(self) -> str:
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == "Update":
            text += f" using {self.api_version} at {self.time}"
        return text


def merge_schema(version: Version) -> JSON:
    """The schema that says how an object of `version` merges."""
    if version.message:
        return builtin_types.full_schema(version.message)
    schema = version.openapi or {}
    properties = {**(schema.get("properties") or {}), "metadata": _metadata_schema()}
    return {**schema, "properties": properties}


def _metadata_schema() -> JSON:
    return builtin_types.full_schema("meta.ObjectMeta")


def owners_of(obj: JSON) -> list[Owner]:
    return [
        Owner(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            time=entry.get("time", ""),
            paths=fieldsets.decode(entry.get("fieldsV1") or {}),
        )
        for entry in obj["metadata"].get("managedFields") or ()
        if entry
    ]


def _record(obj: JSON, owners: list[Owner]) -> None:
    entries = [owner.entry() for owner in owners if owner.paths]
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def track(target: Target, new: JSON, old: JSON | None, options: WriteOptions) -> None:
    """After a write that is no apply: the writer owns what it changed, others lose it."""
    if old is None:
        new["metadata"].pop("managedFields", None)
        return
    given = new["metadata"].get("managedFields")
    if not given and not old["metadata"].get("managedFields"):
        return
    if not given or given == [{}]:
        new["metadata"].pop("managedFields", None)
        if given == [{}]:
            return
        new["metadata"]["managedFields"] = old["metadata"]["managedFields"]
    schema = merge_schema(target.version)
    before = fieldsets.collect_object(old, schema, subresource=target.subresource)
    after = fieldsets.collect_object(new, schema, subresource=target.subresource)
    changed = {
        path
        for path in after
        if path not in before
        or (
            not path[-1].startswith("k:")
            and fieldsets.read(old, schema, path) != fieldsets.read(new, schema, path)
        )
    }
    lost = before - after
    if not changed and not lost:
        return
    owners = owners_of(new)
    mine = _own(owners, options.manager, "Update", target)
    for owner in owners:
        if owner is not mine:
            owner.paths -= changed
        owner.paths -= lost
    mine.paths |= changed
    mine.time = metadata.now()
    _record(new, owners)


def _own(owners: list[Owner], manager: str, operation: str, target: Target) -> Owner:
    """The owner's entry for this request, appended when there is none."""
    for owner in owners:
        if owner.key() == (manager, operation, target.subresource):
            owner.api_version = target.api_version
            return owner
    mine = Owner(manager, operation, target.api_version, target.subresource, metadata.now(), set())
    owners.append(mine)
    return mine


def apply(
    objects: Objects, target: Target, applied: Any, options: WriteOptions
) -> tuple[JSON, bool]:
    """Applies a configuration; returns the object and whether it was created. Raises 409 on conflicts."""
    _check(target, applied)
    schema = merge_schema(target.version)
    record = objects.collection(target.kind).get(target.namespace, target.name)
    paths = fieldsets.collect_object(applied, schema, subresource=target.subresource)
    if record is None:
        if target.subresource:
            raise errors.not_found(target.kind.resource, target.name)
        return _create(objects, target, applied, options=options, paths=paths), True
    live = objects.to_version(target, record.load())
    owners = owners_of(live) or _first_owners(live, schema, target)
    previous = [owner.paths.copy() for owner in owners]
    mine = _own(owners, options.manager, "Apply", target)
    dropped = mine.paths - paths
    mine.paths = paths
    others = [owner for owner in owners if owner is not mine]
    _settle_conflicts(live, applied, schema, others=others, mine=mine, force=options.force)
    merged = merge(copy.deepcopy(live), applied, schema)
    _drop(merged, schema, dropped=dropped, kept=others, applied=paths)
    if [owner.paths for owner in owners] != previous:
        mine.time = metadata.now()
    _record(merged, owners)
    stored = objects.update(
        target, record, objects.to_storage(target.kind, merged), options, tracked=False
    )
    return stored, False


def _check(target: Target, applied: Any) -> None:
    if not isinstance(applied, dict) or not isinstance(applied.setdefault("metadata", {}), dict):
        raise errors.bad_request("the applied configuration must be an object")
    if applied.get("kind") != target.kind.kind or applied.get("apiVersion") != target.api_version:
        raise errors.bad_request("the applied kind and apiVersion must be those of the URL")
    if applied["metadata"].get("managedFields"):
        raise errors.bad_request("metadata.managedFields must be nil")
    name = applied["metadata"].setdefault("name", target.name)
    if name != target.name:
        raise errors.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )


def _create(
    objects: Objects, target: Target, applied: JSON, *, options: WriteOptions, paths: set[Path]
) -> JSON:
    mine = Owner(options.manager, "Apply", target.api_version, "", metadata.now(), paths)
    return objects.create(target, applied, options, managed=[mine.entry()])


def _first_owners(live: JSON, schema: JSON, target: Target) -> list[Owner]:
    """Who owns an object that was never applied."""
    paths = fieldsets.collect_object(live, schema, subresource="")
    annotations = live["metadata"].get("annotations") or {}
    try:
        configured = orjson.loads(annotations.get(_LAST_APPLIED) or "{}")
    except orjson.JSONDecodeError:
        configured = {}
    paths -= fieldsets.collect_object(configured, schema, subresource="")
    paths.discard(("f:metadata", "f:annotations", f"f:{_LAST_APPLIED}"))
    created = live["metadata"]["creationTimestamp"]
    return [Owner("before-first-apply", "Update", target.api_version, "", created, paths)]


def _settle_conflicts(
    live: JSON, applied: JSON, schema: JSON, *, others: list[Owner], mine: Owner, force: bool
) -> None:
    """Raises 409 for fields of others that would change, or takes them over when forced."""
    causes: list[tuple[Owner, Path]] = []
    for owner in others:
        for path in sorted(owner.paths & mine.paths):
            if path[-1].startswith("k:"):
                continue
            now = fieldsets.read(live, schema, path)
            if now is not MISSING and now != fieldsets.read(applied, schema, path):
                causes.append((owner, path))
    if force:
        for owner, path in causes:
            owner.paths.discard(path)
        return
    if causes:
        raise errors.apply_conflict(
            [
                {
                    "reason": "FieldManagerConflict",
                    "message": f"conflict with {owner}",
                    "field": fieldsets.show(path),
                }
                for owner, path in causes
            ],
            _conflict_text(causes),
        )


def _conflict_text(causes: list[tuple[Owner, Path]]) -> str:
    if len(causes) == 1:
        owner, path = causes[0]
        return f"Apply failed with 1 conflict: conflict with {owner}: {fieldsets.show(path)}"
    by_owner: dict[str, list[str]] = {}
    for owner, path in causes:
        by_owner.setdefault(str(owner), []).append(fieldsets.show(path))
    parts = [
        f"conflicts with {owner}:\n" + "\n".join(f"- {path}" for path in paths)
        for owner, paths in by_owner.items()
    ]
    return f"Apply failed with {len(causes)} conflicts: " + "\n".join(parts)


def merge(live: Any, applied: Any, schema: JSON) -> Any:
    """`live` with what `applied` sets; keyed lists and sets merge, atomic values are replaced."""
    if isinstance(applied, dict) and isinstance(live, dict) and not fieldsets.is_atomic_map(schema):
        for name, value in applied.items():
            live[name] = merge(live.get(name), value, fieldsets.below(schema, name))
        return live
    kind = fieldsets.list_type(schema)
    if isinstance(applied, list) and isinstance(live, list) and kind in ("map", "set"):
        return _merge_list(live, applied, schema)
    return copy.deepcopy(applied)


def _merge_list(live: list[Any], applied: list[Any], schema: JSON) -> list[Any]:
    """The applied elements in their order, then the others."""
    items = schema.get("items") or {}
    held = {fieldsets.element_step(element, schema): element for element in live}
    merged = []
    for element in applied:
        before = held.pop(fieldsets.element_step(element, schema), None)
        merged.append(merge(before, element, items))
    return merged + list(held.values())


def _drop(
    merged: JSON, schema: JSON, *, dropped: set[Path], kept: list[Owner], applied: set[Path]
) -> None:
    """Removes fields that the manager no longer applies and nobody else owns."""
    owned = set(applied).union(*(owner.paths for owner in kept))
    # Elements before fields: an element without its key could not be found any more.
    for path in sorted(dropped, key=lambda path: (path[-1].startswith("f:"), len(path))):
        if not any(other[: len(path)] == path for other in owned):
            fieldsets.remove(merged, schema, path)
