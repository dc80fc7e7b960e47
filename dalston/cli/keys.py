"""`dalston keys`: the API keys in the cluster's Secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dalston.cli import console
from dalston.cli.cluster import with_cluster
from dalston.cli.exit_codes import ExitCode
from dalston.cli.problems import Problem

if TYPE_CHECKING:
    from dalston_gateway.keys import ApiKey, Scope

    from dalston.kube import KubeClient


def create(
    config: Path | None,
    name: str,
    *,
    scopes: Sequence[str],
    expires_days: int | None,
    as_json: bool,
) -> ExitCode:
    """Create a key and print it, the only time that it can be seen."""
    from dalston_gateway.keys import create_key

    wanted = _scopes(scopes)
    expires = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None

    async def make(client: KubeClient) -> tuple[ApiKey, str]:
        options = {"scopes": wanted} if wanted else {}
        return await create_key(
            client, namespace=client.settings.namespace, name=name, expires=expires, **options
        )

    key, text = with_cluster(config, make)
    if as_json:
        console.show_json({"id": key.id, "name": key.name, "key": text})
    else:
        console.say(text)
        console.tell(f"key {key.id} ({', '.join(sorted(key.scopes))}); it is not shown again")
    return ExitCode.OK


def list_keys(config: Path | None, *, as_json: bool) -> ExitCode:
    """Print what is known of each key."""
    from dalston_gateway import keys

    async def read(client: KubeClient) -> list[ApiKey]:
        return await keys.list_keys(client, namespace=client.settings.namespace)

    found = with_cluster(config, read)
    if as_json:
        console.show_json([key.model_dump(mode="json", exclude={"hash"}) for key in found])
        return ExitCode.OK
    if not found:
        console.tell("no keys; `dalston keys create NAME` makes one")
        return ExitCode.OK
    console.show_table(("ID", "NAME", "SCOPES", "AGE", "EXPIRES"), [_row(key) for key in found])
    return ExitCode.OK


def _row(key: ApiKey) -> tuple[str, ...]:
    if key.expires is None:
        expires = "never"
    else:
        over = key.is_expired(datetime.now(UTC))
        expires = f"{key.expires:%Y-%m-%d}" + (" (over)" if over else "")
    scopes = ",".join(sorted(key.scopes))
    return key.id, key.name, scopes, console.age(key.created.isoformat()), expires


def revoke(config: Path | None, id: str) -> ExitCode:
    """Remove a key."""
    from dalston_gateway.keys import revoke_key

    async def remove(client: KubeClient) -> bool:
        return await revoke_key(client, id, namespace=client.settings.namespace)

    if not with_cluster(config, remove):
        raise Problem(f"there is no key {id}", advice="`dalston keys list` shows the ids")
    console.say(f"{id}  revoked")
    return ExitCode.OK


def _scopes(names: Sequence[str]) -> frozenset[Scope]:
    from dalston_gateway.keys import Scope

    known = {scope.value for scope in Scope}
    if unknown := [name for name in names if name not in known]:
        raise Problem(
            f"there is no scope {', '.join(unknown)}",
            advice=f"scopes: {', '.join(sorted(known))}",
            code=ExitCode.USAGE,
        )
    return frozenset(Scope(name) for name in names)
