"""The API server's verbs over plain JSON.

Requests that the server turns down for load (429, 5xx) are tried again with growing pauses, as are
lost connections for every request but creates with a generated name: all other writes of Dalston
are idempotent by name.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject, RESTResponse

from dalston import __version__
from dalston.kube.credentials import load_configuration
from dalston.kube.errors import ApiUnavailable, error_of
from dalston.kube.kinds import Kind
from dalston.kube.settings import KubeSettings
from dalston.resources.meta import MANAGER

JSON = dict[str, Any]
Body = Mapping[str, Any] | list[JSON]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
_LOST = (aiohttp.ClientError, TimeoutError, ConnectionError)
_PAGE = 500


class KubeClient:
    """A connection pool to one API server; use as an async context manager."""

    def __init__(self, configuration: Configuration, settings: KubeSettings) -> None:
        self.settings = settings
        self.configuration = configuration
        self._rest = RESTClientObject(configuration)

    @classmethod
    async def connect(cls, settings: KubeSettings | None = None) -> Self:
        """Load credentials; nothing is sent yet."""
        settings = settings or KubeSettings()
        return cls(await load_configuration(settings), settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    async def get(self, kind: Kind, name: str, *, namespace: str | None = None) -> JSON:
        """Read one object; raises NotFound."""
        return await self.request("GET", kind.path(namespace, name))

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> tuple[list[JSON], str]:
        """Read all objects that match, page by page; gives them and the resource version."""
        items = []
        token: str | None = None
        while True:
            page = await self.page(
                kind, namespace=namespace, labels=labels, fields=fields, after=token
            )
            items.extend(page["items"])
            token = page["metadata"].get("continue")
            if not token:
                return items, str(page["metadata"]["resourceVersion"])

    async def page(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = _PAGE,
        after: str | None = None,
    ) -> JSON:
        """Read one page of a list; `metadata.continue` of the answer leads to the next."""
        query = _query(
            labelSelector=labels, fieldSelector=fields, limit=str(limit), **{"continue": after}
        )
        return await self.request("GET", kind.path(namespace) + query)

    async def create(self, kind: Kind, body: Mapping[str, Any], *, namespace: str | None) -> JSON:
        """Create an object; raises AlreadyExists or Invalid."""
        return await self.request("POST", kind.path(namespace) + _AS_MANAGER, body=body)

    async def replace(
        self, kind: Kind, name: str, body: Mapping[str, Any], *, namespace: str | None
    ) -> JSON:
        """Replace an object; raises Conflict when its resourceVersion is not the newest."""
        return await self.request("PUT", kind.path(namespace, name) + _AS_MANAGER, body=body)

    async def patch(
        self,
        kind: Kind,
        name: str,
        body: Body,
        *,
        namespace: str | None,
        sub: str = "",
        content_type: str = MERGE_PATCH,
    ) -> JSON:
        """Patch an object or a subresource of it, by default with a JSON merge patch."""
        path = kind.path(namespace, name, sub) + _AS_MANAGER
        return await self.request("PATCH", path, body=body, content_type=content_type)

    async def apply(
        self, kind: Kind, name: str, body: Mapping[str, Any], *, namespace: str | None
    ) -> JSON:
        """Server-side apply as Dalston, taking over the fields given."""
        path = kind.path(namespace, name) + _AS_MANAGER + "&force=true"
        return await self.request("PATCH", path, body=body, content_type=APPLY_PATCH)

    async def delete(
        self,
        kind: Kind,
        name: str,
        *,
        namespace: str | None,
        propagation: str = "Background",
        uid: str | None = None,
    ) -> JSON:
        """Delete an object; raises NotFound, or Conflict when it is another one than that `uid`."""
        query = _query(propagationPolicy=propagation)
        body = {"preconditions": {"uid": uid}} if uid else None
        return await self.request("DELETE", kind.path(namespace, name) + query, body=body)

    async def watch(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        since: str,
    ) -> AsyncIterator[tuple[str, JSON]]:
        """Yield (type, object) from that resource version on, bookmarks too.

        Ends when the server ends it; raises Gone when the version is too old, ApiUnavailable when
        the connection breaks or stays silent for `watch_inactivity` seconds.
        """
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=since,
            labelSelector=labels,
            fieldSelector=fields,
            timeoutSeconds=str(int(self.settings.watch_timeout)),
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_read=self.settings.watch_inactivity)
        try:
            response = await self._send("GET", kind.path(namespace) + query, timeout=timeout)
            try:
                if response.status >= 400:
                    raise error_of(response.status, _parse(await response.read()))
                async for line in response.content:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise error_of(int(status.get("code", 500)), status)
                    yield event["type"], event["object"]
            finally:
                response.close()
        except _LOST as error:
            raise ApiUnavailable(f"watch of {kind.plural} broke: {error!r}") from error

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> JSON:
        """Send one request and parse the answer; raises ApiError or ApiUnavailable."""
        attempt = 0
        while True:
            try:
                return await self._once(method, path, body=body, content_type=content_type)
            except _Refused as refused:
                if attempt >= self.settings.max_retries:
                    raise refused.error from None
                delay = refused.delay
            except _LOST as error:
                if attempt >= self.settings.max_retries or not _idempotent(method, body):
                    raise ApiUnavailable(f"{method} {path}: {error!r}") from error
                delay = None
            pause = delay if delay is not None else 0.1 * 2**attempt
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            attempt += 1

    async def _once(
        self,
        method: str,
        path: str,
        *,
        body: Body | None,
        content_type: str,
    ) -> JSON:
        timeout = aiohttp.ClientTimeout(total=self.settings.request_timeout)
        response = await self._send(
            method, path, body=body, content_type=content_type, timeout=timeout
        )
        try:
            data = _parse(await response.read())
        finally:
            response.release()
        if response.status < 400:
            return data
        error = error_of(response.status, data)
        if response.status in _RETRIED_STATUS:
            header = response.headers.get("Retry-After", "")
            raise _Refused(error, float(header) if header.isdigit() else error.retry_after)
        raise error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> aiohttp.ClientResponse:
        headers = {
            "Content-Type": content_type,
            "Accept": "application/json",
            "User-Agent": f"dalston/{__version__}",
        }
        token = await self.configuration.get_api_key_with_prefix(
            "BearerToken", alias="authorization"
        )
        if token:
            headers["Authorization"] = token
        response: RESTResponse = await self._rest.request(
            method,
            self.configuration.host + path,
            headers=headers,
            body=body,
            _request_timeout=timeout,
        )
        answer: aiohttp.ClientResponse = response.response
        return answer


class _Refused(Exception):
    """An answer worth another try."""

    def __init__(self, error: Exception, delay: float | None) -> None:
        self.error = error
        self.delay = delay


def _idempotent(method: str, body: Body | None) -> bool:
    if method != "POST":
        return True
    return isinstance(body, Mapping) and "name" in body.get("metadata", {})


def _query(**parameters: str | None) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


_AS_MANAGER = _query(fieldManager=MANAGER)


def _parse(data: bytes) -> JSON:
    if not data:
        return {}
    try:
        parsed: JSON = orjson.loads(data)
    except json.JSONDecodeError:
        return {"message": data.decode(errors="replace")[:1000]}
    return parsed
