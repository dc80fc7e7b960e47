"""Every error leaves in the words of the API that was called."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dalston.observability import log_context
from dalston_gateway.elevenlabs.errors import ElevenLabsErrors
from dalston_gateway.metrics import Metrics
from dalston_gateway.native.errors import NativeErrors
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.responses import InvalidFields

logger = logging.getLogger(__name__)

_CLIENT_CLOSED_REQUEST = 499
"""Nobody reads it; logs and metrics show it, as those of nginx do."""

_FAULT_OF_STATUS = {404: Fault.NOT_FOUND, 405: Fault.METHOD}


class Dialect(Protocol):
    """How one public API says what is wrong."""

    def problem(self, problem: GatewayProblem, request_id: str) -> Response:
        """Give the answer for a problem."""

    def invalid(self, errors: Sequence[Mapping[str, Any]], request_id: str) -> Response:
        """Give the answer for fields that break their types or bounds; pydantic's error dicts."""


_DIALECTS: tuple[tuple[str, Dialect], ...] = (("/v1/speech-to-text", ElevenLabsErrors()),)
_NATIVE: Dialect = NativeErrors()


def dialect_of(request: Request) -> Dialect:
    """Give the dialect that a request's path belongs to."""
    path = request.url.path
    return next((dialect for prefix, dialect in _DIALECTS if path.startswith(prefix)), _NATIVE)


def register_errors(app: FastAPI, metrics: Metrics) -> None:
    """Make the application answer all errors through the dialects."""

    def answer(request: Request, problem: GatewayProblem) -> Response:
        metrics.problems.labels(problem.fault).inc()
        return dialect_of(request).problem(problem, _id(request))

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayProblem)
        return answer(request, error)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | InvalidFields)
        metrics.problems.labels(Fault.INVALID_FIELD).inc()
        return dialect_of(request).invalid(error.errors(), _id(request))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        fault = _FAULT_OF_STATUS.get(error.status_code, Fault.MALFORMED_BODY)
        return answer(request, GatewayProblem(fault, str(error.detail)))

    async def on_disconnect(request: Request, error: Exception) -> Response:
        with log_context(request_id=_id(request)):
            logger.info("the client left before its request was complete")
        return Response(status_code=_CLIENT_CLOSED_REQUEST)

    async def on_defect(request: Request, error: Exception) -> Response:
        with log_context(request_id=_id(request)):
            logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer(request, GatewayProblem(Fault.INTERNAL, "the gateway failed; see its log"))

    app.add_exception_handler(GatewayProblem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(InvalidFields, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(Exception, on_defect)


def _id(request: Request) -> str:
    return str(request.scope.get("request_id", ""))
