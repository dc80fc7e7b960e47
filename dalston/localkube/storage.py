"""Objects, durable in one SQLite file and held in memory, with one revision counter for everything.

Invariants:
- A write is committed before anybody can see it: commit, memory, event ring and answer happen in one
  synchronous step on the event loop. A commit is one append to the write-ahead log in the page cache
  (tens of microseconds, no fsync), which outlives `kill -9`; a hand-over to a thread would cost more
  and open a window in which watchers see what a crash takes back. Only checkpoints (which do fsync)
  run in a thread.
- Revisions grow by one with every write, deletes included, and are never used twice.
- An object is held as the JSON bytes that clients receive; what selectors and garbage collection need is
  extracted once at the write.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dalston.localkube.watch import Event, EventType, Hub

JSON = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY, resource TEXT NOT NULL, revision INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tombstones (resource TEXT PRIMARY KEY, revision INTEGER NOT NULL);
"""
_CHECKPOINT_EVERY_WRITES = 4096


@dataclass(frozen=True, slots=True)
class Record:
    """One stored object: its JSON bytes and what is asked of it without parsing them."""

    row: int
    namespace: str
    name: str
    uid: str
    revision: int
    raw: bytes
    labels: dict[str, str]
    fields: dict[str, str]
    owners: tuple[str, ...]
    deleting: bool

    def load(self) -> JSON:
        """A private copy of the object, free to change."""
        loaded: JSON = orjson.loads(self.raw)
        return loaded


Index = Callable[[JSON], dict[str, str]]
"""Reads an object's selectable fields (beyond metadata.name and metadata.namespace)."""


def _no_fields(_: JSON) -> dict[str, str]:
    return {}


class Collection:
    """All objects of one resource, by namespace ("" when cluster-scoped) and name."""

    def __init__(self, resource: str, *, ring_size: int, compacted: int) -> None:
        self.resource = resource
        self.hub = Hub(ring_size=ring_size, compacted=compacted)
        self.index: Index = _no_fields
        self._namespaces: dict[str, dict[str, Record]] = {}

    def get(self, namespace: str, name: str) -> Record | None:
        return self._namespaces.get(namespace, {}).get(name)

    def records(self, namespace: str | None = None) -> Iterator[Record]:
        """Records of one namespace, or of all, ordered by namespace and name."""
        spaces = sorted(self._namespaces) if namespace is None else [namespace]
        for space in spaces:
            names = self._namespaces.get(space, {})
            for name in sorted(names):
                yield names[name]

    def __len__(self) -> int:
        return sum(len(names) for names in self._namespaces.values())

    def _set(self, record: Record) -> None:
        self._namespaces.setdefault(record.namespace, {})[record.name] = record

    def _drop(self, record: Record) -> None:
        names = self._namespaces[record.namespace]
        del names[record.name]
        if not names:
            del self._namespaces[record.namespace]


