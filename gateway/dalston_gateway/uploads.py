"""Receives forms: fields into memory, the recording straight into the artifact store.

The recording never passes through memory as a whole nor through a temporary file, and the client is
read only as fast as the store takes it. Whatever ends a request before its job exists, nothing of the
upload is left.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request

from dalston.artifacts import ArtifactStore, StoreFull, StoreUnavailable, keys
from dalston_gateway import file_names
from dalston_gateway.metrics import Metrics
from dalston_gateway.multipart import BrokenMultipart, MultipartReader, Part
from dalston_gateway.names import new_name
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)

FILE_FIELD = "file"
MULTIPART = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"

_PIECE = 256 * 1024
"""Bytes handed to the store at once: larger pieces cost memory, smaller ones calls."""


@dataclass(frozen=True)
class Upload:
    """A stored recording."""

    key: str
    size: int
    file_name: str | None


@dataclass
class Form:
    """A received form; the upload is removed with it unless `keep()` was called."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    upload: Upload | None = None
    kept: bool = False

    def keep(self) -> None:
        """Leave the upload to the job that names it."""
        self.kept = True


class Receiver:
    """Reads forms into the store."""

    def __init__(self, store: ArtifactStore, settings: GatewaySettings, metrics: Metrics) -> None:
        self._store = store
        self._settings = settings
        self._metrics = metrics

    @asynccontextmanager
    async def form(self, request: Request) -> AsyncIterator[Form]:
        """Give the request's form. Raises GatewayProblem, and ClientDisconnect when the client left."""
        upload = new_name()
        form = Form()
        try:
            await self._receive(request, upload, form)
            yield form
        finally:
            if form.upload is None or not form.kept:
                await self._discard(upload)

    async def _receive(self, request: Request, upload: str, form: Form) -> None:
        stream = self._unstalled(request.stream())
        async with aclosing(stream):
            try:
                await self._parse(request, stream, upload, form)
            except BrokenMultipart as error:
                raise GatewayProblem(
                    Fault.MALFORMED_BODY, f"the form cannot be read: {error}"
                ) from error
            except StoreFull as error:
                raise GatewayProblem(
                    Fault.STORE_FULL, "there is no room left to store the recording"
                ) from error
            except StoreUnavailable as error:
                logger.error("an upload could not be stored: %s", error)
                raise GatewayProblem(
                    Fault.UNAVAILABLE, "the recording cannot be stored at the moment"
                ) from error

    async def _unstalled(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Give the chunks; a client that sends nothing for too long is refused."""
        seconds = self._settings.upload_silence_seconds
        async with aclosing(stream):
            while True:
                try:
                    async with asyncio.timeout(seconds):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise GatewayProblem(
                        Fault.MALFORMED_BODY, f"nothing was sent for {seconds:g} s"
                    ) from error
                yield chunk

    async def _parse(
        self, request: Request, stream: AsyncIterator[bytes], upload: str, form: Form
    ) -> None:
        content_type = request.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        self._check_length(request)
        if kind == URL_ENCODED:
            await self._read_url_encoded(stream, form)
        elif kind == MULTIPART:
            await self._read_multipart(MultipartReader(stream, content_type), upload, form)
        else:
            raise GatewayProblem(
                Fault.CONTENT_TYPE,
                f"the body must be {MULTIPART}, not {kind or 'without a content type'}",
            )

    def _check_length(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        limit = self._settings.upload_max_bytes + self._settings.form_max_bytes
        if length.isdigit() and int(length) > limit:
            raise self._too_large()

    def _too_large(self) -> GatewayProblem:
        limit = self._settings.upload_max_bytes
        return GatewayProblem(
            Fault.TOO_LARGE, f"the recording is larger than {limit} bytes", param=FILE_FIELD
        )

    async def _read_url_encoded(self, stream: AsyncIterator[bytes], form: Form) -> None:
        body = await self._bounded(stream, self._settings.form_max_bytes)
        limit = self._settings.form_max_fields
        try:
            pairs = parse_qsl(
                body.decode(), keep_blank_values=True, errors="strict", max_num_fields=limit
            )
        except ValueError as error:
            raise GatewayProblem(
                Fault.MALFORMED_BODY, f"the form cannot be read: {error}"
            ) from error
        for name, value in pairs:
            form.fields.setdefault(name, []).append(value)

    async def _read_multipart(self, reader: MultipartReader, upload: str, form: Form) -> None:
        room = self._settings.form_max_bytes
        count = 0
        async for part in reader.parts():
            count += 1
            if count > self._settings.form_max_fields:
                raise GatewayProblem(Fault.TOO_LARGE, "the form has too many fields")
            if part.name == FILE_FIELD:
                await self._read_file(reader, part, upload, form)
            elif part.file_name is None:
                content = await self._bounded(reader.content(), room)
                room -= len(content)
                form.fields.setdefault(part.name, []).append(_text(part.name, content))

    async def _read_file(
        self, reader: MultipartReader, part: Part, upload: str, form: Form
    ) -> None:
        if form.upload is not None:
            raise GatewayProblem(Fault.INVALID_FIELD, "only one file is taken", param=FILE_FIELD)
        key = keys.upload_source(upload)
        size = await self._store.put_stream(key, self._measured(_pieces(reader.content())))
        if size == 0:
            raise GatewayProblem(Fault.EMPTY_FILE, "the file is empty", param=FILE_FIELD)
        form.upload = Upload(key, size, file_names.clean(part.file_name))

    async def _measured(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        total = 0
        async for chunk in chunks:
            total += len(chunk)
            if total > self._settings.upload_max_bytes:
                raise self._too_large()
            self._metrics.upload_bytes.inc(len(chunk))
            yield chunk

    async def _bounded(self, chunks: AsyncIterator[bytes], limit: int) -> bytes:
        content = bytearray()
        async for chunk in chunks:
            content += chunk
            if len(content) > limit:
                raise GatewayProblem(
                    Fault.TOO_LARGE, "the form's fields are too large, the file aside"
                )
        return bytes(content)

    async def _discard(self, upload: str) -> None:
        try:
            await self._store.delete_folder(keys.upload_folder(upload))
        except StoreUnavailable as error:
            logger.warning("upload %s is left to the sweep: %s", upload, error)


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join small chunks, so that each call to the store moves a fair amount."""
    joined = bytearray()
    async for chunk in chunks:
        joined += chunk
        if len(joined) >= _PIECE:
            yield bytes(joined)
            joined.clear()
    if joined:
        yield bytes(joined)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise GatewayProblem(
            Fault.INVALID_FIELD, f"{name} is not valid UTF-8", param=name
        ) from error
