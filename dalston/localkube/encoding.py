"""How objects are written into answers: JSON as stored, another version, metadata only, or a table."""

from __future__ import annotations

from typing import Any

import orjson

from dalston.localkube import tables
from dalston.localkube.objects import Objects
from dalston.localkube.storage import Record
from dalston.localkube.targets import Target
from dalston.localkube.watch import Encode

JSON = dict[str, Any]


class Encoder:
    """Writes objects in the version that a request speaks."""

    def __init__(self, target: Target) -> None:
        self.target = target
        kind = target.kind
        stored = kind.api_version(kind.storage_version)
        self._as_stored = target.api_version == ("v1" if kind.stored_as else stored)

    def record(self, record: Record) -> bytes:
        if self._as_stored:
            return record.raw
        return orjson.dumps(Objects.to_version(self.target, record.load()))

    def object(self, obj: JSON) -> bytes:
        """One object that was just read or written, in its stored version."""
        return orjson.dumps(Objects.to_version(self.target, obj))

    def one(self, record: Record) -> bytes:
        """The answer to a GET of one object."""
        return self.record(record)

    def list(self, records: list[Record], meta: JSON) -> bytes:
        kind = self.target.kind.list_kind
        head = orjson.dumps({"kind": kind, "apiVersion": self.target.api_version, "metadata": meta})
        items = b",".join([self.record(record) for record in records])
        return head[:-1] + b',"items":[' + items + b"]}"

    def watch(self) -> Encode:
        """The encoder of a watch's events; tables and others may keep state between them."""
        return self.record


class TableEncoder(Encoder):
    """A Table: rows of the kind's columns, for `kubectl get`."""

    def __init__(self, target: Target, *, include: str, version: str) -> None:
        super().__init__(target)
        self._include = include
        self._api_version = f"meta.k8s.io/{version}"
        self._columns = tables.columns_of(target.version)

    def _row(self, obj: JSON) -> JSON:
        row: JSON = {"cells": tables.cells(self._columns, obj)}
        if self._include == "Object":
            row["object"] = Objects.to_version(self.target, obj)
        elif self._include != "None":
            row["object"] = _partial(obj)
        return row

    def _table(self, rows: list[JSON], meta: JSON, *, headers: bool = True) -> bytes:
        body: JSON = {"kind": "Table", "apiVersion": self._api_version, "metadata": meta}
        body["columnDefinitions"] = tables.definitions(self._columns) if headers else None
        body["rows"] = rows
        return orjson.dumps(body)

    def record(self, record: Record) -> bytes:
        return self.object(record.load())

    def object(self, obj: JSON) -> bytes:
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return self._table([self._row(obj)], meta)

    def list(self, records: list[Record], meta: JSON) -> bytes:
        return self._table([self._row(record.load()) for record in records], meta)

    def watch(self) -> Encode:
        """Only the first table of a watch carries the column definitions."""
        first = True

        def encode(record: Record) -> bytes:
            nonlocal first
            obj = record.load()
            meta = {"resourceVersion": str(record.revision)}
            body = self._table([self._row(obj)], meta, headers=first)
            first = False
            return body

        return encode


class MetadataEncoder(Encoder):
    """PartialObjectMetadata: for clients that only follow names, labels and owners."""

    def record(self, record: Record) -> bytes:
        return self.object(record.load())

    def object(self, obj: JSON) -> bytes:
        return orjson.dumps(_partial(obj))

    def list(self, records: list[Record], meta: JSON) -> bytes:
        body = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
            "items": [orjson.Fragment(self.record(record)) for record in records],
        }
        return orjson.dumps(body)


def _partial(obj: JSON) -> JSON:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def choose(target: Target, accept: str, query: JSON) -> Encoder:
    """The encoder that the Accept header asks for first among those there are."""
    for option in accept.split(","):
        if "as=Table" in option:
            version = "v1beta1" if "v=v1beta1" in option else "v1"
            include = query.get("includeObject", "Metadata")
            return TableEncoder(target, include=include, version=version)
        if "as=PartialObjectMetadata" in option:
            return MetadataEncoder(target)
        if "as=" not in option:
            break
    return Encoder(target)
