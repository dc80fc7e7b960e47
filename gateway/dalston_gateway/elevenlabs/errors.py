"""Errors in the shapes of the ElevenLabs API: `detail` is an object, or a list of fields on 422.

Statuses above 499 and 429 make the official SDKs try again, and a retry of the Python SDK loses all
form fields but the file; so whatever another try cannot mend has a lower status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.responses import json_response


@dataclass(frozen=True)
class _Words:
    """How the API says something: HTTP status, type, code, and the older clients' status."""

    http: int
    type: str
    code: str
    status: str


def _invalid(code: str, status: str) -> _Words:
    return _Words(400, "validation_error", code, status)


_WORDS = {
    Fault.MISSING_KEY: _Words(
        401, "authentication_error", "missing_api_key", "needs_authorization"
    ),
    Fault.INVALID_KEY: _Words(401, "authentication_error", "unauthorized", "invalid_api_key"),
    Fault.BAD_AUTHORIZATION: _Words(
        401, "authentication_error", "invalid_authorization_header", "invalid_authorization_header"
    ),
    Fault.FORBIDDEN: _Words(
        403, "authorization_error", "insufficient_permissions", "missing_permissions"
    ),
    Fault.MALFORMED_BODY: _Words(400, "invalid_request", "bad_request", "bad_request"),
    Fault.CONTENT_TYPE: _Words(
        400, "invalid_request", "invalid_content_type", "invalid_content_type"
    ),
    Fault.TOO_LARGE: _Words(400, "invalid_request", "request_too_large", "file_too_large"),
    Fault.MISSING_FIELD: _invalid("missing_required_field", "invalid_parameters"),
    Fault.INVALID_FIELD: _invalid("invalid_parameters", "invalid_parameters"),
    Fault.UNKNOWN_MODEL: _invalid("unsupported_model", "invalid_model_id"),
    Fault.UNKNOWN_LANGUAGE: _invalid("invalid_parameters", "invalid_language_code"),
    Fault.UNSUPPORTED: _invalid("invalid_parameters", "feature_not_available"),
    Fault.EMPTY_FILE: _Words(400, "invalid_request", "bad_request", "empty_file"),
    Fault.UNDECODABLE: _invalid("invalid_audio", "invalid_content"),
    Fault.AUDIO_TOO_SHORT: _invalid("audio_too_short", "audio_too_short"),
    Fault.AUDIO_TOO_LONG: _invalid("audio_too_long", "audio_too_long"),
    Fault.TOO_MANY_CHANNELS: _invalid("invalid_audio", "invalid_content"),
    Fault.SOURCE_URL: _invalid("invalid_parameters", "invalid_url"),
    Fault.INPUT_REJECTED: _invalid("invalid_parameters", "invalid_parameters"),
    Fault.NOT_FOUND: _Words(404, "not_found", "transcript_not_found", "transcript_not_found"),
    Fault.METHOD: _Words(405, "invalid_request", "method_not_allowed", "method_not_allowed"),
    Fault.NOT_FINISHED: _Words(409, "conflict", "already_processing", "processing"),
    Fault.CONFLICT: _Words(400, "invalid_request", "idempotency_key_reused", "bad_request"),
    Fault.CANCELLED: _Words(400, "invalid_request", "transcription_cancelled", "cancelled"),
    Fault.JOB_FAILED: _Words(500, "internal_error", "internal_error", "transcription_failed"),
    Fault.STORE_FULL: _Words(507, "service_unavailable", "insufficient_storage", "storage_full"),
    Fault.UNAVAILABLE: _Words(503, "service_unavailable", "service_unavailable", "unavailable"),
    Fault.INTERNAL: _Words(500, "internal_error", "internal_error", "internal_error"),
}

_PARAMS = {"url": "source_url", "model": "model_id", "language": "language_code"}


class ElevenLabsErrors:
    """Gives errors as the ElevenLabs API does."""

    def problem(self, problem: GatewayProblem, request_id: str) -> Response:
        """Give `{"detail": {type, code, message, status, request_id, param?, transcription_id?}}`."""
        words = _WORDS[problem.fault]
        detail: dict[str, str] = {
            "type": words.type,
            "code": words.code,
            "message": problem.message,
            "status": words.status,
            "request_id": request_id,
        }
        if problem.param is not None:
            detail["param"] = _PARAMS.get(problem.param, problem.param)
        if problem.job is not None:
            detail["transcription_id"] = problem.job
        headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after else None
        return json_response({"detail": detail}, status=words.http, headers=headers)

    def invalid(self, errors: Sequence[Mapping[str, Any]], request_id: str) -> Response:
        """Give `{"detail": [{loc, msg, type, input?}]}` with status 422."""
        return json_response({"detail": [_field(error) for error in errors]}, status=422)


def _field(error: Mapping[str, Any]) -> dict[str, Any]:
    found = {"type": error["type"], "loc": list(error["loc"]), "msg": error["msg"]}
    given = error.get("input")
    if isinstance(given, str | int | float) and len(str(given)) <= 200:
        found["input"] = given
    return found
