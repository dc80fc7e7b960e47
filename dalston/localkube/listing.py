"""List and watch: selectors, paging, resource versions, encodings."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from aiohttp import web
from multidict import MultiMapping

from dalston.localkube import errors, selectors
from dalston.localkube.encoding import Encoder
from dalston.localkube.objects import Objects
from dalston.localkube.storage import Collection, Record
from dalston.localkube.targets import Target
from dalston.localkube.watch import Encode, Hub, Matches, Watcher, frame

JSON = dict[str, Any]
BOOKMARK_SECONDS = 30.0
"""Pause after which an idle watch that allows it gets a bookmark."""
DEFAULT_WATCH_SECONDS = 1800.0
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True, slots=True)
class Paging:
    """Position in a paged list: the revision of its first page and the last key given out."""

    revision: int
    namespace: str
    name: str

    def token(self) -> str:
        raw = orjson.dumps([self.revision, self.namespace, self.name])
        return base64.urlsafe_b64encode(raw).decode()

    @classmethod
    def parse(cls, token: str) -> Paging:
        try:
            revision, namespace, name = orjson.loads(base64.urlsafe_b64decode(token))
            return cls(int(revision), str(namespace), str(name))
        except (ValueError, TypeError, binascii.Error):
            raise errors.bad_request("continue key is not valid") from None


def build_filter(target: Target, query: MultiMapping[str]) -> Matches:
    """The predicate of a list or watch: namespace, name, label and field selectors."""
    tests: list[Matches] = []
    if target.namespace:
        tests.append(lambda record: record.namespace == target.namespace)
    if target.name:
        tests.append(lambda record: record.name == target.name)
    labels = selectors.parse_labels(query.get("labelSelector", ""))
    if labels is not None:
        matches_labels = labels
        tests.append(lambda record: matches_labels(record.labels))
    allowed = target.kind.selectable
    for term in selectors.parse_fields(query.get("fieldSelector", ""), allowed=allowed):
        tests.append(_field_test(term))
    if not tests:
        return lambda _: True
    if len(tests) == 1:
        return tests[0]
    return lambda record: all(test(record) for test in tests)


def _field_test(term: selectors.FieldTerm) -> Matches:
    name, wanted, value = term
    if name == "metadata.name":
        return lambda record: (record.name == value) is wanted
    if name == "metadata.namespace":
        return lambda record: (record.namespace == value) is wanted
    return lambda record: (record.fields.get(name, "") == value) is wanted


def list_objects(
    objects: Objects, target: Target, query: MultiMapping[str], encoder: Encoder
) -> bytes:
    """The body of a list answer."""
    store, collection = objects.store, objects.collection(target.kind)
    revision = store.revision
    matches = build_filter(target, query)
    limit = _integer(query, "limit")
    token = query.get("continue", "")
    start: Paging | None = None
    if token:
        start = Paging.parse(token)
        if start.revision < collection.hub.compacted:
            raise errors.expired(
                "The provided continue parameter is too old to display a consistent list result. You "
                "can start a new list without the continue parameter."
            )
        revision = start.revision
    else:
        _check_revision(query, collection.hub, revision)
    found = _candidates(collection, target, start)
    chosen = (record for record in found if matches(record))
    page = list(islice(chosen, limit)) if limit else list(chosen)
    meta: JSON = {"resourceVersion": str(revision)}
    if limit and len(page) == limit:
        rest = sum(1 for _ in chosen)
        if rest:
            meta["continue"] = Paging(revision, page[-1].namespace, page[-1].name).token()
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                meta["remainingItemCount"] = rest
    return encoder.list(page, meta)


def _candidates(collection: Collection, target: Target, start: Paging | None) -> Iterable[Record]:
    records = collection.records(target.namespace or None)
    if start is None:
        return records
    last = (start.namespace, start.name)
    return (record for record in records if (record.namespace, record.name) > last)


def _check_revision(query: MultiMapping[str], hub: Hub, current: int) -> None:
    wanted = _integer(query, "resourceVersion")
    if wanted > current:
        message = f"Too large resource version: {wanted}, current: {current}"
        raise errors.ApiError(
            504,
            "Timeout",
            message,
            details={
                "causes": [
                    {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
                ],
                "retryAfterSeconds": 1,
            },
        )
    if query.get("resourceVersionMatch") == "Exact" and wanted < current:
        raise errors.too_old(wanted, max(current, hub.compacted))


def _integer(query: MultiMapping[str], name: str) -> int:
    text = query.get(name, "")
    try:
        return int(text) if text else 0
    except ValueError:
        raise errors.bad_request(f"invalid {name} {text!r}") from None


def open_watch(
    objects: Objects, target: Target, query: MultiMapping[str], encode: Encode
) -> Watcher:
    """A watcher positioned as the query asks; the initial objects are already pending in it."""
    collection = objects.collection(target.kind)
    matches = build_filter(target, query)
    wanted = _integer(query, "resourceVersion")
    streaming = query.get("sendInitialEvents") == "true"
    if wanted > objects.store.revision:
        raise errors.expired(
            f"resource version {wanted} is ahead of the current {objects.store.revision}: it is of "
            "another history"
        )
    if wanted and not streaming:
        return collection.hub.subscribe(since=wanted, matches=matches, encode=encode)
    current = objects.store.revision
    watcher = collection.hub.subscribe(
        since=max(current, collection.hub.compacted), matches=matches, encode=encode
    )
    if query.get("sendInitialEvents") != "false":
        present = collection.records(target.namespace or None)
        watcher.preload([frame("ADDED", encode(record)) for record in present if matches(record)])
    if streaming and query.get("allowWatchBookmarks") == "true":
        watcher.preload([bookmark(target, current, INITIAL_EVENTS_END)])
    return watcher


def bookmark(target: Target, revision: int, annotations: dict[str, str] | None = None) -> bytes:
    metadata: JSON = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    body = {"kind": target.kind.kind, "apiVersion": target.api_version, "metadata": metadata}
    return frame("BOOKMARK", orjson.dumps(body))


async def stream(
    request: web.BaseRequest, objects: Objects, target: Target, encoder: Encoder
) -> web.StreamResponse:
    """Answers a watch until its time is over, the client leaves, or the watcher is closed."""
    query = request.query
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    watcher: Watcher | None = None
    problem = b""
    try:
        watcher = open_watch(objects, target, query, encoder.watch())
    except errors.ApiError as gone:
        if gone.code != 410:
            raise
        problem = frame("ERROR", orjson.dumps(gone.status()))
    await response.prepare(request)
    if watcher is None:
        await response.write(problem)
        return response
    transport = request.transport
    if transport is None:
        watcher.close()
        return response
    watcher.on_drop = transport.abort
    watch = _Watch(objects, target, watcher, transport, query)
    try:
        await watch.deliver(response)
    except ConnectionResetError:
        pass  # The client has gone; that is how watches usually end.
    finally:
        watcher.close()
    return response


@dataclass(frozen=True, slots=True)
class _Watch:
    """One watch being answered."""

    objects: Objects
    target: Target
    watcher: Watcher
    transport: asyncio.BaseTransport
    query: MultiMapping[str]

    async def deliver(self, response: web.StreamResponse) -> None:
        """Writes events, and bookmarks in between, until time is over or the client has gone."""
        watcher = self.watcher
        bookmarks = self.query.get("allowWatchBookmarks") == "true"
        end = time.monotonic() + (_integer(self.query, "timeoutSeconds") or DEFAULT_WATCH_SECONDS)
        quiet_until = time.monotonic() + BOOKMARK_SECONDS
        while not watcher.closed or watcher.has_pending():
            chunk = watcher.take()
            if chunk:
                await response.write(chunk)
                continue
            now = time.monotonic()
            if now >= end or self.transport.is_closing():
                break
            if now >= quiet_until:
                if bookmarks:
                    await response.write(self._bookmark())
                quiet_until = now + BOOKMARK_SECONDS
            await watcher.wait(min(end, quiet_until) - now)
        if bookmarks and not watcher.closed and not self.transport.is_closing():
            await response.write(self._bookmark())

    def _bookmark(self) -> bytes:
        return bookmark(self.target, self.objects.store.revision)
