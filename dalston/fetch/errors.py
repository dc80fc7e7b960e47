"""Why something could not be fetched."""

from typing import ClassVar


class FetchError(Exception):
    """A recording could not be fetched; `code` is one word of a closed set, for programs."""

    code: ClassVar[str] = "UrlUnreachable"


class UrlRefused(FetchError):
    """The address is none that this client visits: another scheme, or a private network."""

    code = "UrlRefused"


class TooLarge(FetchError):
    """There is more at the address than is accepted."""

    code = "TooLarge"


class UrlUnreachable(FetchError):
    """The server cannot be reached or does not give the file.

    `transient`: whether trying again may help, as after a time-out or a 5xx answer.
    """

    code = "UrlUnreachable"

    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient
