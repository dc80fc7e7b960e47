"""Where the API server is and who we are: service account in a pod, else a kubeconfig."""

import os
from pathlib import Path

from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration

from dalston.kube.settings import KubeSettings

_SERVICE_HOST = "KUBERNETES_SERVICE_HOST"


async def load_configuration(settings: KubeSettings) -> Configuration:
    """Load the official client's configuration; raises its ConfigException with what is missing."""
    configuration = Configuration()
    if settings.config is None and _SERVICE_HOST in os.environ:
        config.load_incluster_config(client_configuration=configuration)
        return configuration
    path = settings.config or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config"
    await config.load_kube_config(
        config_file=str(path), client_configuration=configuration, persist_config=False
    )
    return configuration
