"""DELETE: graceful, by finalizers, with propagation to dependents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dalston.localkube import customkinds, errors
from dalston.localkube.objects import Objects, may_go
from dalston.localkube.registry import Kind
from dalston.localkube.storage import Record
from dalston.localkube.targets import Target

JSON = dict[str, Any]

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
DEFINITION_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


@dataclass(slots=True, kw_only=True)
class DeleteOptions:
    """What a DELETE asks for. `grace`: seconds, None for the kind's default."""

    grace: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)


def parse_options(body: JSON, query: dict[str, str]) -> DeleteOptions:
    """Options from a DeleteOptions body, overridden by query parameters. Raises 400."""
    preconditions = body.get("preconditions") or {}
    grace: Any = query.get("gracePeriodSeconds", body.get("gracePeriodSeconds"))
    propagation = query.get("propagationPolicy", body.get("propagationPolicy"))
    orphan = query.get("orphanDependents", body.get("orphanDependents"))
    if propagation is None and orphan is not None:
        propagation = "Orphan" if str(orphan).lower() == "true" else "Background"
    if propagation not in (None, "Background", "Foreground", "Orphan"):
        choices = '"Foreground", "Background", "Orphan", or nil'
        raise errors.ApiError(
            422,
            "Invalid",
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: '
            f'"{propagation}": must be one of {choices}',
        )
    try:
        seconds = None if grace is None else int(grace)
    except (TypeError, ValueError):
        raise errors.bad_request(f"invalid gracePeriodSeconds {grace!r}") from None
    dry_run = query.get("dryRun") == "All" or "All" in (body.get("dryRun") or ())
    return DeleteOptions(
        grace=seconds,
        propagation=propagation,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run=dry_run,
    )


def delete(objects: Objects, target: Target, options: DeleteOptions) -> tuple[JSON, bool]:
    """Begins or completes a deletion: the object's last state, and whether it is gone. Raises 404."""
    kind = target.kind
    record = objects.get(target)
    _check_preconditions(kind, record, options)
    obj = record.load()
    meta = obj["metadata"]
    finalizers = _finalizers(objects, kind, record=record, options=options, held=meta)
    grace = kind.strategy.grace(obj, options.grace) if kind.strategy.grace else 0
    began = "deletionTimestamp" in meta
    before = obj["metadata"].get("deletionGracePeriodSeconds", 0)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
    if not began or grace < before:
        _mark(obj, grace=grace, began=began)
    if options.dry_run:
        return obj, may_go(obj)
    gone = may_go(obj)
    if gone or obj != record.load():
        objects.commit(kind, record, obj)
    return obj, gone


def _mark(obj: JSON, *, grace: int, began: bool) -> None:
    """Sets the times of a deletion; a namespace starts terminating."""
    meta = obj["metadata"]
    if not began and "generation" in meta:
        meta["generation"] += 1
    at = datetime.now(UTC) + timedelta(seconds=grace)
    meta["deletionTimestamp"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    meta["deletionGracePeriodSeconds"] = grace
    if obj["kind"] == "Namespace":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}


def _check_preconditions(kind: Kind, record: Record, options: DeleteOptions) -> None:
    if options.uid and options.uid != record.uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({record.uid}). The object might have been deleted and then recreated"
        )
        raise errors.conflict(kind.resource, record.name, why)
    wanted = options.resource_version
    if wanted and wanted != str(record.revision):
        why = (
            f"the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion "
            f"in record ({record.revision}). The object might have been modified"
        )
        raise errors.conflict(kind.resource, record.name, why)


def _finalizers(
    objects: Objects, kind: Kind, *, record: Record, options: DeleteOptions, held: JSON
) -> list[str]:
    """The finalizers after this DELETE; propagation finalizers only where there is work for them."""
    names = list(held.get("finalizers") or ())
    policy = options.propagation
    if policy is None and not record.deleting:
        policy = "Orphan" if kind.strategy.orphans_by_default else "Background"
        if policy == "Orphan" and objects.store.dependents.get(record.uid):
            options.warnings.append(
                "child pods are preserved by default when jobs are deleted; set "
                "propagationPolicy=Background to remove them or set propagationPolicy=Orphan to "
                "suppress this warning"
            )
    if policy is not None:
        names = [name for name in names if name not in (ORPHAN, FOREGROUND)]
        if objects.store.dependents.get(record.uid):
            names += {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])
    if kind.storage_key == customkinds.RESOURCE and not record.deleting:
        names.append(DEFINITION_CLEANUP)
    return names
