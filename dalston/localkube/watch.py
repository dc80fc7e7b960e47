"""Recent events of one resource and the watchers that follow them.

Invariants: a watcher receives every event after the revision it asked for, in order, or is closed; an
object that leaves a watcher's selector is seen as DELETED, one that enters it as ADDED; a watcher that
does not read is dropped before it holds much memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dalston.localkube import errors

if TYPE_CHECKING:
    from dalston.localkube.storage import Record

MAX_PENDING_BYTES = 32 * 1024 * 1024
"""Undelivered bytes after which a watcher is dropped; it reconnects and catches up."""


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Event:
    """One change: the object after it (before it, for DELETED) and its predecessor."""

    type: EventType
    record: Record
    previous: Record | None
    revision: int


Matches = Callable[["Record"], bool]
Encode = Callable[["Record"], bytes]


def frame(kind: str, body: bytes) -> bytes:
    """One line of a watch stream."""
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"


class Watcher:
    """One open watch: pending lines, waiting to be written to its connection."""

    def __init__(self, hub: Hub, *, matches: Matches, encode: Encode) -> None:
        self._hub = hub
        self._matches = matches
        self._encode = encode
        self._pending: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self.closed = False
        self.revision = 0
        self.on_drop: Callable[[], None] | None = None

    def offer(self, event: Event) -> None:
        """Queues what this watcher must see of `event`, if anything."""
        self.revision = event.revision
        kind = self._translate(event)
        if kind is not None:
            self.push(frame(kind, self._encode(event.record)))

    def _translate(self, event: Event) -> EventType | None:
        now = event.type is not EventType.DELETED and self._matches(event.record)
        before = event.previous is not None and self._matches(event.previous)
        if now:
            return EventType.MODIFIED if before else EventType.ADDED
        return EventType.DELETED if before else None

    def preload(self, lines: list[bytes]) -> None:
        """Queues what the watch begins with, which may be more than a slow reader may owe."""
        self._pending.extend(lines)
        self._wake.set()

    def push(self, line: bytes) -> None:
        """Queues one line; drops the watch when too much is pending."""
        if self.closed:
            return
        self._pending.append(line)
        self._size += len(line)
        self._wake.set()
        if self._size > MAX_PENDING_BYTES:
            self.drop()

    def take(self) -> bytes:
        """Everything pending, as one chunk."""
        chunk = b"".join(self._pending)
        self._pending.clear()
        self._size = 0
        self._wake.clear()
        return chunk

    def has_pending(self) -> bool:
        return bool(self._pending)

    async def wait(self, timeout: float) -> None:
        """Returns when something is pending, the watch is closed, or after `timeout` seconds."""
        if self._pending or self.closed or timeout <= 0:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    def drop(self) -> None:
        """Ends the watch without delivering what is pending."""
        self.close()
        self._pending.clear()
        if self.on_drop is not None:
            self.on_drop()

    def close(self) -> None:
        """Ends the watch once what is pending has been delivered."""
        self.closed = True
        self._hub.forget(self)
        self._wake.set()


class Hub:
    """The event ring of one resource. `compacted`: revision up to which events are unknown."""

    def __init__(self, *, ring_size: int, compacted: int) -> None:
        self._ring: deque[Event] = deque()
        self._ring_size = ring_size
        self.compacted = compacted
        self._watchers: set[Watcher] = set()

    def publish(self, event: Event) -> None:
        self._ring.append(event)
        if len(self._ring) > self._ring_size:
            self.compacted = self._ring.popleft().revision
        for watcher in tuple(self._watchers):
            watcher.offer(event)

    def subscribe(self, *, since: int, matches: Matches, encode: Encode) -> Watcher:
        """A watcher of all events after revision `since`. Raises 410 Expired when they are gone."""
        if since < self.compacted:
            raise errors.too_old(since, self.compacted)
        watcher = Watcher(self, matches=matches, encode=encode)
        watcher.revision = since
        for event in self._since(since):
            watcher.offer(event)
        self._watchers.add(watcher)
        return watcher

    def _since(self, revision: int) -> list[Event]:
        newer: list[Event] = []
        for event in reversed(self._ring):
            if event.revision <= revision:
                break
            newer.append(event)
        return newer[::-1]

    def forget(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    def watchers(self) -> list[Watcher]:
        return list(self._watchers)

    def compact(self, revision: int) -> None:
        """Forgets all events up to `revision`."""
        while self._ring and self._ring[0].revision <= revision:
            self._ring.popleft()
        self.compacted = max(self.compacted, revision)