class Store:
    """The whole state of a control plane. Open with `Store.open`, end with `close`."""

    def __init__(self, database: sqlite3.Connection, path: Path, ring_size: int) -> None:
        self._database = database
        self._path = path
        self._ring_size = ring_size
        self._collections: dict[str, Collection] = {}
        self._row = 0
        self._writes = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self.revision = 1
        self.by_uid: dict[str, tuple[str, Record]] = {}
        self.dependents: dict[str, set[str]] = {}
        self.listeners: list[Callable[[str, Event], None]] = []

    @classmethod
    def open(cls, path: Path, *, ring_size: int) -> Store:
        """Opens or creates the file at `path` and loads it. `ring_size`: events kept per resource."""
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("PRAGMA locking_mode=NORMAL")
        database.executescript(_SCHEMA)
        store = cls(database, path, ring_size)
        store._load()
        return store

    def _load(self) -> None:
        latest: dict[str, int] = {}
        for resource, revision in self._database.execute(
            "SELECT resource, revision FROM tombstones"
        ):
            latest[resource] = revision
        rows = self._database.execute("SELECT id, resource, revision, raw FROM objects").fetchall()
        for row, resource, revision, _ in rows:
            self._row = max(self._row, row)
            latest[resource] = max(latest.get(resource, 0), revision)
        self.revision = max([self.revision, *latest.values()])
        for resource, revision in latest.items():
            self._collections[resource] = Collection(
                resource, ring_size=self._ring_size, compacted=revision
            )
        for row, resource, _, raw in rows:
            collection = self._collections[resource]
            record = self._record(collection, row, orjson.loads(raw), raw)
            collection._set(record)
            self._link(resource, record)

    def collection(self, resource: str) -> Collection:
        """The collection of `resource` ("plural.group", or "plural" in the core group)."""
        found = self._collections.get(resource)
        if found is None:
            found = Collection(resource, ring_size=self._ring_size, compacted=0)
            self._collections[resource] = found
        return found

    def collections(self) -> list[Collection]:
        return list(self._collections.values())

    def set_index(self, resource: str, index: Index) -> None:
        """Declares the selectable fields of a resource and re-reads those of its objects."""
        collection = self.collection(resource)
        collection.index = index
        for record in list(collection.records()):
            renewed = self._record(collection, record.row, record.load(), record.raw)
            collection._set(renewed)
            self.by_uid[record.uid] = (resource, renewed)

    def put(self, collection: Collection, obj: JSON, *, previous: Record | None) -> Record:
        """Writes `obj` under the next revision, in place of `previous`, and tells all watchers.

        Sets `metadata.resourceVersion` in `obj`. Raises sqlite3.Error with nothing changed.
        """
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        raw = orjson.dumps(obj)
        row = self._row + 1 if previous is None else previous.row
        self._database.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)",
            (row, collection.resource, revision, raw),
        )
        self._row = max(self._row, row)
        record = self._record(collection, row, obj, raw)
        if previous is not None:
            self._unlink(previous)
        collection._set(record)
        self._link(collection.resource, record)
        kind = EventType.ADDED if previous is None else EventType.MODIFIED
        self._publish(collection, Event(kind, record, previous, revision))
        return record

    def remove(self, collection: Collection, record: Record, final: JSON) -> Record:
        """Deletes `record`; watchers see `final` under the revision of the deletion."""
        revision = self.revision + 1
        final["metadata"]["resourceVersion"] = str(revision)
        with self._transaction():
            self._database.execute("DELETE FROM objects WHERE id = ?", (record.row,))
            self._database.execute(
                "INSERT OR REPLACE INTO tombstones VALUES (?, ?)", (collection.resource, revision)
            )
        last = self._record(collection, record.row, final, orjson.dumps(final))
        collection._drop(record)
        self._unlink(record)
        self._publish(collection, Event(EventType.DELETED, last, record, revision))
        return last

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)

    def _publish(self, collection: Collection, event: Event) -> None:
        self.revision = event.revision
        self._writes += 1
        collection.hub.publish(event)
        for listener in self.listeners:
            listener(collection.resource, event)
        if self._writes >= _CHECKPOINT_EVERY_WRITES and self._checkpoint is None:
            self._writes = 0
            self._start_checkpoint()

    def _start_checkpoint(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._checkpoint = loop.create_task(self._run_checkpoint())

    async def _run_checkpoint(self) -> None:
        try:
            await asyncio.to_thread(_checkpoint, self._path)
        finally:
            self._checkpoint = None

    def _record(self, collection: Collection, row: int, obj: JSON, raw: bytes) -> Record:
        metadata = obj["metadata"]
        return Record(
            row=row,
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata["uid"],
            revision=int(metadata["resourceVersion"]),
            raw=raw,
            labels=metadata.get("labels") or {},
            fields=collection.index(obj),
            owners=tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ()),
            deleting="deletionTimestamp" in metadata,
        )

    def _link(self, resource: str, record: Record) -> None:
        self.by_uid[record.uid] = (resource, record)
        for owner in record.owners:
            self.dependents.setdefault(owner, set()).add(record.uid)

    def _unlink(self, record: Record) -> None:
        del self.by_uid[record.uid]
        for owner in record.owners:
            children = self.dependents.get(owner)
            if children is not None:
                children.discard(record.uid)
                if not children:
                    del self.dependents[owner]

    def owned_by(self, uid: str) -> Iterable[tuple[str, Record]]:
        """(resource, record) of every object that names `uid` among its owners."""
        return [self.by_uid[child] for child in sorted(self.dependents.get(uid, ()))]

    def abandon(self) -> None:
        """Closes the file as it is, as a crash would leave it."""
        self._database.close()

    async def close(self) -> None:
        """Waits for a running checkpoint and closes the file."""
        if self._checkpoint is not None:
            await self._checkpoint
        await asyncio.to_thread(_checkpoint, self._path)
        self._database.close()


def lock_folder(folder: Path) -> int:
    """Locks a state folder for this process; the file descriptor to close. Raises BlockingIOError."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as taken:
        os.close(descriptor)
        raise BlockingIOError(taken.errno, f"another control plane uses {folder}") from taken
    return descriptor


class _Transaction:
    """BEGIN … COMMIT, rolled back on an exception."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")


def _checkpoint(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=5)
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    finally:
        connection.close()
