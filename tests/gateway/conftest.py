"""Fixtures of the gateway's tests: modules that use `gateway` run on one event loop each."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway.stack import Stack, stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway(
    tmp_path_factory: pytest.TempPathFactory, nats_url: str
) -> AsyncIterator[Stack]:
    """A running gateway without API keys, for all tests of a module."""
    async with stack(tmp_path_factory.mktemp("gateway"), nats_url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(shared_gateway: Stack) -> AsyncIterator[Stack]:
    """The module's gateway, without jobs and uploads of earlier tests."""
    yield shared_gateway
    await shared_gateway.clear()
