"""What happens to every request: an id, metrics, one log line; `//v1` is read as `/v1`."""

import asyncio
import logging
import re
import time
from contextlib import suppress
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dalston.observability import log_context
from dalston_gateway.metrics import Metrics
from dalston_gateway.settings import GatewaySettings

logger = logging.getLogger("dalston_gateway.access")

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SLASHES = re.compile(r"/{2,}")
_QUIET = frozenset({"/livez", "/readyz", "/health", "/metrics"})


class RequestMiddleware:
    """Outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, settings: GatewaySettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "//" in scope["path"]:
            scope["path"] = _SLASHES.sub("/", scope["path"])
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        scope["request_id"] = request_id
        body = _Body(receive, waits="100-continue" in headers.get("expect", "").lower())
        status = 0
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400:
                    await body.drain(self._settings)
                headers = MutableHeaders(scope=message)
                headers["request-id"] = headers["x-request-id"] = request_id
            await send(message)

        with log_context(request_id=request_id), self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, body.receive, answer)
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


class _Body:
    """A request's body, and how much of it was read."""

    def __init__(self, receive: Receive, *, waits: bool) -> None:
        self._receive = receive
        self._waits = waits
        """Whether the client sends the body only when it is asked for."""

        self._ended = False

    async def receive(self) -> Message:
        """Receive for the application."""
        message = await self._receive()
        self._waits = False
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self, settings: GatewaySettings) -> None:
        """Read on for a while: a connection closed on unread data often loses the answer."""
        if self._ended or self._waits:
            return
        left = settings.drain_bytes
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.drain_seconds):
                while left > 0:
                    message = await self.receive()
                    if not message.get("more_body", False):
                        return
                    left -= len(message["body"])
