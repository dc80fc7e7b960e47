"""Requests that come before the first list of a watch wait for it: an empty cache is no answer."""

import asyncio

from dalston_gateway.problems import Fault, GatewayProblem


async def known(synced: asyncio.Event, *, what: str, timeout: float) -> None:
    """Wait until `what` has been read; raises GatewayProblem after `timeout` seconds."""
    if synced.is_set():
        return
    try:
        async with asyncio.timeout(timeout):
            await synced.wait()
    except TimeoutError as error:
        raise GatewayProblem(
            Fault.UNAVAILABLE, f"the {what} have not been read yet", retry_after=2
        ) from error
