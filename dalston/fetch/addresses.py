"""Which network addresses are public, and looking up names so that only those are connected to.

The connector connects to exactly the addresses that were checked: a name that resolves to something
else a moment later makes no difference.
"""

import asyncio
import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from dalston.fetch.errors import UrlRefused, UrlUnreachable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Tell whether an address is on the public internet, also inside IPv6 transition forms."""
    address: _Address = ipaddress.ip_address(text.split("%", 1)[0])
    inner = _embedded(address)
    if inner is not None:
        return is_public(str(inner))
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: _Address) -> ipaddress.IPv4Address | None:
    """Give the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


class GuardedResolver(AbstractResolver):
    """Looks names up and gives public addresses only; raises UrlRefused when there is none.

    Raises UrlUnreachable for names that do not resolve.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the addresses to connect to."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
        except (socket.gaierror, UnicodeError) as error:
            transient = getattr(error, "errno", None) == socket.EAI_AGAIN
            raise UrlUnreachable(
                f"The host {host!r} has no address.", transient=transient
            ) from error
        allowed = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
            if self._allow_private or is_public(str(address[0]))
        ]
        if not allowed:
            raise private_address(host)
        return allowed

    async def close(self) -> None:
        """Nothing is held."""


def private_address(host: str) -> UrlRefused:
    """Give the error for a host that is not on the public internet."""
    return UrlRefused(
        f"The host {host!r} is on a private network, which is not visited. Use a public address, "
        "or upload the recording."
    )
