"""The artifact store: audio, stage results and transcripts, by key."""

from dalston.artifacts.settings import ArtifactSettings
from dalston.artifacts.store import ArtifactNotFound, ArtifactStore, StoreFull, StoreUnavailable

__all__ = [
    "ArtifactNotFound",
    "ArtifactSettings",
    "ArtifactStore",
    "StoreFull",
    "StoreUnavailable",
]
