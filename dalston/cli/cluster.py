"""The Kubernetes API, for commands that administer: which one, and what went wrong with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from dalston.cli.exit_codes import ExitCode
from dalston.cli.problems import Problem, Refused

T = TypeVar("T")


def kubeconfig_of(chosen: Path | None, state_dir: Path) -> Path | None:
    """Give the kubeconfig: the chosen one, else that of the state folder; None for the usual ones."""
    if chosen is not None:
        return chosen
    if "DALSTON_KUBE_CONFIG" in os.environ or "KUBECONFIG" in os.environ:
        return None
    local = state_dir / "kubeconfig"
    return local if local.exists() else None


def with_cluster(config: Path | None, work: Callable[..., Awaitable[T]]) -> T:
    """Do `work(client)` with a client of the API server; raises Problem in words for people."""
    from kubernetes.aio.config import ConfigException

    from dalston.kube import ApiError, ApiUnavailable, KubeClient, KubeSettings

    async def run() -> T:
        settings = KubeSettings(max_retries=1)
        if config is not None:
            settings = settings.model_copy(update={"config": config})
        async with await KubeClient.connect(settings) as client:
            return await work(client)

    try:
        return asyncio.run(run())
    except ConfigException as error:
        raise Problem(
            f"no Kubernetes API to talk to: {error}",
            advice="run `dalston up` here, or give --kubeconfig",
            code=ExitCode.UNREACHABLE,
        ) from error
    except ApiUnavailable as error:
        raise Problem(
            f"the Kubernetes API does not answer: {error}",
            advice="is it running? `dalston up` says",
            code=ExitCode.UNREACHABLE,
        ) from error
    except ApiError as error:
        raise Refused(error.status, error.message) from error
