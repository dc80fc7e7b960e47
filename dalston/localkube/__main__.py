"""`python -m dalston.localkube`: serves a control plane until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import signal
from pathlib import Path

import uvloop

from dalston.localkube.companions import installed
from dalston.localkube.plane import LocalKube


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dalston.localkube", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the state file")
    parser.add_argument("--port", type=int, default=6443, help="loopback port, 0 for a free one")
    parser.add_argument("--kubeconfig", type=Path, help="kubeconfig file to write")
    parser.add_argument("--namespace", default="default", help="namespace of the kubeconfig")
    parser.add_argument("--token-file", type=Path, help="file of the bearer token; made if absent")
    parser.add_argument("--server-only", action="store_true", help="no controllers, no kubelet")
    return parser.parse_args()


def _token(path: Path) -> str:
    """The token in `path`; a fresh one is written there (mode 0600) when the file does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    token = secrets.token_urlsafe(24)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    return token


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    token = _token(arguments.token_file or arguments.data_dir / "token")
    companions = [] if arguments.server_only else installed()
    async with LocalKube(
        data_dir=arguments.data_dir, port=arguments.port, token=token, companions=companions
    ) as kube:
        if arguments.kubeconfig:
            kube.write_kubeconfig(arguments.kubeconfig, namespace=arguments.namespace)
        logging.getLogger("dalston.localkube").info("serving on %s", kube.url)
        stopped = asyncio.create_task(stop.wait())
        broken = asyncio.create_task(kube.companion_ended())
        await asyncio.wait({stopped, broken}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if broken.done():
            broken.result()
        broken.cancel()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvloop.run(_serve(_arguments()))


if __name__ == "__main__":
    main()
