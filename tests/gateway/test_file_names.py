"""File names as they come in."""

import pytest
from dalston_gateway.file_names import clean


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"talk.wav", "talk.wav"),
        (b"../../etc/passwd", "passwd"),
        (b"C:\\Users\\me\\talk.wav", "talk.wav"),
        (b"/abs/olute.mp3", "olute.mp3"),
        (b"..", None),
        (b"", None),
        (None, None),
        (b"a\x00b\r\n.wav", "ab.wav"),
        ("Gespräch – 日本.wav".encode(), "Gespräch – 日本.wav"),
        (b"bad\xff\xfe.wav", "bad\ufffd\ufffd.wav"),
        ("evil\u202egpj.exe".encode(), "evilgpj.exe"),
    ],
)
def test_clean_gives_a_plain_name(given: bytes | None, expected: str | None) -> None:
    assert clean(given) == expected


def test_clean_keeps_the_extension_of_a_long_name() -> None:
    name = clean(b"x" * 400 + b".flac")
    assert name is not None
    assert len(name) == 255
    assert name.endswith("x.flac")
