"""What can be wrong with a request, in words that every dialect translates into its own."""

from enum import StrEnum


class Fault(StrEnum):
    """The closed set of what can go wrong; each dialect has a status and a code for each."""

    MISSING_KEY = "missing_key"
    INVALID_KEY = "invalid_key"
    BAD_AUTHORIZATION = "bad_authorization"
    FORBIDDEN = "forbidden"
    MALFORMED_BODY = "malformed_body"
    CONTENT_TYPE = "content_type"
    TOO_LARGE = "too_large"
    MISSING_FIELD = "missing_field"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_LANGUAGE = "unknown_language"
    UNSUPPORTED = "unsupported"
    EMPTY_FILE = "empty_file"
    UNDECODABLE = "undecodable"
    AUDIO_TOO_SHORT = "audio_too_short"
    AUDIO_TOO_LONG = "audio_too_long"
    TOO_MANY_CHANNELS = "too_many_channels"
    SOURCE_URL = "source_url"
    INPUT_REJECTED = "input_rejected"
    NOT_FOUND = "not_found"
    METHOD = "method"
    NOT_FINISHED = "not_finished"
    CONFLICT = "conflict"
    CANCELLED = "cancelled"
    JOB_FAILED = "job_failed"
    STORE_FULL = "store_full"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class GatewayProblem(Exception):
    """Ends a request with the dialect's error.

    `param` names the field at fault: `file`, `url`, `model`, `language`, or as the dialect spells it.
    `job` is the job that it is about, `retry_after` the seconds after which another try makes sense.
    """

    def __init__(
        self,
        fault: Fault,
        message: str,
        *,
        param: str | None = None,
        job: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.param = param
        self.job = job
        self.retry_after = retry_after
