"""The rig of the operator's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dalston.localkube import LocalKube
from tests.nats_server import NatsServer
from tests.operator.rig import Rig, open_rig


@pytest.fixture
async def rig(tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[Rig]:
    """API server, NATS and store with an engine for each stage; no operator yet."""
    async with LocalKube(data_dir=tmp_path / "kube") as kube:
        rig = await open_rig(tmp_path, kube, nats_server)
        await rig.create_engines()
        yield rig
        await rig.close()
        await rig.bus.close()
        await rig.client.close()
