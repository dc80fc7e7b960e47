"""Probes `/livez` ten times a second, as a kubelet would but oftener, and keeps the times."""

import threading
import time
from types import TracebackType
from typing import Self

import httpx

from bench.report import Figure

_INTERVAL = 0.1
_TIMEOUT = 5.0


class Prober:
    """Probes in a thread of its own while the context lasts."""

    def __init__(self, url: str) -> None:
        self.seconds: list[float] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(_TIMEOUT + 1)

    def figure(self, name: str) -> Figure:
        """Give the 99th percentile in milliseconds."""
        ordered = sorted(self.seconds)
        p99 = ordered[int(len(ordered) * 0.99)] if ordered else float("inf")
        details = {"probes": len(ordered), "max_ms": 1000 * max(ordered, default=0.0)}
        return Figure(name, 1000 * p99, "ms", "<=", 100, details)

    def _run(self) -> None:
        with httpx.Client(timeout=_TIMEOUT) as client:
            while not self._stop.wait(_INTERVAL):
                began = time.monotonic()
                try:
                    client.get(f"{self._url}/livez").raise_for_status()
                    self.seconds.append(time.monotonic() - began)
                except httpx.HTTPError:
                    self.seconds.append(_TIMEOUT)
