"""Reading a request: path to target, query parameters, body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from aiohttp import web

from dalston.localkube import errors, patches, protobuf
from dalston.localkube.registry import Registry
from dalston.localkube.targets import Target, WriteOptions

JSON = dict[str, Any]
MAX_BODY_BYTES = 3 * 1024 * 1024
"""The real server's limit for one object's request."""

_PATCH_TYPES = [patches.JSON_PATCH, patches.MERGE, patches.APPLY]
_YAML = ("application/yaml", "application/apply-patch+yaml", "text/yaml")


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed resource path; `parts` is what follows group and version."""

    group: str
    version: str
    parts: tuple[str, ...]


def parse_path(path: str) -> Route | None:
    """The resource path of /api/… and /apis/…; None for anything else."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) >= 2 and segments[0] == "api":
        return Route("", segments[1], tuple(segments[2:]))
    if len(segments) >= 3 and segments[0] == "apis":
        return Route(segments[1], segments[2], tuple(segments[3:]))
    return None


def find_target(registry: Registry, route: Route) -> Target:
    """What `route` addresses. Raises 404 for kinds that are not served."""
    parts, namespace = route.parts, ""
    scoped = len(parts) >= 3 and parts[0] == "namespaces"
    if scoped and not (
        route.group == "" and parts[2] in ("status", "finalize") and len(parts) == 3
    ):
        namespace, parts = parts[1], parts[2:]
    if not parts or len(parts) > 3:
        raise errors.no_such_path()
    plural, name, subresource = (*parts, "", "")[:3]
    kind = registry.find(route.group, route.version, plural)
    if kind is None or (namespace and not kind.namespaced):
        raise errors.no_such_path()
    if name and kind.namespaced and not namespace:
        raise errors.no_such_path()
    return Target(
        kind=kind,
        version=kind.versions[route.version],
        namespace=namespace,
        name=name,
        subresource=subresource,
    )


async def read_body(request: web.BaseRequest) -> bytes:
    """The raw body. Raises 413 beyond the limit."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise errors.too_large(MAX_BODY_BYTES)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise errors.too_large(MAX_BODY_BYTES) from None


def decode(raw: bytes, content_type: str) -> Any:
    """The body as JSON values. Raises 400, or 415 for protobuf of unknown kinds."""
    if content_type in _YAML:
        try:
            return yaml.safe_load(raw)
        except yaml.YAMLError as problem:
            raise errors.bad_request(f"error converting YAML to JSON: {problem}") from None
    if content_type == protobuf.MEDIA_TYPE:
        return protobuf.decode(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise errors.bad_request(f"couldn't parse the body as JSON: {problem}") from None


def patch_type(request: web.BaseRequest, *, custom: bool) -> str:
    """The media type of a PATCH. Raises 415 (strategic merge is for built-ins only)."""
    supported = _PATCH_TYPES if custom else [*_PATCH_TYPES, patches.STRATEGIC]
    if request.content_type not in supported:
        raise errors.unsupported_media_type(supported)
    return request.content_type


def write_options(request: web.BaseRequest) -> WriteOptions:
    query = request.query
    agent = request.headers.get("User-Agent", "unknown")
    return WriteOptions(
        manager=query.get("fieldManager") or agent.split("/", 1)[0] or "unknown",
        field_validation=query.get("fieldValidation") or "Warn",
        dry_run="All" in query.getall("dryRun", []),
        force=query.get("force") == "true",
    )
