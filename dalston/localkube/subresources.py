"""Subresources with a form of their own: scale, a pod's log and eviction, a namespace's finalize."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from dalston.localkube import deletion, errors, jsonpath, patches, requests
from dalston.localkube.objects import Objects
from dalston.localkube.registry import Version
from dalston.localkube.targets import Target

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """What `kubectl logs` asks for. `tail`: last lines only; `since_seconds`: younger lines only."""

    namespace: str
    pod: str
    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since_seconds: int | None = None
    since_time: str | None = None
    limit_bytes: int | None = None


LogSource = Callable[[LogRequest], AsyncIterator[bytes]]
"""Yields a container's log; with `follow` until the container ends. Registered by the kubelet."""


_NO_MESSAGE = Version("v1")
"""A Scale has no lists, so its strategic merge is a plain one."""


class Subresources:
    """Serves what the generic verbs do not."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.log_source: LogSource | None = None

    async def serve(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        name, kind = target.subresource, target.kind
        if name == "scale" and target.version.scale is not None:
            return await self._scale(request, target, target.version.scale)
        if kind.group == "" and kind.kind == "Pod":
            if name == "log" and request.method == "GET":
                return await self._log(request, target)
            if name == "eviction" and request.method == "POST":
                return await self._evict(request, target)
        if kind.group == "" and kind.kind == "Namespace" and name == "finalize":
            return await self._finalize(request, target)
        raise errors.no_such_path()

    async def _scale(
        self, request: web.BaseRequest, target: Target, paths: JSON
    ) -> web.StreamResponse:
        record = self._objects.get(target)
        if request.method == "GET":
            return _json(_scale_of(target, record.load(), paths))
        if request.method not in ("PUT", "PATCH"):
            raise errors.method_not_allowed()
        raw = await requests.read_body(request)
        options = requests.write_options(request)
        wanted = requests.decode(raw, request.content_type)
        if request.method == "PATCH":
            current = _scale_of(target, self._objects.get(target).load(), paths)
            wanted = patches.mutation(request.content_type, wanted, _NO_MESSAGE)(current)
        replicas = (wanted.get("spec") or {}).get("replicas", 0)
        version = (wanted.get("metadata") or {}).get("resourceVersion")

        def mutate(obj: JSON) -> JSON:
            holder = obj
            steps = paths["specReplicasPath"].strip(".").split(".")
            for step in steps[:-1]:
                holder = holder.setdefault(step, {})
            holder[steps[-1]] = replicas
            if version:
                obj["metadata"]["resourceVersion"] = version
            return obj

        plain = Target(
            kind=target.kind,
            version=target.version,
            namespace=target.namespace,
            name=target.name,
        )
        changed = self._objects.change(plain, mutate, options)
        return _json(_scale_of(target, changed, paths))

    async def _log(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        pod = self._objects.get(target).load()
        wanted = _log_request(request, target, pod)
        if self.log_source is None:
            raise errors.internal("no kubelet serves logs")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        lines = self.log_source(wanted)
        try:
            first = await anext(lines, b"")
            await response.prepare(request)
            await response.write(first)
            async for chunk in lines:
                await response.write(chunk)
        except ConnectionResetError:
            pass  # The reader has gone; following logs usually ends so.
        return response

    async def _evict(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        raw = await requests.read_body(request)
        body = requests.decode(raw, request.content_type) if raw else {}
        options = deletion.parse_options(body.get("deleteOptions") or {}, {})
        deletion.delete(self._objects, target, options)
        done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return _json(done, status=201)

    async def _finalize(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        body = requests.decode(await requests.read_body(request), request.content_type)
        record = self._objects.get(target)
        namespace = record.load()
        namespace["spec"] = body.get("spec") or {}
        return _json(self._objects.commit(target.kind, record, namespace))


def _json(body: JSON, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _at(obj: JSON, path: str) -> Any:
    found = jsonpath.compile_path(path)(obj)
    return found[0] if found else None


def _scale_of(target: Target, obj: JSON, paths: JSON) -> JSON:
    """The autoscaling/v1 Scale of `obj`."""
    meta = obj["metadata"]
    selector = _at(obj, paths["labelSelectorPath"]) if "labelSelectorPath" in paths else None
    if isinstance(selector, dict):
        labels = selector.get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    status: JSON = {"replicas": _at(obj, paths["statusReplicasPath"]) or 0}
    if selector:
        status["selector"] = selector
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"replicas": _at(obj, paths["specReplicasPath"]) or 0},
        "status": status,
    }


def _log_request(request: web.BaseRequest, target: Target, pod: JSON) -> LogRequest:
    query, spec = request.query, pod["spec"]
    names = [entry["name"] for entry in spec.get("containers") or ()]
    inits = [entry["name"] for entry in spec.get("initContainers") or ()]
    container = query.get("container", "")
    if not container and len(names) > 1:
        raise errors.bad_request(
            f"a container name must be specified for pod {target.name}, choose one of: "
            f"[{' '.join(names)}]"
        )
    container = container or names[0]
    if container not in names + inits:
        raise errors.bad_request(f"container {container} is not valid for pod {target.name}")

    def number(name: str) -> int | None:
        text = query.get(name)
        return int(text) if text and text.lstrip("-").isdigit() else None

    return LogRequest(
        namespace=target.namespace,
        pod=target.name,
        container=container,
        follow=query.get("follow") == "true",
        previous=query.get("previous") == "true",
        timestamps=query.get("timestamps") == "true",
        tail=number("tailLines"),
        since_seconds=number("sinceSeconds"),
        since_time=query.get("sinceTime"),
        limit_bytes=number("limitBytes"),
    )
