"""A thin client of the API server that speaks plain JSON, and the paths that tests use."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from dalston.localkube import LocalKube

JSON = dict[str, Any]
NAMESPACE = "/api/v1/namespaces/default"
WIDGETS = "/apis/example.org/v1/namespaces/default/widgets"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
PODS = f"{NAMESPACE}/pods"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass
class Answer:
    status: int
    body: JSON
    headers: dict[str, str]

    @property
    def message(self) -> str:
        return str(self.body.get("message"))


class Stream:
    """The events of one watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> JSON:
        async with asyncio.timeout(5):
            line = await self._response.content.readline()
        if not line:
            raise EOFError
        event: JSON = orjson.loads(line)
        return event

    async def names(self, count: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]

    async def drain(self) -> None:
        """Reads until the stream ends, which raises."""
        while True:
            await self.next()

    def close(self) -> None:
        self._response.close()


class Client:
    """Sends requests with the token; answers are decoded."""

    def __init__(self, kube: LocalKube, session: aiohttp.ClientSession) -> None:
        self.kube = kube
        self.session = session
        self._streams: list[Stream] = []

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        accept: str = "application/json",
        **query: Any,
    ) -> Answer:
        headers = {
            "Authorization": f"Bearer {self.kube.token}",
            "Content-Type": media,
            "Accept": accept,
        }
        async with self.session.request(
            method,
            self.kube.url + path,
            data=io.BytesIO(orjson.dumps(body)) if body is not None else None,
            headers=headers,
            params={key: str(value) for key, value in query.items()},
        ) as response:
            raw = await response.read()
            parsed = orjson.loads(raw) if response.content_type == "application/json" else {}
            return Answer(response.status, parsed, dict(response.headers))

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.request("GET", path, **query)

    async def post(self, path: str, body: JSON, **query: Any) -> Answer:
        return await self.request("POST", path, body, **query)

    async def put(self, path: str, body: JSON, **query: Any) -> Answer:
        return await self.request("PUT", path, body, **query)

    async def merge(self, path: str, body: JSON, **query: Any) -> Answer:
        media = "application/merge-patch+json"
        return await self.request("PATCH", path, body, media=media, **query)

    async def apply(self, path: str, body: JSON, **query: Any) -> Answer:
        media = "application/apply-patch+yaml"
        return await self.request("PATCH", path, body, media=media, **query)

    async def delete(self, path: str, body: JSON | None = None, **query: Any) -> Answer:
        return await self.request("DELETE", path, body, **query)

    async def watch(self, path: str, **query: Any) -> Stream:
        response = await self.session.get(
            self.kube.url + path,
            params={"watch": "true", **{key: str(value) for key, value in query.items()}},
            headers={"Authorization": f"Bearer {self.kube.token}", "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=None),
        )
        stream = Stream(response)
        self._streams.append(stream)
        return stream

    async def gone(self, path: str) -> None:
        """Returns once the object at `path` does not exist."""
        collection, name = path.rsplit("/", 1)
        stream = await self.watch(collection, fieldSelector=f"metadata.name={name}")
        while (await self.get(path)).status != 404:
            await stream.next()

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
