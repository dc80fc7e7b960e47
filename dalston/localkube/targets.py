"""What a request addresses, and how it wants to write."""

from __future__ import annotations

from dataclasses import dataclass, field

from dalston.localkube.registry import Kind, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request addresses. `subresource` is "", "status" or "scale"."""

    kind: Kind
    version: Version
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def api_version(self) -> str:
        return self.kind.api_version(self.version.name)


@dataclass(slots=True, kw_only=True)
class WriteOptions:
    """Query parameters of a write, and the warnings it gathers for the answer."""

    manager: str = "unknown"
    field_validation: str = "Warn"
    dry_run: bool = False
    force: bool = False
    warnings: list[str] = field(default_factory=list)
