"""Who asks."""

from dataclasses import dataclass

from dalston.resources.meta import OWNER_KEY_LABEL
from dalston.resources.transcription_job import TranscriptionJob


@dataclass(frozen=True)
class Caller:
    """Who asks; `key_id` is None where no keys are asked for, which sees everything."""

    key_id: str | None
    sees_all: bool

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the jobs that the caller creates."""
        return {OWNER_KEY_LABEL: self.key_id} if self.key_id else {}

    def owns(self, owner: str | None) -> bool:
        """Tell whether a job of that owner (a key id) is the caller's to see."""
        return self.sees_all or owner == self.key_id

    def sees(self, job: TranscriptionJob) -> bool:
        """Tell whether the job is the caller's to see."""
        return self.owns(job.metadata.labels.get(OWNER_KEY_LABEL))


ANYBODY = Caller(key_id=None, sees_all=True)
