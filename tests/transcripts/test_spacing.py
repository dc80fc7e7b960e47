"""Spaces stand where the script wants them."""

import pytest

from dalston.transcripts import Segment, Word, join_texts, pieces
from dalston.transcripts.spacing import word_spans


def listed(*texts: str) -> tuple[Word, ...]:
    return tuple(Word(text=text) for text in texts)


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["Hello.", " How are you? "], "Hello. How are you?"),
        (["你好。", "世界"], "你好。世界"),
        (["こんにちは", "Tokyo"], "こんにちは Tokyo"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["안녕하세요", "여러분"], "안녕하세요 여러분"),
        (["नमस्ते", "दुनिया"], "नमस्ते दुनिया"),
        (["", " ", "x"], "x"),
        ([], ""),
    ],
)
def test_texts_are_joined_as_their_script_wants(texts: list[str], joined: str) -> None:
    assert join_texts(texts) == joined


def test_pieces_spell_the_text() -> None:
    segment = Segment(text='"Well,  I - never!"', words=listed("Well,", "I", "never!"))
    found = pieces(segment)
    assert "".join(text for text, _ in found) == segment.text
    assert [word.text for _, word in found if word] == ["Well,", "I", "never!"]


def test_pieces_follow_the_words_when_the_text_disagrees() -> None:
    segment = Segment(text="something else", words=listed("你", "好"))
    assert "".join(text for text, _ in pieces(segment)) == "你好"


@pytest.mark.parametrize("words", [("a", "c"), ("a", "b"), ("b", "a"), ("a", "b", "d")])
def test_words_that_are_not_the_text_are_noticed(words: tuple[str, ...]) -> None:
    assert word_spans("a b c", listed(*words)) is None


def test_repeated_words_are_found_in_order() -> None:
    assert word_spans("no, no no", listed("no,", "no", "no")) == [(0, 3), (4, 6), (7, 9)]
