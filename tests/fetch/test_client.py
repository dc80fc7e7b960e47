"""Fetching: what is refused, what fails and whose fault it is, what arrives."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from dalston.fetch import FetchSettings, TooLarge, UrlRefused, UrlUnreachable
from dalston.fetch.client import check_url, fetch_to_file

BODY = bytes(range(256)) * 4096  # 1 MiB
OPEN = FetchSettings(allow_private=True, read_seconds=0.3, connect_seconds=1.0)
GUARDED = FetchSettings()


async def recording(request: web.Request) -> web.Response:
    return web.Response(body=BODY, content_type="audio/wav")


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(BODY)


async def stalled(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"beginning")
    await asyncio.Event().wait()
    return response


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"only this")
    assert request.transport is not None
    request.transport.close()
    return response


async def redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.query["to"]})


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["code"]))


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A web server; gives its address."""
    app = web.Application()
    for handler in (recording, endless, stalled, cut_off, redirect):
        app.router.add_get(f"/{handler.__name__}", handler)
    app.router.add_get("/status/{code}", status)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    await runner.cleanup()


async def test_file_arrives_whole(server: str, tmp_path: Path) -> None:
    seen: list[int] = []
    got = await fetch_to_file(
        f"{server}/recording?x=1", tmp_path / "f", settings=OPEN, on_bytes=seen.append
    )
    assert (tmp_path / "f").read_bytes() == BODY
    assert (got.size, got.content_type, got.file_name) == (len(BODY), "audio/wav", "recording")
    assert seen[-1] == len(BODY)


async def test_redirects_are_followed(server: str, tmp_path: Path) -> None:
    got = await fetch_to_file(f"{server}/redirect?to=/recording", tmp_path / "f", settings=OPEN)
    assert got.size == len(BODY)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a.wav",
        "file:///etc/passwd",
        "http://",
        "http://[::1/",
        "http://host:99999/",
        "gopher:x",
        "http://127.0.0.1/",
        "http://[::1]:80/",
        "http://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:8000/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://user:password@127.0.0.1/",
    ],
)
async def test_address_is_refused_early_and_when_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(UrlRefused):
        await check_url(url, GUARDED)
    with pytest.raises(UrlRefused):
        await fetch_to_file(url, tmp_path / "f", settings=GUARDED)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/", "gopher:x"])
async def test_redirect_is_checked_too(server: str, target: str, tmp_path: Path) -> None:
    with pytest.raises(UrlRefused):
        await fetch_to_file(f"{server}/redirect?to={target}", tmp_path / "f", settings=OPEN)


async def test_redirect_to_a_private_address_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There is no public server here: the first host stands for one.
    from dalston.fetch import client

    monkeypatch.setattr(client, "is_public", lambda address: address == "127.0.0.1")
    with pytest.raises(UrlRefused, match=r"10\.0\.0\.1"):
        await fetch_to_file(
            f"{server}/redirect?to=http://10.0.0.1/", tmp_path / "f", settings=GUARDED
        )


@pytest.mark.parametrize(
    ("path", "transient"),
    [
        ("/status/404", False),
        ("/status/401", False),
        ("/status/429", True),
        ("/status/500", True),
        ("/status/503", True),
        ("/stalled", True),
        ("/cut_off", True),
        ("/redirect?to=/redirect?to=/redirect", False),
    ],
)
async def test_server_that_gives_no_file(
    server: str, path: str, transient: bool, tmp_path: Path
) -> None:
    with pytest.raises(UrlUnreachable) as caught:
        await fetch_to_file(
            server + path, tmp_path / "f", settings=OPEN.model_copy(update={"max_redirects": 1})
        )
    assert caught.value.transient is transient
    assert not (tmp_path / "f").exists()


async def test_server_that_is_down_may_come_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UrlUnreachable) as caught:
        await fetch_to_file(f"http://127.0.0.1:{port}/", tmp_path / "f", settings=OPEN)
    assert caught.value.transient


async def test_host_without_an_address_is_unreachable() -> None:
    with pytest.raises(UrlUnreachable, match="has no address"):
        await check_url("http://no-such-host.invalid/", GUARDED)


@pytest.mark.parametrize("path", ["/recording", "/endless"])
async def test_file_that_is_too_large_is_not_kept(server: str, path: str, tmp_path: Path) -> None:
    small = OPEN.model_copy(update={"max_bytes": 1_000_000})
    with pytest.raises(TooLarge):
        await fetch_to_file(server + path, tmp_path / "f", settings=small)
    assert not (tmp_path / "f").exists()


async def test_transfer_that_takes_too_long_is_given_up(server: str, tmp_path: Path) -> None:
    short = OPEN.model_copy(update={"total_seconds": 0.3, "max_bytes": 10**12})
    with pytest.raises(UrlUnreachable):
        await fetch_to_file(f"{server}/endless", tmp_path / "f", settings=short)
