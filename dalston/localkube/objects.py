"""Create, read, update and patch: the semantics that every kind shares.

Each public method is one synchronous step (see `storage`), so that read, check and write are atomic
and optimistic concurrency only concerns versions that clients hold.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from dalston.localkube import admission, errors, metadata
from dalston.localkube.registry import Kind, Registry
from dalston.localkube.storage import Collection, Record, Store
from dalston.localkube.targets import Target, WriteOptions

JSON = dict[str, Any]


Tracker = Callable[[Target, JSON, JSON | None, WriteOptions], None]
"""Keeps `metadata.managedFields` of the new object in step with a write that is no apply."""


class Objects:
    """The objects of all kinds, over a store."""

    def __init__(self, store: Store, registry: Registry, *, track: Tracker) -> None:
        self.store = store
        self.registry = registry
        self._track = track

    def collection(self, kind: Kind) -> Collection:
        return self.store.collection(kind.storage_key)

    def get(self, target: Target) -> Record:
        """The addressed object. Raises 404."""
        record = self.collection(target.kind).get(target.namespace, target.name)
        if record is None:
            raise errors.not_found(target.kind.resource, target.name)
        return record

    def create(
        self,
        target: Target,
        obj: JSON,
        options: WriteOptions,
        *,
        managed: list[JSON] | None = None,
    ) -> JSON:
        """Stores a new object and returns it as stored. `managed`: its managedFields, if applied."""
        kind = target.kind
        _check_type(target, obj)
        given = obj.get("metadata")
        obj["metadata"] = given = given if isinstance(given, dict) else {}
        self._check_namespace(target, given)
        if given.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        obj = self.to_storage(kind, obj)
        metadata.begin(obj, namespace=target.namespace, tracks_generation=kind.strategy.generation)
        if kind.custom and target.version.has_status:
            obj.pop("status", None)
        admission.admit(target, obj, old=None, options=options)
        kind.strategy.reset(obj)
        name = obj["metadata"]["name"]
        if self.collection(kind).get(target.namespace, name) is not None:
            raise errors.already_exists(kind.resource, name)
        self._check_living_namespace(target, name)
        self._track(target, obj, None, options)
        if managed:
            obj["metadata"]["managedFields"] = managed
        if not options.dry_run:
            self.store.put(self.collection(kind), obj, previous=None)
        return obj

    def replace(self, target: Target, obj: JSON, options: WriteOptions) -> JSON:
        """PUT: the whole object, or its status."""
        record = self.get(target)
        _check_type(target, obj)
        given = obj.get("metadata")
        obj["metadata"] = given = given if isinstance(given, dict) else {}
        name = given.setdefault("name", target.name)
        if name != target.name:
            raise errors.bad_request(
                f"the name of the object ({name}) does not match the name on the URL ({target.name})"
            )
        self._check_namespace(target, given)
        if not given.get("resourceVersion") and not target.kind.strategy.unconditional_update:
            problem = errors.FieldError(
                "metadata.resourceVersion",
                "FieldValueInvalid",
                "Invalid value: 0x0: must be specified for an update",
            )
            raise admission.invalid(target, name, [problem])
        return self.update(target, record, self.to_storage(target.kind, obj), options)

    def change(self, target: Target, mutate: Callable[[JSON], Any], options: WriteOptions) -> JSON:
        """PATCH: `mutate` gets the object in the request's version and returns the wanted one."""
        record = self.get(target)
        current = self.to_version(target, record.load())
        wanted = mutate(current)
        if not isinstance(wanted, dict) or not isinstance(wanted.get("metadata"), dict):
            raise errors.bad_request("the patch does not leave an object")
        if wanted["metadata"].get("name") != target.name:
            raise errors.bad_request("the name of an object cannot be changed")
        return self.update(target, record, self.to_storage(target.kind, wanted), options)

    def update(
        self,
        target: Target,
        record: Record,
        new: JSON,
        options: WriteOptions,
        *,
        tracked: bool = True,
    ) -> JSON:
        """Brings a stored object to `new` (in its storage version) under the rules for updates."""
        kind, old = target.kind, record.load()
        self._check_preconditions(kind, new["metadata"], old["metadata"])
        if target.subresource == "status":
            new = _with_status(old, new)
        elif target.version.has_status:
            _keep_status(old, new)
        metadata.carry_over(new, old)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        admission.admit(target, new, old=old, options=options)
        if kind.strategy.generation and _desired_changed(target, new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if new == old:
            return old
        if tracked:
            self._track(target, new, old, options)
        if options.dry_run:
            return new
        return self.commit(kind, record, new)

    def commit(self, kind: Kind, record: Record, new: JSON) -> JSON:
        """Writes an accepted change; removes the object when that was the last thing it waited for."""
        collection = self.collection(kind)
        if may_go(new):
            self.store.remove(collection, record, new)
        else:
            self.store.put(collection, new, previous=record)
        return new

    def _check_preconditions(self, kind: Kind, given: JSON, stored: JSON) -> None:
        uid = given.get("uid")
        if uid and uid != stored["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: " + str(
                stored["uid"]
            )
            raise errors.conflict(kind.resource, stored["name"], why)
        version = given.get("resourceVersion")
        if version and version != stored["resourceVersion"]:
            raise errors.conflict(kind.resource, stored["name"])

    @staticmethod
    def _check_namespace(target: Target, given: JSON) -> None:
        if not target.kind.namespaced:
            return
        namespace = given.get("namespace")
        if namespace and namespace != target.namespace:
            raise errors.bad_request(
                f"the namespace of the provided object does not match the namespace sent on the "
                f"request: {namespace} != {target.namespace}"
            )

    def _check_living_namespace(self, target: Target, name: str) -> None:
        if not target.kind.namespaced:
            return
        namespace = self.store.collection("namespaces").get("", target.namespace)
        if namespace is None:
            raise errors.not_found(errors.GroupResource("", "namespaces"), target.namespace)
        if namespace.deleting:
            why = (
                f"unable to create new content in namespace {target.namespace} because it is being "
                "terminated"
            )
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {target.namespace} is being terminated",
                "field": "metadata.namespace",
            }
            raise errors.forbidden(target.kind.resource, name, why, causes=[cause])

    @staticmethod
    def to_storage(kind: Kind, obj: JSON) -> JSON:
        """`obj` as it is stored."""
        if kind.stored_as and kind.convert is not None:
            stored = kind.convert(obj, "v1")
        else:
            stored = obj
            stored["apiVersion"] = kind.api_version(kind.storage_version)
        stored["kind"] = kind.kind
        return stored

    @staticmethod
    def to_version(target: Target, obj: JSON) -> JSON:
        """A stored object in the version that the request speaks."""
        if obj["apiVersion"] == target.api_version:
            return obj
        if target.kind.convert is not None:
            return target.kind.convert(obj, target.api_version)
        obj["apiVersion"] = target.api_version
        return obj


def may_go(obj: JSON) -> bool:
    """Whether a deleted object has nothing left to wait for."""
    meta = obj["metadata"]
    return (
        "deletionTimestamp" in meta
        and not meta.get("finalizers")
        and not meta.get("deletionGracePeriodSeconds")
        and not (obj["kind"] == "Namespace" and obj.get("spec", {}).get("finalizers"))
    )


def _check_type(target: Target, obj: Any) -> None:
    if not isinstance(obj, dict):
        raise errors.bad_request("the body of the request must be an object")
    kind, version = obj.get("kind"), obj.get("apiVersion")
    if target.kind.custom and not (kind and version):
        missing = "Kind" if not kind else "apiVersion"
        raise errors.bad_request(f"Object '{missing}' is missing")
    wanted = (target.kind.kind, target.api_version)
    if kind not in (None, "", wanted[0]) or version not in (None, "", wanted[1]):
        raise errors.bad_request(
            f"{kind} in version {version!r} cannot be handled as a {wanted[0]}: the API version in "
            f"the data ({version}) does not match the expected API version ({wanted[1]})"
        )


def _with_status(old: JSON, new: JSON) -> JSON:
    """The old object with the new one's status: all that a status update may change."""
    merged = copy.copy(old)
    merged["metadata"] = dict(old["metadata"])
    if "managedFields" in new["metadata"]:
        merged["metadata"]["managedFields"] = new["metadata"]["managedFields"]
    if "status" in new:
        merged["status"] = new["status"]
    else:
        merged.pop("status", None)
    return merged


def _keep_status(old: JSON, new: JSON) -> None:
    if "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)


def _desired_changed(target: Target, new: JSON, old: JSON) -> bool:
    if target.subresource == "status":
        return False
    skipped = {"metadata", "apiVersion", "kind"}
    if target.version.has_status:
        skipped.add("status")
    return any(
        new.get(name) != old.get(name) for name in (new.keys() | old.keys()) if name not in skipped
    )
