"""The test server keeps port and streams over a crash."""

import nats
import pytest

from tests.deadlines import until, within
from tests.nats_server import NatsServer


async def test_stream_survives_kill_and_start(nats_server: NatsServer) -> None:
    url = nats_server.url
    client = await nats.connect(url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
    await client.jetstream().publish("kept.one", b"1")
    await client.close()

    nats_server.kill()
    nats_server.start()

    assert nats_server.url == url
    client = await nats.connect(url)
    assert (await client.jetstream().stream_info("KEPT")).state.messages == 1
    await client.close()


async def test_until_names_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: the moon; last seen 0"):
        await until(lambda: 0, seconds=0.05, what="the moon")


async def test_within_passes_a_timeout_of_the_awaitable_on() -> None:
    async def gives_up() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await within(5, gives_up())
