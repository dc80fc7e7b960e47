"""OpenAPI v3 documents, one per group and version, for `kubectl explain` and its validation."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from dalston.localkube import errors
from dalston.localkube.registry import Registry

JSON = dict[str, Any]


class OpenApi:
    """Serves /openapi/v3; documents are built when first asked for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def answer(self, request: web.BaseRequest, path: str) -> web.Response:
        raise errors.no_such_path()
