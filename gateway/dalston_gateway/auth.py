"""Who asks, and what they may do."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from dalston_gateway.caller import ANYBODY, Caller
from dalston_gateway.keys import Scope
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.readiness import known
from dalston_gateway.services import Services, services_of

KEY_HEADER = "xi-api-key"
_BEARER = "bearer "


async def authenticate(request: Request, services: Services, scope: Scope) -> Caller:
    """Give the caller; raises GatewayProblem without a valid key that has the scope."""
    if not services.settings.auth_required:
        return ANYBODY
    text = presented_key(request)
    if text is None:
        raise GatewayProblem(
            Fault.MISSING_KEY, f"an API key is needed, in {KEY_HEADER} or Authorization: Bearer"
        )
    await known(
        services.keys.informer.synced,
        what="API keys",
        timeout=services.settings.api_patience_seconds,
    )
    key = services.keys.find(text, datetime.now(UTC))
    if key is None:
        raise GatewayProblem(Fault.INVALID_KEY, "the API key is not valid or has expired")
    if not key.allows(scope):
        raise GatewayProblem(Fault.FORBIDDEN, f"the API key lacks the scope {scope}")
    return Caller(key_id=key.id, sees_all=key.allows(Scope.ADMIN))


def presented_key(request: Request) -> str | None:
    """Give the key that the request carries; `xi-api-key` comes before `Authorization`."""
    key = request.headers.get(KEY_HEADER)
    if key:
        return key.strip()
    header = request.headers.get("authorization")
    if not header:
        return None
    if not header.lower().startswith(_BEARER):
        raise GatewayProblem(Fault.BAD_AUTHORIZATION, "Authorization must be: Bearer <API key>")
    return header[len(_BEARER) :].strip()


async def _may_read(request: Request) -> Caller:
    return await authenticate(request, services_of(request), Scope.READ)


async def _may_transcribe(request: Request) -> Caller:
    return await authenticate(request, services_of(request), Scope.TRANSCRIBE)


Reader = Annotated[Caller, Depends(_may_read)]
"""A caller with the scope `read`."""

Transcriber = Annotated[Caller, Depends(_may_transcribe)]
"""A caller with the scope `transcribe`."""
