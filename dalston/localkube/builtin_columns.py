"""The columns that `kubectl get` shows for built-in kinds."""

from __future__ import annotations

from dalston.localkube.registry import Column

NAMESPACE: tuple[Column, ...] = ()
POD: tuple[Column, ...] = ()
SECRET: tuple[Column, ...] = ()
CONFIG_MAP: tuple[Column, ...] = ()
SERVICE_ACCOUNT: tuple[Column, ...] = ()
SERVICE: tuple[Column, ...] = ()
NODE: tuple[Column, ...] = ()
JOB: tuple[Column, ...] = ()
DEPLOYMENT: tuple[Column, ...] = ()
REPLICA_SET: tuple[Column, ...] = ()
LEASE: tuple[Column, ...] = ()
DISRUPTION_BUDGET: tuple[Column, ...] = ()
CUSTOM_RESOURCE_DEFINITION: tuple[Column, ...] = ()
PRIORITY_CLASS: tuple[Column, ...] = ()
EVENT: tuple[Column, ...] = ()
