"""Kubernetes `Status` failures as exceptions.

Every refusal of the API server is an `ApiError` that carries the whole `Status` object, worded as the
real API server words it, because `kubectl` and clients print and parse those words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GroupResource:
    """A resource's plural name and API group ("" for the core group)."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True)
class FieldError:
    """One problem of one field: `path`, machine `reason`, and the text that follows the path."""

    path: str
    reason: str
    message: str

    def cause(self) -> JSON:
        return {"reason": self.reason, "message": self.message, "field": self.path}

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ApiError(Exception):
    """A failed request, with the `Status` body to answer (HTTP status in `code`)."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: JSON | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def status(self) -> JSON:
        body: JSON = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def quote(value: object) -> str:
    """`value` as the Go field errors print it: strings quoted, numbers bare, the rest as JSON."""
    if value is None:
        return "null"
    return orjson.dumps(value, default=str).decode()


def required(path: str, detail: str = "") -> FieldError:
    message = f"Required value: {detail}" if detail else "Required value"
    return FieldError(path, "FieldValueRequired", message)


def invalid_value(path: str, value: object, detail: str) -> FieldError:
    return FieldError(path, "FieldValueInvalid", f"Invalid value: {quote(value)}: {detail}")


def type_invalid(path: str, shown: str, detail: str) -> FieldError:
    return FieldError(path, "FieldValueTypeInvalid", f"Invalid value: {quote(shown)}: {detail}")


def not_supported(path: str, value: object, choices: list[Any]) -> FieldError:
    listed = ", ".join(quote(choice) for choice in choices)
    message = f"Unsupported value: {quote(value)}: supported values: {listed}"
    return FieldError(path, "FieldValueNotSupported", message)


def duplicate(path: str, shown: str) -> FieldError:
    return FieldError(path, "FieldValueDuplicate", f"Duplicate value: {shown}")


def forbidden_field(path: str, detail: str) -> FieldError:
    return FieldError(path, "FieldValueForbidden", f"Forbidden: {detail}")


def too_long(path: str, limit: int) -> FieldError:
    return FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    noun = "item" if limit == 1 else "items"
    message = f"Too many: {actual}: must have at most {limit} {noun}"
    return FieldError(path, "FieldValueTooMany", message)


def _details(resource: GroupResource, name: str) -> JSON:
    details: JSON = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.resource
    return details


def not_found(resource: GroupResource, name: str) -> ApiError:
    return ApiError(
        404, "NotFound", f'{resource} "{name}" not found', details=_details(resource, name)
    )


def already_exists(resource: GroupResource, name: str) -> ApiError:
    return ApiError(
        409,
        "AlreadyExists",
        f'{resource} "{name}" already exists',
        details=_details(resource, name),
    )


OBJECT_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(resource: GroupResource, name: str, why: str = OBJECT_MODIFIED) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


def apply_conflict(causes: list[JSON], message: str) -> ApiError:
    return ApiError(409, "Conflict", message, details={"causes": causes})


def forbidden(resource: GroupResource, name: str, why: str, **details: Any) -> ApiError:
    message = f'{resource} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, details={**_details(resource, name), **details})


def invalid(group: str, kind: str, *, name: str, errors: list[FieldError]) -> ApiError:
    """422 for `errors`, deduplicated, in the order they were found."""
    unique = list(dict.fromkeys(errors))
    texts = [str(error) for error in unique]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(
        422,
        "Invalid",
        f'{qualified} "{name}" is invalid: {joined}',
        details={
            "name": name,
            **({"group": group} if group else {}),
            "kind": kind,
            "causes": [error.cause() for error in unique],
        },
    )


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def no_such_path() -> ApiError:
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, details={})


def unsupported_media_type(supported: list[str]) -> ApiError:
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(supported)
    )
    return ApiError(415, "UnsupportedMediaType", message)


def too_large(limit: int) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def too_old(requested: int, oldest: int) -> ApiError:
    return expired(f"too old resource version: {requested} ({oldest})")


def too_many_requests(retry_after: int) -> ApiError:
    return ApiError(
        429,
        "TooManyRequests",
        "The server is currently unable to handle the request, please try again later",
        details={"retryAfterSeconds": retry_after},
        headers={"Retry-After": str(retry_after)},
    )


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")
