"""Answers that all dialects use."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.responses import Response

JSON_TYPE = "application/json"


class InvalidFields(Exception):
    """Fields that break their types or bounds, as pydantic's error dicts with `loc` in the request."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("the request's fields are not valid")
        self._errors = errors

    @classmethod
    def of(cls, error: ValidationError, *, where: str = "body") -> "InvalidFields":
        """Give those that a model found in a part of the request."""
        found = error.errors(include_url=False)
        return cls([{**each, "loc": (where, *each["loc"])} for each in found])

    def errors(self) -> Sequence[Mapping[str, Any]]:
        """Give the errors."""
        return self._errors


def json_response(
    content: Any,
    *,
    status: int = 200,
    media_type: str = JSON_TYPE,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Give a JSON answer; numbers that JSON does not have become null."""
    return Response(
        orjson.dumps(content), status_code=status, media_type=media_type, headers=headers
    )
