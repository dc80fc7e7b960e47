"""Whatever happens, a client that lists and then watches knows what is there."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from dalston.localkube.storage import Record, Store

JSON = dict[str, Any]
Step = tuple[str, str, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete"]), st.sampled_from("abc"), st.sampled_from("xy")
    ),
    max_size=30,
)


def chosen(record: Record) -> bool:
    return record.labels.get("group") == "x"


def carry_out(store: Store, step: Step) -> None:
    action, name, group = step
    collection = store.collection("things")
    record = collection.get("default", name)
    metadata = {"name": name, "namespace": "default", "uid": name, "labels": {"group": group}}
    if action == "put":
        store.put(collection, {"metadata": metadata}, previous=record)
    elif record is not None:
        store.remove(collection, record, record.load())


def replay(known: dict[str, JSON], lines: bytes) -> None:
    """Changes what a client knows by the events of a watch, which must fit what it knows."""
    for line in lines.splitlines():
        event = orjson.loads(line)
        name = event["object"]["metadata"]["name"]
        assert (name in known) is (event["type"] != "ADDED")
        if event["type"] == "DELETED":
            del known[name]
        else:
            known[name] = event["object"]


@settings(deadline=None, max_examples=60)
@given(before=STEPS, between=STEPS, after=STEPS)
def test_listing_and_watching_gives_the_present_state(
    before: list[Step], between: list[Step], after: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "state.db", ring_size=100)
        collection = store.collection("things")
        for step in before:
            carry_out(store, step)
        known = {r.name: r.load() for r in collection.records() if chosen(r)}
        revision = store.revision
        for step in between:
            carry_out(store, step)
        watcher = collection.hub.subscribe(
            since=revision, matches=chosen, encode=lambda record: record.raw
        )
        for step in after:
            carry_out(store, step)
        replay(known, watcher.take())
        assert known == {r.name: r.load() for r in collection.records() if chosen(r)}
        store.abandon()
        again = Store.open(Path(folder) / "state.db", ring_size=100)
        assert [r.raw for r in again.collection("things").records()] == [
            r.raw for r in collection.records()
        ]
        again.abandon()
