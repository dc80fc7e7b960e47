"""Fixtures of the gateway's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.stack import Stack, stack


@pytest.fixture
async def gateway(tmp_path: Path, nats_url: str) -> AsyncIterator[Stack]:
    """A running gateway without API keys."""
    async with stack(tmp_path, nats_url) as running:
        yield running
