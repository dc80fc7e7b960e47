"""The verbs of the resource paths: from a request and its target to an answer."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from dalston.localkube import apply, deletion, encoding, errors, listing, patches, requests
from dalston.localkube.encoding import Encoder
from dalston.localkube.objects import Objects
from dalston.localkube.registry import Registry
from dalston.localkube.subresources import Subresources
from dalston.localkube.targets import Target

JSON = dict[str, Any]


def json_response(
    body: bytes, *, status: int = 200, warnings: list[str] | None = None
) -> web.Response:
    response = web.Response(body=body, status=status, content_type="application/json")
    for warning in warnings or ():
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


class Handlers:
    """Serves the objects of all kinds."""

    def __init__(self, objects: Objects, registry: Registry, subresources: Subresources) -> None:
        self._objects = objects
        self._registry = registry
        self._subresources = subresources

    async def serve(self, request: web.BaseRequest, route: requests.Route) -> web.StreamResponse:
        """Answers a request to a resource path."""
        if route.version and route.parts[0] in _VIRTUAL:
            return await self._review(request, route)
        target = requests.find_target(self._registry, route)
        if target.subresource and not _is_plain(target):
            return await self._subresources.serve(request, target)
        method = request.method
        if method == "GET":
            return await self._read(request, target)
        if method == "POST" and not target.name:
            return await self._create(request, target)
        if method == "PUT" and target.name:
            return await self._replace(request, target)
        if method == "PATCH" and target.name:
            return await self._patch(request, target)
        if method == "DELETE" and not target.subresource:
            return await self._delete(request, target)
        raise errors.method_not_allowed()

    def _encoder(self, request: web.BaseRequest, target: Target) -> Encoder:
        accept = request.headers.get("Accept", "")
        if "as=" not in accept:
            return Encoder(target)
        return encoding.choose(target, accept, dict(request.query))

    async def _read(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        encoder = self._encoder(request, target)
        if request.query.get("watch") in ("true", "1"):
            return await listing.stream(request, self._objects, target, encoder)
        if target.name:
            return json_response(encoder.one(self._objects.get(target)))
        if target.kind.namespaced or not target.namespace:
            body = listing.list_objects(self._objects, target, request.query, encoder)
            return json_response(body)
        raise errors.no_such_path()

    async def _create(self, request: web.BaseRequest, target: Target) -> web.Response:
        if target.kind.namespaced and not target.namespace:
            raise errors.method_not_allowed()
        raw = await requests.read_body(request)
        obj = requests.decode(raw, request.content_type)
        options = requests.write_options(request)
        if target.version.deprecation:
            options.warnings.append(target.version.deprecation)
        stored = self._objects.create(target, obj, options)
        body = self._encoder(request, target).object(stored)
        return json_response(body, status=201, warnings=options.warnings)

    async def _replace(self, request: web.BaseRequest, target: Target) -> web.Response:
        raw = await requests.read_body(request)
        obj = requests.decode(raw, request.content_type)
        options = requests.write_options(request)
        stored = self._objects.replace(target, obj, options)
        body = self._encoder(request, target).object(stored)
        return json_response(body, warnings=options.warnings)

    async def _patch(self, request: web.BaseRequest, target: Target) -> web.Response:
        media = requests.patch_type(request, custom=target.kind.custom)
        raw = await requests.read_body(request)
        patch = requests.decode(raw, media)
        options = requests.write_options(request)
        status = 200
        if media == patches.APPLY:
            if "fieldManager" not in request.query:
                raise errors.ApiError(422, "Invalid", _NO_MANAGER)
            stored, created = apply.apply(self._objects, target, patch, options)
            status = 201 if created else 200
        else:
            mutate = patches.mutation(media, patch, target.version)
            stored = self._objects.change(target, mutate, options)
        body = self._encoder(request, target).object(stored)
        return json_response(body, status=status, warnings=options.warnings)

    async def _delete(self, request: web.BaseRequest, target: Target) -> web.Response:
        raw = await requests.read_body(request)
        body = requests.decode(raw, request.content_type) if raw else {}
        options = deletion.parse_options(body, dict(request.query))
        if not target.name:
            return self._delete_collection(request, target, options)
        obj, gone = deletion.delete(self._objects, target, options)
        if gone and target.kind.kind != "Pod":
            return json_response(_deleted(target, obj), warnings=options.warnings)
        return json_response(Encoder(target).object(obj), warnings=options.warnings)

    def _delete_collection(
        self, request: web.BaseRequest, target: Target, options: deletion.DeleteOptions
    ) -> web.Response:
        if target.kind.namespaced and not target.namespace:
            raise errors.method_not_allowed()
        matches = listing.build_filter(target, request.query)
        records = list(self._objects.collection(target.kind).records(target.namespace or None))
        chosen = [record for record in records if matches(record)]
        body = Encoder(target).list(chosen, {"resourceVersion": str(self._objects.store.revision)})
        for record in chosen:
            one = Target(
                kind=target.kind,
                version=target.version,
                namespace=record.namespace,
                name=record.name,
            )
            deletion.delete(self._objects, one, options)
        return json_response(body, warnings=options.warnings)

    async def _review(self, request: web.BaseRequest, route: requests.Route) -> web.Response:
        """Access reviews: everything is allowed to whoever holds the token."""
        if request.method != "POST":
            raise errors.method_not_allowed()
        review = requests.decode(await requests.read_body(request), request.content_type)
        if route.parts[0] == "selfsubjectreviews":
            review["status"] = {"userInfo": {"username": "admin", "groups": ["system:masters"]}}
        else:
            review["status"] = {"allowed": True, "reason": "the only user may do everything"}
        review.setdefault("metadata", {})
        return json_response(orjson.dumps(review), status=201)


_NO_MANAGER = (
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply '
    "patch"
)
_VIRTUAL = ("selfsubjectaccessreviews", "selfsubjectreviews", "subjectaccessreviews")


def _is_plain(target: Target) -> bool:
    """Whether the generic verbs serve this subresource."""
    return target.subresource == "status" and target.version.has_status


def _deleted(target: Target, obj: JSON) -> bytes:
    resource = target.kind.resource
    details: JSON = {"name": obj["metadata"]["name"]}
    if resource.group:
        details["group"] = resource.group
    details.update(kind=resource.resource, uid=obj["metadata"]["uid"])
    return orjson.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }
    )
