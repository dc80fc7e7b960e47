"""The kinds a control plane serves: what a REST resource is called, holds and allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dalston.localkube.cel import RuleTree, compile_rules
from dalston.localkube.errors import FieldError, GroupResource
from dalston.localkube.schema import Check

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: either a JSONPath (custom resources) or a function (built-ins)."""

    name: str
    type: str = "string"
    path: str = ""
    value: Callable[[JSON], Any] | None = None
    priority: int = 0
    format: str = ""
    description: str = ""


@dataclass(frozen=True)
class CompiledSchema:
    """A version's schema, ready to run: the whole object, its status alone, the CEL rules.

    Rules are compiled when first needed, so that a start does not wait for the CEL library.
    """

    check: Check
    status: Check | None
    declared: JSON = field(default_factory=dict)

    @cached_property
    def rules(self) -> RuleTree | None:
        """The compiled rules. Raises ValueError for bad syntax."""
        return compile_rules(self.declared)


@dataclass(frozen=True, slots=True)
class Version:
    """One served version of a kind. `schema` is None where nothing is known of the fields.

    `openapi`: the declared schema of a custom resource; `message`: the table entry of a built-in kind.
    """

    name: str
    openapi: JSON | None = None
    schema: CompiledSchema | None = None
    message: str = ""
    columns: tuple[Column, ...] = ()
    served: bool = True
    scale: JSON | None = None
    has_status: bool = False
    deprecation: str = ""


def _nothing(_: JSON) -> None:
    return None


def _no_errors(_: JSON, __: JSON | None) -> list[FieldError]:
    return []


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a kind differs from the generic object.

    `prepare` fills defaults before a create or update; `validate` gets the new object and the old one;
    `reset` clears what a client may not set at creation; `label_name`: names are DNS labels.
    """

    prepare: Callable[[JSON], None] = _nothing
    validate: Callable[[JSON, JSON | None], list[FieldError]] = _no_errors
    reset: Callable[[JSON], None] = _nothing
    generation: bool = False
    unconditional_update: bool = True
    label_name: bool = False
    free_name: bool = False
    grace: Callable[[JSON, int | None], int] | None = None
    orphans_by_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A REST resource with all its versions."""

    group: str
    kind: str
    plural: str
    versions: dict[str, Version]
    storage_version: str
    namespaced: bool = True
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    selectable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strategy: Strategy = Strategy()
    custom: bool = False
    convert: Callable[[JSON, str], JSON] | None = None
    stored_as: str = ""

    @property
    def resource(self) -> GroupResource:
        return GroupResource(self.group, self.plural)

    @property
    def storage_key(self) -> str:
        """The collection that holds this kind; events of both groups share one."""
        return self.stored_as or str(self.resource)

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version

    def index(self, obj: JSON) -> dict[str, str]:
        """The values of the selectable fields of `obj`."""
        return {name: _read(obj, path) for name, path in self.selectable.items()}


def _read(obj: Any, path: Sequence[str]) -> str:
    for part in path:
        if not isinstance(obj, dict):
            return ""
        obj = obj.get(part)
    if obj is None:
        return ""
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return str(obj)


class Registry:
    """All kinds, by group, version and plural name."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Kind] = {}
        self.generation = 0
        """Grows with every change: what is derived from the registry is cached under it."""

    def add(self, kind: Kind) -> None:
        self._kinds[(kind.group, kind.plural)] = kind
        self.generation += 1

    def remove(self, resource: GroupResource) -> None:
        if self._kinds.pop((resource.group, resource.resource), None) is not None:
            self.generation += 1

    def get(self, group: str, plural: str) -> Kind | None:
        return self._kinds.get((group, plural))

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind that serves this path, None when it does not exist in that version."""
        kind = self._kinds.get((group, plural))
        if kind is None or version not in kind.versions or not kind.versions[version].served:
            return None
        return kind

    def by_kind(self, group: str, kind: str) -> Kind | None:
        for candidate in self._kinds.values():
            if candidate.group == group and candidate.kind == kind:
                return candidate
        return None

    def by_storage(self, storage_key: str) -> Kind | None:
        for candidate in self._kinds.values():
            if candidate.storage_key == storage_key:
                return candidate
        return None

    def __iter__(self) -> Iterator[Kind]:
        return iter(sorted(self._kinds.values(), key=lambda kind: (kind.group, kind.plural)))

    def groups(self) -> dict[str, list[str]]:
        """Served versions of each group, the preferred (newest) first."""
        found: dict[str, list[str]] = {}
        for kind in self:
            versions = found.setdefault(kind.group, [])
            for name, version in kind.versions.items():
                if version.served and name not in versions:
                    versions.append(name)
        for versions in found.values():
            versions.sort(key=version_rank, reverse=True)
        return found


def version_rank(name: str) -> tuple[int, int, int]:
    """Sort key of a version name: v2 > v1 > v1beta2 > v1beta1 > v1alpha1."""
    body = name.removeprefix("v")
    for stage, rank in (("alpha", 0), ("beta", 1)):
        major, found, minor = body.partition(stage)
        if found:
            return rank, _number(major), _number(minor)
    return 2, _number(body), 0


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
