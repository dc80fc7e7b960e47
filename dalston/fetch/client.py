"""Fetching a file over HTTP(S) in constant memory, every hop checked."""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp

from dalston.fetch.addresses import GuardedResolver, is_public, private_address
from dalston.fetch.errors import TooLarge, UrlRefused, UrlUnreachable
from dalston.fetch.settings import FetchSettings

_CHUNK = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT_CLIENT_ERRORS = frozenset({408, 425, 429})
_HEADERS = MappingProxyType({"User-Agent": "dalston", "Accept": "*/*"})


@dataclass(frozen=True)
class Fetched:
    """What came: bytes written, the server's content type, the last part of the final address."""

    size: int
    content_type: str | None
    file_name: str | None


async def check_url(url: str, settings: FetchSettings | None = None) -> None:
    """Refuse early what would be refused later: raises UrlRefused, or UrlUnreachable for the host."""
    settings = settings or FetchSettings()
    host = _checked_host(url, settings)
    if _literal(host) is None:
        resolver = GuardedResolver(allow_private=settings.allow_private)
        try:
            async with asyncio.timeout(settings.connect_seconds):
                await resolver.resolve(host, urlsplit(url).port or 0)
        except TimeoutError as error:
            raise UrlUnreachable(f"The host {host!r} was not found in time.", transient=True) from (
                error
            )


async def fetch_to_file(
    url: str,
    path: Path,
    *,
    settings: FetchSettings | None = None,
    on_bytes: Callable[[int], None] = lambda total: None,
) -> Fetched:
    """Write what is at an address to a file; raises UrlRefused, UrlUnreachable, TooLarge.

    `on_bytes` is told the number of bytes so far. A file that was begun is removed on failure.
    """
    settings = settings or FetchSettings()
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(allow_private=settings.allow_private), use_dns_cache=False
    )
    timeout = aiohttp.ClientTimeout(
        total=settings.total_seconds,
        sock_connect=settings.connect_seconds,
        sock_read=settings.read_seconds,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={**_HEADERS, "Accept-Encoding": "identity"},
    ) as session:
        try:
            return await _follow(session, url, path, settings=settings, on_bytes=on_bytes)
        except BaseException as error:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            known = _translated(error)
            if known is not None:
                raise known from error
            raise


async def _follow(
    session: aiohttp.ClientSession,
    url: str,
    path: Path,
    *,
    settings: FetchSettings,
    on_bytes: Callable[[int], None],
) -> Fetched:
    for _ in range(settings.max_redirects + 1):
        _checked_host(url, settings)
        async with session.get(url, allow_redirects=False) as response:
            if response.status in _REDIRECTS and "Location" in response.headers:
                url = urljoin(url, response.headers["Location"])
                continue
            _check_answer(response, settings)
            size = await _save(response, path, settings=settings, on_bytes=on_bytes)
            return Fetched(size, response.content_type, _file_name(url))
    raise UrlUnreachable(f"More than {settings.max_redirects} redirects.", transient=False)


def _checked_host(url: str, settings: FetchSettings) -> str:
    """Give the host of an address; raises UrlRefused for what is never visited."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UrlRefused("The URL is malformed.") from error
    if parts.scheme not in ("http", "https"):
        raise UrlRefused("Only http:// and https:// URLs are fetched.")
    if not host:
        raise UrlRefused("The URL names no host.")
    literal = _literal(host)
    if literal is not None and not settings.allow_private and not is_public(literal):
        raise private_address(host)
    return host


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.split("%", 1)[0]))
    except ValueError:
        return None


def _check_answer(response: aiohttp.ClientResponse, settings: FetchSettings) -> None:
    status = response.status
    if status >= 400 or status < 200:
        transient = status >= 500 or status in _TRANSIENT_CLIENT_ERRORS
        raise UrlUnreachable(f"The server answered with status {status}.", transient=transient)
    if (response.content_length or 0) > settings.max_bytes:
        raise _too_large(settings)


async def _save(
    response: aiohttp.ClientResponse,
    path: Path,
    *,
    settings: FetchSettings,
    on_bytes: Callable[[int], None],
) -> int:
    total = 0
    with path.open("wb") as file:
        async for chunk in response.content.iter_chunked(_CHUNK):
            total += len(chunk)
            if total > settings.max_bytes:
                raise _too_large(settings)
            await asyncio.to_thread(file.write, chunk)
            on_bytes(total)
    return total


def _too_large(settings: FetchSettings) -> TooLarge:
    return TooLarge(
        f"The file is larger than {settings.max_bytes} bytes. Send a compressed or shorter recording."
    )


def _translated(error: BaseException) -> UrlUnreachable | UrlRefused | None:
    """Give this package's error for one of the HTTP client; None for those that are not the net's."""
    if isinstance(error, aiohttp.InvalidURL):
        return UrlRefused("The URL is malformed.")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
        return UrlUnreachable("The server's certificate is not valid.", transient=False)
    if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
        return UrlUnreachable("The server did not answer in time.", transient=True)
    if isinstance(error, aiohttp.ClientError):
        return UrlUnreachable(f"The transfer failed: {error}.", transient=True)
    return None


def _file_name(url: str) -> str | None:
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1]) or None
