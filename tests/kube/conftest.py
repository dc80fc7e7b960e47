"""An API server whose faults the tests command, and a client of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dalston.kube import KubeClient, KubeSettings
from dalston.localkube import LocalKube


@pytest.fixture
async def kube(tmp_path: Path) -> AsyncIterator[LocalKube]:
    """An empty control plane."""
    async with LocalKube(data_dir=tmp_path / "kube") as kube:
        yield kube


@pytest.fixture
async def client(kube: LocalKube, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client that tries again at once."""
    kube.write_kubeconfig(tmp_path / "kubeconfig")
    settings = KubeSettings(config=tmp_path / "kubeconfig", max_retries=2)
    async with await KubeClient.connect(settings) as client:
        yield client
