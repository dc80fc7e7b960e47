"""Faults on demand, for tests: refused requests, dropped watches, compaction.

Not reachable over HTTP: a test that runs the control plane in its own loop calls these.
"""

from __future__ import annotations

from dataclasses import dataclass

from dalston.localkube.errors import ApiError, internal, too_many_requests
from dalston.localkube.storage import Store


@dataclass(slots=True)
class _Refusal:
    remaining: int
    error: ApiError
    method: str
    path: str

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("", method) and self.path in path


class Faults:
    """Injects faults into one control plane."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._refusals: list[_Refusal] = []

    def refuse(self, code: int, *, times: int = 1, method: str = "", path: str = "") -> None:
        """Answers the next `times` requests of `method` whose path contains `path` with `code`."""
        known = {
            409: ApiError(409, "Conflict", "the object has been modified (injected)"),
            429: too_many_requests(1),
            500: internal("injected"),
            503: ApiError(503, "ServiceUnavailable", "injected"),
        }
        error = known.get(code) or ApiError(code, "Unknown", "injected")
        self._refusals.append(_Refusal(times, error, method, path))

    def next_refusal(self, method: str, path: str) -> ApiError | None:
        """The error that this request must be answered with, if any; counts it."""
        for refusal in self._refusals:
            if refusal.matches(method, path):
                refusal.remaining -= 1
                if refusal.remaining <= 0:
                    self._refusals.remove(refusal)
                return refusal.error
        return None

    def drop_watches(self, resource: str = "") -> int:
        """Cuts the connections of all watches (of `resource`, "plural.group"); returns how many."""
        dropped = 0
        for collection in self._store.collections():
            if resource in ("", collection.resource):
                for watcher in collection.hub.watchers():
                    watcher.drop()
                    dropped += 1
        return dropped

    def compact(self) -> None:
        """Forgets all past events: watches that resume from before now get 410 Expired."""
        for collection in self._store.collections():
            collection.hub.compact(self._store.revision)
