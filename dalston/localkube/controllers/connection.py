"""The connection of the embedded parts to their own API server."""

from __future__ import annotations

from kubernetes.aio.client.configuration import Configuration

from dalston.kube import KubeClient, KubeSettings


def connect(url: str, token: str) -> KubeClient:
    """A client of the API server at `url`; use as an async context manager."""
    configuration = Configuration(
        host=url, api_key={"BearerToken": token}, api_key_prefix={"BearerToken": "Bearer"}
    )
    return KubeClient(configuration, KubeSettings())
