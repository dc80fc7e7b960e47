"""A store in a folder."""

from pathlib import Path

import pytest

from dalston.artifacts import ArtifactSettings, ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    return ArtifactStore.open(ArtifactSettings(url=f"file://{tmp_path}/store"))
