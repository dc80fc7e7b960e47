"""What follows from deletions: dependents, namespaces' contents, custom resources of a definition.

Works through a queue of uids that the store's events feed, and through everything stored once at the
start, so an interrupted clean-up goes on after a restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from dalston.localkube import customkinds, deletion
from dalston.localkube.deletion import DEFINITION_CLEANUP, FOREGROUND, ORPHAN, DeleteOptions
from dalston.localkube.errors import ApiError
from dalston.localkube.objects import Objects
from dalston.localkube.registry import Kind
from dalston.localkube.storage import Record
from dalston.localkube.targets import Target
from dalston.localkube.watch import Event, EventType

JSON = dict[str, Any]
_LOG = logging.getLogger(__name__)
_BATCH = 64
"""Objects handled before other requests get the event loop."""


class Collector:
    """The garbage collector of one control plane. `run` until cancelled."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._store = objects.store
        self._queue: deque[str] = deque()
        self._queued: set[str] = set()
        self._wake = asyncio.Event()
        self._store.listeners.append(self._observe)

    async def run(self) -> None:
        for uid, (_, record) in list(self._store.by_uid.items()):
            if record.owners or record.deleting:
                self._enqueue(uid)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                for _ in range(min(_BATCH, len(self._queue))):
                    self._next()
                await asyncio.sleep(0)

    def _enqueue(self, uid: str) -> None:
        if uid not in self._queued:
            self._queued.add(uid)
            self._queue.append(uid)
            self._wake.set()

    def _observe(self, resource: str, event: Event) -> None:
        """Queues the objects that `event` may have something to say about."""
        record = event.record
        if event.type is not EventType.DELETED:
            if record.deleting or any(uid not in self._store.by_uid for uid in record.owners):
                self._enqueue(record.uid)
            return
        for uid in self._store.dependents.get(record.uid, ()):
            self._enqueue(uid)
        for owner in record.owners:
            self._enqueue_deleting(self._store.by_uid.get(owner))
        if record.namespace:
            namespace = self._store.collection("namespaces").get("", record.namespace)
            self._enqueue_deleting(("namespaces", namespace) if namespace else None)
        definition = self._store.collection(customkinds.RESOURCE).get("", resource)
        self._enqueue_deleting((resource, definition) if definition else None)

    def _enqueue_deleting(self, found: tuple[str, Record] | None) -> None:
        if found is not None and found[1].deleting:
            self._enqueue(found[1].uid)

    def _next(self) -> None:
        uid = self._queue.popleft()
        self._queued.discard(uid)
        found = self._store.by_uid.get(uid)
        if found is None:
            return
        kind = self._objects.registry.by_storage(found[0])
        if kind is None:
            return
        try:
            self._collect(kind, found[1])
        except ApiError as problem:
            _LOG.warning("garbage collection of %s %s: %s", found[0], found[1].name, problem)

    def _collect(self, kind: Kind, record: Record) -> None:
        if record.owners:
            self._check_owners(kind, record)
        if not record.deleting:
            return
        finalizers = record.load()["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            self._orphan_dependents(record)
            self._drop_finalizer(kind, record, ORPHAN)
        elif FOREGROUND in finalizers:
            if self._dependents_gone(record):
                self._drop_finalizer(kind, record, FOREGROUND)
        elif DEFINITION_CLEANUP in finalizers:
            if self._emptied(self._store.collection(record.name).records()):
                self._drop_finalizer(kind, record, DEFINITION_CLEANUP)
        elif kind.kind == "Namespace" and kind.group == "":
            self._empty_namespace(kind, record)

    def _check_owners(self, kind: Kind, record: Record) -> None:
        """Deletes an object whose owners are all gone; drops references to some that are."""
        present = [uid for uid in record.owners if self._owner_exists(uid, record.namespace)]
        if len(present) == len(record.owners):
            return
        if not present:
            if not record.deleting:
                self._delete(kind, record)
            return
        self._keep_owners(kind, record, present)

    def _owner_exists(self, uid: str, namespace: str) -> bool:
        found = self._store.by_uid.get(uid)
        return found is not None and found[1].namespace in ("", namespace)

    def _keep_owners(self, kind: Kind, record: Record, uids: list[str]) -> None:
        obj = record.load()
        kept = [owner for owner in obj["metadata"]["ownerReferences"] if owner["uid"] in uids]
        if kept:
            obj["metadata"]["ownerReferences"] = kept
        else:
            del obj["metadata"]["ownerReferences"]
        self._objects.commit(kind, record, obj)

    def _orphan_dependents(self, owner: Record) -> None:
        for resource, child in self._store.owned_by(owner.uid):
            kind = self._objects.registry.by_storage(resource)
            if kind is not None:
                self._keep_owners(kind, child, [uid for uid in child.owners if uid != owner.uid])

    def _dependents_gone(self, owner: Record) -> bool:
        """Starts deleting the dependents of `owner`; true once none blocks it any more."""
        blocked = False
        for resource, child in list(self._store.owned_by(owner.uid)):
            kind = self._objects.registry.by_storage(resource)
            if kind is None:
                continue
            references = child.load()["metadata"]["ownerReferences"]
            blocks = any(r["uid"] == owner.uid and r.get("blockOwnerDeletion") for r in references)
            if not child.deleting:
                self._delete(kind, child, policy="Foreground")
            blocked = blocked or (blocks and child.uid in self._store.by_uid)
        return not blocked

    def _delete(self, kind: Kind, record: Record, *, policy: str = "Background") -> None:
        target = Target(
            kind=kind,
            version=kind.versions[kind.storage_version],
            namespace=record.namespace,
            name=record.name,
        )
        options = DeleteOptions(propagation=policy, uid=record.uid)
        deletion.delete(self._objects, target, options)

    def _emptied(self, records: Any) -> bool:
        """Deletes all of `records`; true when none of them is left."""
        left = False
        for record in list(records):
            found = self._store.by_uid.get(record.uid)
            kind = self._objects.registry.by_storage(found[0]) if found else None
            if kind is None:
                continue
            if not record.deleting:
                self._delete(kind, record)
            left = left or record.uid in self._store.by_uid
        return not left

    def _empty_namespace(self, kind: Kind, record: Record) -> None:
        contents = [
            inside
            for collection in self._store.collections()
            for inside in collection.records(record.name)
        ]
        if not self._emptied(contents):
            return
        current = self._store.by_uid.get(record.uid)
        if current is None:
            return
        obj = current[1].load()
        spec = obj.setdefault("spec", {})
        finalizers = [name for name in spec.get("finalizers") or () if name != "kubernetes"]
        spec["finalizers"] = finalizers
        self._objects.commit(kind, current[1], obj)

    def _drop_finalizer(self, kind: Kind, record: Record, name: str) -> None:
        found = self._store.by_uid.get(record.uid)
        if found is None:
            return
        obj = found[1].load()
        kept = [held for held in obj["metadata"].get("finalizers") or () if held != name]
        if kept:
            obj["metadata"]["finalizers"] = kept
        else:
            obj["metadata"].pop("finalizers", None)
        self._objects.commit(kind, found[1], obj)
