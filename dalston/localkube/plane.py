"""A whole control plane: store, kinds, HTTP server, garbage collector and companions, started and stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from dalston.localkube import apply, builtins, cel, customkinds, expiry, requests
from dalston.localkube.faults import Faults
from dalston.localkube.gc import Collector
from dalston.localkube.handlers import Handlers
from dalston.localkube.kubeconfig import write_kubeconfig
from dalston.localkube.objects import Objects
from dalston.localkube.openapi import OpenApi
from dalston.localkube.registry import Registry
from dalston.localkube.server import Api
from dalston.localkube.storage import Store, lock_folder
from dalston.localkube.subresources import LogSource, Subresources
from dalston.localkube.targets import Target, WriteOptions
from dalston.localkube.watch import Event, EventType

JSON = dict[str, Any]
_LOG = logging.getLogger(__name__)

RING_SIZE = 8192
"""Events kept per resource for watches that resume; older revisions get 410 Expired."""
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

Companion = Callable[["LocalKube"], Awaitable[None]]
"""A part that runs beside the server in its loop (controllers, kubelet) until it is cancelled."""


class LocalKube:
    """The embedded control plane, as an asynchronous context manager.

    Listens on loopback only. `port` 0 takes a free one; `token` None makes a fresh one; `data_dir` holds
    the SQLite file. `companions` are started once the server answers and cancelled before it stops.
    """

    def __init__(
        self,
        *,
        data_dir: Path | str,
        port: int = 0,
        token: str | None = None,
        companions: Sequence[Companion] = (),
        ring_size: int = RING_SIZE,
    ) -> None:
        self._data_dir = Path(data_dir)
        self._port = port
        self.token = token or secrets.token_urlsafe(24)
        self._companions = companions
        self._ring_size = ring_size
        self._tasks: list[asyncio.Task[None]] = []
        self._running: list[asyncio.Task[None]] = []
        self._runner: web.ServerRunner | None = None
        self.url = ""

    async def __aenter__(self) -> LocalKube:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Opens the store and serves; afterwards `url` is set. Raises OSError when the port is taken."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(self._data_dir)
        self._store = Store.open(self._data_dir / "state.db", ring_size=self._ring_size)
        self._registry = Registry()
        self._objects = Objects(self._store, self._registry, track=apply.track)
        self._subresources = Subresources(self._objects)
        self.faults = Faults(self._store)
        self._register_kinds()
        self._ensure_namespaces()
        try:
            await self._listen()
        except OSError:
            await self._close()
            raise
        self._spawn(_import_cel, "import of CEL")
        self._spawn(partial(expiry.run, self._store), "expiry of events")
        collector = Collector(self._objects)
        self._collection = self._spawn(collector.run, "garbage collector")
        self._running = [
            self._spawn(partial(companion, self), getattr(companion, "__module__", "companion"))
            for companion in self._companions
        ]

    async def stop(self) -> None:
        """Cancels the companions, ends all connections, closes the store."""
        for task in reversed(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for collection in self._store.collections():
            for watcher in collection.hub.watchers():
                watcher.close()
        await self._close()

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._store.close()
        os.close(self._lock)

    @property
    def data_dir(self) -> Path:
        """Folder of the state file; companions keep theirs there too."""
        return self._data_dir

    async def companion_ended(self) -> None:
        """Waits until a companion ends by itself, which none should, and raises its error."""
        if not self._running:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("a companion ended")

    def serve_logs(self, source: LogSource) -> None:
        """Registers what answers `kubectl logs`."""
        self._subresources.log_source = source

    def expire_events(self) -> None:
        """Ends the events that are past their hour, now instead of at the next sweep."""
        expiry.sweep(self._store, older_than=expiry.EVENT_SECONDS)

    def watch_count(self, resource: str) -> int:
        """Open watches of a resource ("plural.group")."""
        return len(self._store.collection(resource).hub.watchers())

    def pause_collection(self) -> None:
        """Stops garbage collection until the next start, as a crash in its midst would (tests)."""
        self._collection.cancel()

    def write_kubeconfig(self, path: Path, *, namespace: str = "default") -> None:
        """Writes a kubeconfig for this control plane (mode 0600)."""
        write_kubeconfig(path, url=self.url, token=self.token, namespace=namespace)

    def _spawn(self, work: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except Exception:
                _LOG.exception("%s ended", name)
                raise

        task = asyncio.create_task(run(), name=name)
        self._tasks.append(task)
        return task

    async def _listen(self) -> None:
        api = Api(
            token=self.token,
            registry=self._registry,
            handlers=Handlers(self._objects, self._registry, self._subresources),
            openapi=OpenApi(self._registry),
            faults=self.faults,
        )
        server = web.Server(api.serve, request_factory=_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=1024)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    def _register_kinds(self) -> None:
        for kind in builtins.kinds():
            self._registry.add(kind)
            if kind.selectable:
                self._store.set_index(kind.storage_key, kind.index)
        definitions = self._store.collection(customkinds.RESOURCE)
        for record in definitions.records():
            self._register_definition(record.load())
        self._store.listeners.append(self._observe_definitions)

    def _observe_definitions(self, resource: str, event: Event) -> None:
        if resource != customkinds.RESOURCE:
            return
        definition = event.record.load()
        if event.type is EventType.DELETED:
            self._registry.remove(customkinds.kind_of(definition).resource)
        elif event.previous is None or _generation(event.previous.load()) != _generation(
            definition
        ):
            self._register_definition(definition)

    def _register_definition(self, definition: JSON) -> None:
        kind = customkinds.kind_of(definition)
        self._registry.add(kind)
        self._store.set_index(kind.storage_key, kind.index)

    def _ensure_namespaces(self) -> None:
        kind = self._registry.get("", "namespaces")
        assert kind is not None
        target = Target(kind=kind, version=kind.versions["v1"])
        for name in SYSTEM_NAMESPACES:
            if self._store.collection("namespaces").get("", name) is None:
                namespace = {"metadata": {"name": name}}
                self._objects.create(target, namespace, WriteOptions(manager="localkube"))


async def _import_cel() -> None:
    """Imports the CEL library before the first object needs it."""
    await asyncio.to_thread(cel.library)


def _generation(definition: JSON) -> Any:
    return definition["metadata"].get("generation")


def _request(*args: Any) -> web.BaseRequest:
    """A request whose body may be as large as the API allows."""
    message, payload, protocol, writer, task = args
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message,
        payload,
        protocol,
        writer,
        task,
        loop,
        client_max_size=requests.MAX_BODY_BYTES,
    )
