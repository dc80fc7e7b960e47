"""The streaming reader of multipart bodies."""

from collections.abc import AsyncIterator

import pytest
from dalston_gateway.multipart import BrokenMultipart, MultipartReader, Part
from hypothesis import given, settings
from hypothesis import strategies as st

TYPE = "multipart/form-data; boundary=b0und"
BODY = (
    b'--b0und\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nscribe_v1\r\n'
    b'--b0und\r\nContent-Disposition: form-data; name="file"; filename="a b.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n\r\n--b0un\r\n--b0und-\r\n\x00\xff\r\n--b0und--\r\n"
)


async def chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, *, size: int = 1 << 16) -> list[tuple[Part, bytes]]:
    reader = MultipartReader(chunks(body, size), TYPE)
    found = []
    async for part in reader.parts():
        found.append((part, b"".join([chunk async for chunk in reader.content()])))
    return found


@given(size=st.integers(1, 300))
@settings(max_examples=60, deadline=None)
async def test_reader_gives_the_same_parts_however_the_body_is_cut(size: int) -> None:
    assert await read(BODY, size=size) == [
        (Part("model_id", None), b"scribe_v1"),
        (Part("file", b"a b.wav"), b"\r\n--b0un\r\n--b0und-\r\n\x00\xff"),
    ]


async def test_reader_skips_content_that_nobody_takes() -> None:
    reader = MultipartReader(chunks(BODY, 7), TYPE)
    assert [part.name async for part in reader.parts()] == ["model_id", "file"]


@pytest.mark.parametrize(
    "body",
    [
        BODY[:-8],
        BODY[:60],
        b"",
        b"no multipart at all",
        BODY.replace(b"--b0und\r\nContent", b"--b0und Content", 1),
        BODY.replace(b'name="model_id"', b"", 1),
        BODY.replace(b"Content-Disposition", b"Content Disposition", 1),
    ],
)
async def test_reader_refuses_what_is_broken(body: bytes) -> None:
    with pytest.raises(BrokenMultipart):
        await read(body)


def test_reader_needs_a_boundary() -> None:
    with pytest.raises(BrokenMultipart, match="boundary"):
        MultipartReader(chunks(b"", 1), "multipart/form-data")
