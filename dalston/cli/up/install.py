"""Puts CRDs and engines into the control plane, and tells when the engines' workers are warm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from dalston.kube import ApiError, ApiUnavailable, Gone, KubeClient, KubeSettings
from dalston.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, ENGINES, PODS
from dalston.resources import ConditionStatus, Engine
from dalston.resources.conditions import find_condition
from dalston.resources.meta import ENGINE_LABEL
from dalston.resources.reasons import EngineCondition

JSON = dict[str, Any]
Failing = Callable[[str, str], Awaitable[None]]


async def apply_crds(settings: KubeSettings, crds: Iterable[JSON]) -> None:
    """Apply the CRDs."""
    async with await KubeClient.connect(settings) as kube:
        for crd in crds:
            name = crd["metadata"]["name"]
            await kube.apply(CUSTOM_RESOURCE_DEFINITIONS, name, crd, namespace=None)


async def apply_engines(settings: KubeSettings, manifests: Iterable[JSON]) -> None:
    """Apply the engines, into the namespace of the settings where a manifest names none."""
    async with await KubeClient.connect(settings) as kube:
        for manifest in manifests:
            meta = manifest["metadata"]
            namespace = meta.get("namespace", settings.namespace)
            await kube.apply(ENGINES, meta["name"], manifest, namespace=namespace)


async def forget_workers(settings: KubeSettings) -> None:
    """Take back what an earlier run said of workers: when none runs yet, none is ready."""
    async with await KubeClient.connect(settings) as kube:
        items, _ = await kube.list(ENGINES, namespace=settings.namespace)
        for item in items:
            if "status" in item:
                await kube.patch(
                    ENGINES,
                    item["metadata"]["name"],
                    {"status": {"workers": 0, "ready": 0, "failing": ""}},
                    namespace=settings.namespace,
                    sub="status",
                )


async def last_words(settings: KubeSettings, engine: str) -> str:
    """Give what the engine's newest failed worker logged last; empty when nothing can be had."""
    async with await KubeClient.connect(settings) as kube:
        try:
            pods, _ = await kube.list(
                PODS, namespace=settings.namespace, labels=f"{ENGINE_LABEL}={engine}"
            )
            failed = [pod for pod in pods if pod.get("status", {}).get("phase") == "Failed"]
            if not failed:
                return ""
            newest = max(failed, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
            path = PODS.path(settings.namespace, newest["metadata"]["name"], "log")
            # Workers log JSON, one event a line: the one line asked for is the answer's object.
            line = await kube.request("GET", f"{path}?tailLines=1")
        except (ApiError, ApiUnavailable):
            return ""
    return str(line.get("message", ""))


async def await_warm(settings: KubeSettings, names: Sequence[str], *, on_failing: Failing) -> None:
    """Wait until each of these engines has a ready worker.

    Meanwhile `on_failing(name, reason)` is called once for each engine that turns out to fail.
    """
    waiting = set(names)
    told: set[str] = set()
    async with await KubeClient.connect(settings) as kube:
        while waiting:
            items, version = await kube.list(ENGINES, namespace=settings.namespace)
            for item in items:
                await _observe(item, waiting, told, on_failing)
            if not waiting:
                return
            with suppress(ApiUnavailable, Gone):  # listed anew
                async for kind, item in kube.watch(
                    ENGINES, namespace=settings.namespace, since=version
                ):
                    if kind in ("ADDED", "MODIFIED"):
                        await _observe(item, waiting, told, on_failing)
                    if not waiting:
                        return


async def _observe(item: JSON, waiting: set[str], told: set[str], on_failing: Failing) -> None:
    engine = Engine.model_validate(item)
    name = engine.metadata.name
    if name not in waiting:
        return
    ready = find_condition(engine.status.conditions, EngineCondition.READY)
    if engine.status.ready and ready and ready.status == ConditionStatus.TRUE:
        waiting.discard(name)
    elif engine.status.failing and name not in told:
        told.add(name)
        await on_failing(name, engine.status.failing)
