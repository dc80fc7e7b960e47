"""Language codes."""

import pytest
from dalston_gateway.languages import iso_639_3, normalise


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("en", "en"),
        ("eng", "en"),
        ("ENG", "en"),
        ("en-US", "en"),
        ("de_AT", "de"),
        ("cmn", "zh"),
        ("jw", "jv"),
        ("yue", "yue"),
        ("english", None),
        ("xx", None),
        ("", None),
        ("e", None),
    ],
)
def test_normalise_gives_the_code_that_engines_know(given: str, expected: str | None) -> None:
    assert normalise(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("en", "eng"), ("zh", "zho"), ("yue", "yue"), (None, "und")]
)
def test_iso_639_3_gives_three_letters(given: str | None, expected: str) -> None:
    assert iso_639_3(given) == expected
