"""What an engine may raise, and what it means: whose fault it is and whether another try helps."""

from typing import ClassVar

from dalston.audio.errors import AudioError
from dalston.fetch.errors import FetchError


class InputError(Exception):
    """The recording or the request is at fault: the job fails at once, nothing is retried.

    `code` is one CamelCase word for programs, `message` a sentence that tells people what to change.
    """

    exit_code: ClassVar[int] = 42

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class OptionError(InputError):
    """The options of the request are at fault, such as a language that the model does not know."""

    exit_code = 43


class TaskCancelled(Exception):
    """The task is not wanted any more; let it pass through `process()`."""


class ModelMissing(Exception):
    """A model is not on this machine; the message says what to do."""


class EngineDefect(Exception):
    """The engine broke the contract, for example by a result of another stage."""


def as_input_error(error: BaseException) -> InputError | None:
    """Give the input error that an exception stands for; None when it is none."""
    if isinstance(error, InputError):
        return error
    if isinstance(error, AudioError):
        return InputError(error.code, str(error))
    if isinstance(error, FetchError) and not getattr(error, "transient", False):
        return InputError(error.code, str(error))
    return None
