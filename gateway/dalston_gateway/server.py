"""The HTTP server: uvicorn on uvloop, ended gracefully."""

import logging
import signal
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from dalston_gateway.services import Services
from dalston_gateway.settings import GatewaySettings

_KEEP_ALIVE_SECONDS = 75
"""Longer than the pooled connections of common clients and proxies idle (60 s), so that it is never the
server that closes a connection on which the next request is under way."""


class GatewayServer(uvicorn.Server):
    """A server that tells the waiting requests when it is asked to end."""

    def __init__(self, app: FastAPI, settings: GatewaySettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http="httptools",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=int(settings.shutdown_seconds) + 5,
            )
        )
        self._app = app
        self._grace = settings.shutdown_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop listening; after the grace time, whoever still waits for a transcript is answered."""
        super().handle_exit(sig, frame)
        services: Services | None = getattr(self._app.state, "services", None)
        if services is not None:
            services.stop_waiting(after=self._grace)


def _without_colours(record: logging.LogRecord) -> bool:
    """Drop uvicorn's second copy of each message, which is for terminals."""
    record.__dict__.pop("color_message", None)
    return True


def serve(app: FastAPI, settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT; ends the process with status 0 then."""
    logging.getLogger("uvicorn.error").addFilter(_without_colours)
    # After its graceful end uvicorn raises the signal once more, for whoever handled it before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    GatewayServer(app, settings).run()
