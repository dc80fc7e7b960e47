"""Reads multipart/form-data part by part, in constant memory and at the pace of whoever consumes it."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum, auto

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header


class BrokenMultipart(Exception):
    """The body is not what its content type says."""


class _Mark(Enum):
    PART = auto()
    PART_END = auto()
    END = auto()


_Headers = dict[str, bytes]


@dataclass(frozen=True)
class Part:
    """The head of one part; its content comes from `MultipartReader.content()`."""

    name: str
    file_name: bytes | None


class MultipartReader:
    """One body; take the parts in order, and the content of each before the next."""

    def __init__(self, chunks: AsyncIterator[bytes], content_type: str) -> None:
        self._chunks = chunks
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise BrokenMultipart("the content type names no boundary")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._data,
                    "on_part_end": lambda: self._seen.append(_Mark.PART_END),
                    "on_end": lambda: self._seen.append(_Mark.END),
                },
            )
        except FormParserError as error:
            raise BrokenMultipart(str(error)) from error
        self._seen: deque[_Mark | _Headers | bytes] = deque()
        self._headers: _Headers = {}
        self._field = b""
        self._value = b""
        self._in_part = False

    async def parts(self) -> AsyncIterator[Part]:
        """Yield the head of each part; content that was not taken is skipped. Raises BrokenMultipart."""
        while True:
            async for _ in self.content():
                pass
            seen = await self._next()
            if seen is _Mark.END:
                return
            if isinstance(seen, dict):
                self._in_part = True
                yield _part(seen)

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the content of the part at hand. Raises BrokenMultipart."""
        while self._in_part:
            seen = await self._next()
            if seen is _Mark.PART_END:
                self._in_part = False
            elif isinstance(seen, bytes):
                yield seen

    async def _next(self) -> _Mark | _Headers | bytes:
        while not self._seen:
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                raise BrokenMultipart("the body ends before its last boundary") from None
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise BrokenMultipart(str(error)) from error
        return self._seen.popleft()

    def _begin(self) -> None:
        self._headers = {}
        self._field = self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        self._seen.append(self._headers)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._seen.append(data[start:end])


def _part(headers: _Headers) -> Part:
    kind, options = parse_options_header(headers.get("content-disposition"))
    name = options.get(b"name")
    if kind != b"form-data" or name is None:
        raise BrokenMultipart("a part has no form-data name")
    return Part(name.decode(errors="replace"), options.get(b"filename"))
