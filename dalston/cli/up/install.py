"""Puts CRDs and engines into the control plane, and tells when the engines' workers are warm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dalston.kube import KubeClient, KubeSettings
from dalston.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, ENGINES
from dalston.resources import ConditionStatus, Engine
from dalston.resources.conditions import find_condition
from dalston.resources.reasons import EngineCondition

JSON = dict[str, Any]


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


async def await_warm(settings: KubeSettings, names: Sequence[str]) -> Mapping[str, str]:
    """Wait until each of these engines has a ready worker, or is known to fail.

    Gives the engines that fail, with the reason.
    """
    waiting = set(names)
    failing: dict[str, str] = {}
    async with await KubeClient.connect(settings) as kube:
        while True:
            items, version = await kube.list(ENGINES, namespace=settings.namespace)
            for item in items:
                _observe(item, waiting, failing)
            if not waiting - failing.keys():
                return failing
            async for kind, item in kube.watch(
                ENGINES, namespace=settings.namespace, since=version
            ):
                if kind in ("ADDED", "MODIFIED"):
                    _observe(item, waiting, failing)
                if not waiting - failing.keys():
                    return failing


def _observe(item: JSON, waiting: set[str], failing: dict[str, str]) -> None:
    engine = Engine.model_validate(item)
    name = engine.metadata.name
    if name not in waiting:
        return
    ready = find_condition(engine.status.conditions, EngineCondition.READY)
    if engine.status.ready > 0 and ready is not None and ready.status == ConditionStatus.TRUE:
        waiting.discard(name)
        failing.pop(name, None)
    elif engine.status.failing:
        failing[name] = engine.status.failing
