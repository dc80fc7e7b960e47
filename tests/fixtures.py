"""Fixtures for every test: NATS servers, model folders, recordings.

Each asyncio test and fixture has an event loop of its own; what lives for the whole session
(a server, a model) is therefore a process or an object without a loop.
"""

import os
from collections.abc import Iterator
from pathlib import Path

# Before anything imports a client of a model hub: a test that would download fails instead.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest

from scripts.fetch_data import BUNDLES, cache_folder, is_complete
from tests import recordings, speech
from tests.nats_server import NatsServer


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A nats-server with JetStream for the whole session: name streams uniquely, kill it never."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running nats-server of the test's own: empty, to be killed and restarted at will."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


def _model(name: str) -> Path:
    folder = cache_folder() / BUNDLES[name].folder
    if not is_complete(folder):
        pytest.fail(f"no weights in {folder}: run `python scripts/fetch_data.py {name}`")
    return folder


@pytest.fixture(scope="session")
def tiny_en() -> Path:
    """Folder of Whisper tiny.en for CTranslate2 (English only, fast)."""
    return _model("tiny.en")


@pytest.fixture(scope="session")
def whisper_base() -> Path:
    """Folder of multilingual Whisper base for CTranslate2: the default model."""
    return _model("base")


@pytest.fixture(scope="session")
def jfk() -> speech.Sample:
    """Eleven seconds of recorded English."""
    return speech.jfk()


@pytest.fixture(scope="session")
def conversation() -> recordings.Recording:
    """Two readers who take turns, 43 s mono."""
    return recordings.conversation()
