"""A recording of 1 GiB through the gateway: what that takes of its memory, and how probes fare meanwhile.

The gateway runs alone on a control plane without an operator, so that nothing else is measured.
`python -m bench.upload` prints the figures as JSON.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict

import httpx
import psutil

from bench.livez import Prober
from bench.processes import ControlPlane, control_plane, memory_mib
from bench.report import Figure
from dalston.cli.up.state import free_port

_SIZE = 2**30
_CHUNK = 2**20
_BOUNDARY = "dalston-bench"
_START_SECONDS = 20.0
_UPLOAD_SECONDS = 300.0
_SAMPLE_SECONDS = 0.02


def measure() -> list[Figure]:
    """Take the figures."""
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    async with control_plane() as plane:
        port = free_port()
        gateway = plane.start("dalston_gateway", DALSTON_GATEWAY_PORT=str(port))
        url = f"http://127.0.0.1:{port}"
        await _ready(url)
        return await asyncio.to_thread(_upload_measured, plane, gateway, url)


def _upload_measured(plane: ControlPlane, gateway: psutil.Process, url: str) -> list[Figure]:
    _upload(url, _CHUNK)  # what a first upload allocates for good is not growth
    before = memory_mib(gateway)
    with Prober(url) as prober, _Peak(gateway) as peak:
        began = time.monotonic()
        _upload(url, _SIZE)
        seconds = time.monotonic() - began
    plane.stop(gateway)
    details = {
        "before_mib": round(before, 1),
        "peak_mib": round(peak.mib, 1),
        "seconds": round(seconds, 2),
        "mib_per_second": round(_SIZE / 2**20 / seconds, 1),
    }
    return [
        Figure("1 GiB upload, growth of memory", peak.mib - before, "MiB", "<=", 50, details),
        prober.figure("1 GiB upload, /livez p99"),
    ]


class _Peak:
    """The most resident memory that a process had while the context lasted."""

    def __init__(self, process: psutil.Process) -> None:
        self.mib = 0.0
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self.mib = max(self.mib, memory_mib(self._process))


def _upload(url: str, size: int) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    answer = httpx.post(
        f"{url}/v1/audio/transcriptions",
        content=_form(size),
        headers=headers,
        timeout=_UPLOAD_SECONDS,
    )
    answer.raise_for_status()


def _form(size: int) -> Iterator[bytes]:
    """Yield a form whose file consists of line ends and dashes too, which parsers must look at."""
    piece = (bytes(range(256)) * (_CHUNK // 256))[: _CHUNK - 8] + b"\r\n--dals"
    yield _part("suspend", "") + b"true\r\n"
    yield _part("file", '; filename="long.wav"')
    for _ in range(size // _CHUNK):
        yield piece
    yield f"\r\n--{_BOUNDARY}--\r\n".encode()


def _part(name: str, more: str) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(_START_SECONDS):
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    json.dump([asdict(figure) for figure in measure()], sys.stdout, indent=1)
    print()
