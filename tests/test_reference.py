"""The generated pages of docs/reference/ say what the code says."""

from scripts.reference.__main__ import FOLDER, PAGES, stale


def test_pages_are_in_step() -> None:
    assert stale(FOLDER) == [], "run `make reference`"


def test_pages_name_what_they_describe() -> None:
    texts = {name: (FOLDER / name).read_text() for name in PAGES}
    assert "## TranscriptionJob" in texts["resources.md"]
    assert "`DALSTON_NATS_URL`" in texts["settings.md"]
    assert "## `dalston jobs watch`" in texts["cli.md"]
    assert "POST /v1/speech-to-text" in texts["api.md"]
