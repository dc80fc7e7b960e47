"""A control plane in the test's own loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from dalston.localkube import LocalKube
from tests.localkube.client import DEFINITIONS, Client

DATA = Path(__file__).parent


@pytest.fixture
async def kube(tmp_path: Path) -> AsyncIterator[LocalKube]:
    async with LocalKube(data_dir=tmp_path / "kube", port=0) as kube:
        yield kube


@pytest.fixture
async def client(kube: LocalKube) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        client = Client(kube, session)
        yield client
        client.close()


@pytest.fixture
async def widgets(client: Client) -> Client:
    """The client, with the Widget definition in place."""
    definition = yaml.safe_load((DATA / "widgets.yaml").read_text())
    assert (await client.post(DEFINITIONS, definition)).status == 201
    return client
