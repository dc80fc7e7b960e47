"""An API server that has the custom resources."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from dalston.kube import KubeClient, KubeSettings
from dalston.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS
from dalston.localkube import LocalKube

_CRDS = [yaml.safe_load(path.read_text()) for path in sorted(Path("crds").glob("*.yaml"))]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client of a control plane with the CRDs applied."""
    async with LocalKube(data_dir=tmp_path / "kube") as kube:
        kube.write_kubeconfig(tmp_path / "kubeconfig")
        settings = KubeSettings(config=tmp_path / "kubeconfig", max_retries=0)
        async with await KubeClient.connect(settings) as client:
            for definition in _CRDS:
                await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition, namespace=None)
            yield client
