"""The HTTP side: authentication, dispatch of paths, errors as Status objects, limits."""

from __future__ import annotations

import hmac
import logging
import sqlite3
from typing import Any

import orjson
from aiohttp import web

from dalston.localkube import discovery, errors, requests
from dalston.localkube.errors import ApiError
from dalston.localkube.faults import Faults
from dalston.localkube.handlers import Handlers, json_response
from dalston.localkube.openapi import OpenApi
from dalston.localkube.registry import Registry

JSON = dict[str, Any]
_LOG = logging.getLogger(__name__)

MAX_IN_FLIGHT = 600
"""Requests (watches and logs apart) served at once; more get 429."""
TOKEN_PREFIX = "/token/"
"""`kubectl` sends no bearer token over plain HTTP, so its kubeconfig has it in the server's path."""
_AGGREGATED = "as=APIGroupDiscoveryList"
_AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Api:
    """Answers every request of one control plane."""

    def __init__(
        self,
        *,
        token: str,
        registry: Registry,
        handlers: Handlers,
        openapi: OpenApi,
        faults: Faults,
    ) -> None:
        self._token = token.encode()
        self._registry = registry
        self._handlers = handlers
        self._openapi = openapi
        self._faults = faults
        self._in_flight = 0

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """The handler for `aiohttp.web.Server`."""
        try:
            path = self._authorize(request)
            refusal = self._faults.next_refusal(request.method, path)
            if refusal is not None:
                raise refusal
            return await self._dispatch(request, path)
        except ApiError as problem:
            return _failure(problem)
        except sqlite3.Error as problem:
            _LOG.exception("storage failed")
            return _failure(errors.internal(f"storage: {problem}"))
        except ConnectionResetError:
            raise
        except Exception as problem:  # noqa: BLE001  answered as 500 and logged with its trace
            _LOG.exception("%s %s failed", request.method, request.path)
            return _failure(errors.internal(f"{type(problem).__name__}: {problem}"))

    def _authorize(self, request: web.BaseRequest) -> str:
        """The path without the token. Raises 401, or 403 for a foreign Host (DNS rebinding)."""
        host = request.headers.get("Host", "").rsplit(":", 1)[0]
        if host not in _LOOPBACK:
            raise ApiError(403, "Forbidden", f"host {host!r} is not served")
        path = request.path
        if path.startswith(TOKEN_PREFIX):
            given, _, rest = path.removeprefix(TOKEN_PREFIX).partition("/")
            path = f"/{rest}"
        else:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if path in ("/livez", "/readyz", "/healthz"):
            return path
        if not hmac.compare_digest(given.encode(), self._token):
            raise errors.unauthorized()
        return path

    async def _dispatch(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        route = requests.parse_path(path)
        if route is None or not route.parts:
            return self._document(request, path)
        if request.query.get("watch") or route.parts[-1] == "log":
            return await self._handlers.serve(request, route)
        if self._in_flight >= MAX_IN_FLIGHT:
            raise errors.too_many_requests(1)
        self._in_flight += 1
        try:
            return await self._handlers.serve(request, route)
        finally:
            self._in_flight -= 1

    def _document(self, request: web.BaseRequest, path: str) -> web.Response:
        """Discovery, version, health and OpenAPI."""
        path = path.rstrip("/") or "/"
        if path in ("/livez", "/readyz", "/healthz"):
            return web.Response(text="ok")
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        if path in ("/api", "/apis"):
            return self._discovery(request, core=path == "/api")
        if path.startswith("/openapi/"):
            return self._openapi.answer(request, path)
        found = self._plain_document(path)
        if found is None:
            raise errors.no_such_path()
        return json_response(orjson.dumps(found))

    def _discovery(self, request: web.BaseRequest, *, core: bool) -> web.Response:
        if _AGGREGATED in request.headers.get("Accept", ""):
            body = orjson.dumps(discovery.aggregated(self._registry, core=core))
            return web.Response(body=body, headers={"Content-Type": _AGGREGATED_TYPE})
        found = discovery.core_versions() if core else discovery.group_list(self._registry)
        return json_response(orjson.dumps(found))

    def _plain_document(self, path: str) -> JSON | None:
        if path == "/":
            return {"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz"]}
        if path == "/version":
            return discovery.VERSION
        segments = path.strip("/").split("/")
        if len(segments) == 2 and segments[0] == "api":
            return discovery.resource_list(self._registry, "", segments[1])
        if len(segments) == 3 and segments[0] == "apis":
            return discovery.resource_list(self._registry, segments[1], segments[2])
        if len(segments) == 2 and segments[0] == "apis":
            versions = discovery.groups(self._registry).get(segments[1])
            if versions:
                body = discovery.group(segments[1], versions)
                return {"kind": "APIGroup", "apiVersion": "v1", **body}
        return None


def _failure(problem: ApiError) -> web.Response:
    return web.Response(
        body=orjson.dumps(problem.status()),
        status=problem.code,
        headers=problem.headers,
        content_type="application/json",
    )
