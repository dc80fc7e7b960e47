"""The gateway's native API, as the commands use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx

from dalston import __version__
from dalston.cli.problems import Problem, Refused, Unreachable

JSON = dict[str, Any]

PATH = "/v1/audio/transcriptions"
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
_SILENCE_SECONDS = 90.0
"""Silence after which an event stream counts as broken; the server sends comments in between."""

Sent = Callable[[int], None]
"""Told how many bytes of an upload have been read so far."""


@dataclass(frozen=True)
class Server:
    """Where the gateway is and who asks."""

    url: str
    api_key: str | None = None

    def connect(self) -> Client:
        """Give a client; nothing is sent yet."""
        return Client(self)


class Client:
    """Connections to one server; every method may raise Unreachable or Refused."""

    def __init__(self, server: Server) -> None:
        headers = {"User-Agent": f"dalston-cli/{__version__}"}
        if server.api_key:
            headers["Authorization"] = f"Bearer {server.api_key}"
        self._server = server
        self._http = httpx.Client(
            base_url=server.url.rstrip("/"),
            headers=headers,
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def upload(self, path: Path, fields: Mapping[str, Any], *, sent: Sent) -> JSON:
        """Send a recording and create its job."""
        with path.open("rb") as file:
            files = {"file": (path.name, _Counted(file, sent), "application/octet-stream")}
            return self._json("POST", PATH, data=dict(fields), files=files, timeout=None)

    def submit_url(self, url: str, fields: Mapping[str, Any]) -> JSON:
        """Create a job for a recording that the server fetches."""
        # Given as files, plain fields make the form multipart too.
        form = [("url", (None, url))]
        for name, value in fields.items():
            form += [(name, (None, each)) for each in _listed(value)]
        return self._json("POST", PATH, files=form)

    def get(self, job: str) -> JSON:
        """Read a job, without its transcript."""
        return self._json("GET", f"{PATH}/{job}", params={"transcript": "false"})

    def jobs(self, parameters: Mapping[str, Any]) -> JSON:
        """Read one page of jobs, newest first."""
        return self._json("GET", PATH, params=dict(parameters))

    def act(self, job: str, verb: str) -> JSON:
        """Cancel or retry a job."""
        return self._json("POST", f"{PATH}/{job}/{verb}")

    def delete(self, job: str) -> None:
        """Delete a job, its recording and its transcript."""
        self._json("DELETE", f"{PATH}/{job}")

    def export(self, job: str, format: str) -> str:
        """Read the transcript in a format."""
        with self._asked():
            return self._checked(self._http.get(f"{PATH}/{job}/export/{format}")).text

    def engines(self) -> list[JSON]:
        """Read the engines with their load."""
        items: list[JSON] = self._json("GET", "/v1/engines")["items"]
        return items

    def status(self) -> JSON:
        """Read the state of the whole system."""
        return self._json("GET", "/v1/system/status")

    def events(self, job: str) -> Iterator[JSON]:
        """Yield the job whenever it has changed; ends when it has finished or the stream breaks."""
        timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        with (
            self._asked(),
            self._http.stream("GET", f"{PATH}/{job}/events", timeout=timeout) as answer,
        ):
            if answer.status_code >= 400:
                answer.read()
                self._checked(answer)
            for name, data in _server_sent(answer.iter_lines()):
                if name == "deleted":
                    raise Problem(f"job {job} was deleted")
                yield data

    def _json(self, method: str, path: str, **options: Any) -> JSON:
        with self._asked():
            answer = self._checked(self._http.request(method, path, **options))
        parsed: JSON = answer.json() if answer.content else {}
        return parsed

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise Unreachable(self._server.url, str(error) or type(error).__name__) from error
        except httpx.InvalidURL as error:
            raise Problem(f"{self._server.url} is no address of a server: {error}") from error

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code < 400:
            return answer
        raise Refused(
            answer.status_code, _problem_text(answer), advice=_ADVICE.get(answer.status_code, "")
        )


_ADVICE = {
    401: "give a key with --api-key or DALSTON_API_KEY; `dalston keys create` makes one",
    403: "the key lacks a scope: `dalston keys list` shows the scopes of each",
    404: "`dalston jobs list` shows the jobs",
}


def _problem_text(answer: httpx.Response) -> str:
    """Read RFC 9457 problem details, or say what came instead."""
    try:
        body = answer.json()
    except json.JSONDecodeError:
        body = None
    if isinstance(body, dict):
        title, detail = body.get("title"), body.get("detail")
        if isinstance(detail, str):
            return detail
        if isinstance(title, str):
            return title
    return f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}"


def _server_sent(lines: Iterator[str]) -> Iterator[tuple[str, JSON]]:
    """Read server-sent events whose data is JSON, with their names; comments are passed over."""
    name = ""
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            yield name, json.loads("\n".join(data))
            name, data = "", []


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


class _Counted:
    """A file that tells how much of it has been read."""

    def __init__(self, file: BinaryIO, sent: Sent) -> None:
        self._file = file
        self._sent = sent

    def read(self, size: int = -1) -> bytes:
        """Read on, and tell."""
        data = self._file.read(size)
        self._sent(self._file.tell())
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, as a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Give the position."""
        return self._file.tell()

    def fileno(self) -> int:
        """Give the descriptor, from which the length is known."""
        return self._file.fileno()
