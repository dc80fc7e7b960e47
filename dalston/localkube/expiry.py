"""Events end an hour after they were last seen, as on a cluster."""

from __future__ import annotations

import asyncio

from dalston.localkube import event_versions, tables
from dalston.localkube.storage import Store

EVENT_SECONDS = 3600.0
"""The real API server's default lifetime of an event."""
SWEEP_SECONDS = 60.0


def sweep(store: Store, *, older_than: float) -> int:
    """Deletes events last written more than `older_than` seconds ago; returns how many."""
    collection = store.collection(event_versions.STORAGE_KEY)
    ended = 0
    for record in list(collection.records()):
        event = record.load()
        seen = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
        seconds = tables.seconds_since(seen)
        if seconds is not None and seconds > older_than:
            store.remove(collection, record, event)
            ended += 1
    return ended


async def run(store: Store) -> None:
    """Sweeps until cancelled."""
    while True:
        sweep(store, older_than=EVENT_SECONDS)
        await asyncio.sleep(SWEEP_SECONDS)
