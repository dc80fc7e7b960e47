"""What each stage waits for."""

import pytest

from dalston.pipeline.stages import NEEDS, ORDER, WEIGHTS
from dalston.resources import Stage


@pytest.mark.parametrize("stage", ORDER)
def test_needs_come_earlier(stage: Stage) -> None:
    assert all(ORDER.index(need) < ORDER.index(stage) for need in NEEDS[stage])


@pytest.mark.parametrize("stage", [Stage.ALIGN, Stage.DETECT, Stage.REFINE, Stage.MERGE])
def test_what_follows_the_text_waits_for_it_when_all_between_is_skipped(stage: Stage) -> None:
    assert Stage.TRANSCRIBE in NEEDS[stage]


def test_merge_waits_for_everything() -> None:
    assert {*NEEDS[Stage.MERGE], Stage.MERGE} == set(Stage)


def test_every_stage_has_a_share_of_the_progress() -> None:
    assert WEIGHTS.keys() == set(Stage)
