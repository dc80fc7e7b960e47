"""What happens to every request: an id, metrics, one log line; `//v1` is read as `/v1`."""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dalston.observability import log_context
from dalston_gateway.metrics import Metrics

logger = logging.getLogger("dalston_gateway.access")

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SLASHES = re.compile(r"/{2,}")
_QUIET = frozenset({"/livez", "/readyz", "/health", "/metrics"})


class RequestMiddleware:
    """Outermost layer of the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "//" in scope["path"]:
            scope["path"] = _SLASHES.sub("/", scope["path"])
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        scope["request_id"] = request_id
        status = 0
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["request-id"] = headers["x-request-id"] = request_id
            await send(message)

        with log_context(request_id=request_id), self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, answer)
            finally:
                self._note(scope, status or 500, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"]
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if scope["path"] not in _QUIET:
            logger.info(
                "%s %s %d",
                method,
                scope["path"],
                status,
                extra={"status": status, "seconds": round(seconds, 4), "route": route},
            )
