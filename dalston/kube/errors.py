"""What the API server refuses, as exceptions."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An answer with a status of 400 or more; `reason` and `message` are those of its Status."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.reason = str(body.get("reason", ""))
        self.message = str(body.get("message", ""))
        self.details: Mapping[str, Any] = body.get("details") or {}
        super().__init__(f"{status} {self.reason}: {self.message}")

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server asks to be tried again."""
        seconds = self.details.get("retryAfterSeconds")
        return float(seconds) if seconds is not None else None


class NotFound(ApiError):
    """404: the object or the kind is not there."""


class AlreadyExists(ApiError):
    """409 on create: an object of that name exists."""


class Conflict(ApiError):
    """409: the object changed since it was read."""


class Gone(ApiError):
    """410: the resource version is too old to watch or page from."""


class Invalid(ApiError):
    """422, or 400: the object breaks its schema or rules."""


class ApiUnavailable(Exception):
    """The API server cannot be reached, or did not answer in time."""


def error_of(status: int, body: Mapping[str, Any]) -> ApiError:
    """Give the exception for an answer."""
    reason = body.get("reason")
    if status == 404:
        return NotFound(status, body)
    if status == 409:
        return (AlreadyExists if reason == "AlreadyExists" else Conflict)(status, body)
    if status == 410 or reason in ("Expired", "Gone"):
        return Gone(status, body)
    if status in (400, 422):
        return Invalid(status, body)
    return ApiError(status, body)
