"""Errors of the native API: RFC 9457 problem details."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.responses import json_response

PROBLEM_TYPE = "application/problem+json"

_STATUS = {
    Fault.MISSING_KEY: (401, "API key missing"),
    Fault.INVALID_KEY: (401, "API key not valid"),
    Fault.BAD_AUTHORIZATION: (401, "Authorization header not valid"),
    Fault.FORBIDDEN: (403, "Scope missing"),
    Fault.MALFORMED_BODY: (400, "Request cannot be read"),
    Fault.CONTENT_TYPE: (415, "Content type not supported"),
    Fault.TOO_LARGE: (413, "Request too large"),
    Fault.MISSING_FIELD: (422, "Field missing"),
    Fault.INVALID_FIELD: (422, "Field not valid"),
    Fault.UNKNOWN_MODEL: (422, "Unknown engine or model"),
    Fault.UNKNOWN_LANGUAGE: (422, "Language not supported"),
    Fault.UNSUPPORTED: (422, "Not supported by this installation"),
    Fault.EMPTY_FILE: (422, "File empty"),
    Fault.UNDECODABLE: (422, "No audio could be read"),
    Fault.AUDIO_TOO_SHORT: (422, "Audio too short"),
    Fault.AUDIO_TOO_LONG: (422, "Audio too long"),
    Fault.TOO_MANY_CHANNELS: (422, "Too many channels"),
    Fault.SOURCE_URL: (422, "URL cannot be fetched"),
    Fault.INPUT_REJECTED: (422, "Input rejected"),
    Fault.NOT_FOUND: (404, "Not found"),
    Fault.METHOD: (405, "Method not allowed"),
    Fault.NOT_FINISHED: (409, "Not finished"),
    Fault.CONFLICT: (409, "Conflict"),
    Fault.CANCELLED: (409, "Cancelled"),
    Fault.JOB_FAILED: (500, "Transcription failed"),
    Fault.STORE_FULL: (507, "Storage full"),
    Fault.UNAVAILABLE: (503, "Unavailable"),
    Fault.INTERNAL: (500, "Internal error"),
}


class NativeErrors:
    """Gives errors as problem details; `code` is stable and for programs."""

    def problem(self, problem: GatewayProblem, request_id: str) -> Response:
        """Give `{type, title, status, detail, code, request_id, param?, job?}`."""
        status, title = _STATUS[problem.fault]
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": problem.message,
            "code": problem.fault,
            "request_id": request_id,
        }
        if problem.param is not None:
            body["param"] = problem.param
        if problem.job is not None:
            body["job"] = problem.job
        headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after else {}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return json_response(body, status=status, media_type=PROBLEM_TYPE, headers=headers)

    def invalid(self, errors: Sequence[Mapping[str, Any]], request_id: str) -> Response:
        """Give status 422 with an entry in `errors` for each field."""
        fields = [
            {"field": ".".join(str(each) for each in error["loc"][1:]), "message": error["msg"]}
            for error in errors
        ]
        text = "; ".join(f"{each['field']}: {each['message']}" for each in fields)
        body = {
            "type": "about:blank",
            "title": "Fields not valid",
            "status": 422,
            "detail": text,
            "code": Fault.INVALID_FIELD,
            "request_id": request_id,
            "errors": fields,
        }
        return json_response(body, status=422, media_type=PROBLEM_TYPE)
