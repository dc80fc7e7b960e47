"""A thin layer over the official client's transport and credentials: plain JSON, no models."""

from dalston.kube.client import JSON, KubeClient
from dalston.kube.errors import (
    AlreadyExists,
    ApiError,
    ApiUnavailable,
    Conflict,
    Gone,
    Invalid,
    NotFound,
)
from dalston.kube.informer import Informer, WatchEvent, WatchEventType
from dalston.kube.kinds import Kind
from dalston.kube.settings import KubeSettings

__all__ = [
    "JSON",
    "AlreadyExists",
    "ApiError",
    "ApiUnavailable",
    "Conflict",
    "Gone",
    "Informer",
    "Invalid",
    "Kind",
    "KubeClient",
    "KubeSettings",
    "NotFound",
    "WatchEvent",
    "WatchEventType",
]
