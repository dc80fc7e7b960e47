"""Which stages a job gets, and by which engine and model."""

from typing import Any

import pytest

from dalston.pipeline.plan import Plan, PlanRejected, plan
from dalston.resources import Engine, Stage
from dalston.resources.reasons import JobReason
from tests.resources.examples import EVERYTHING, all_engines, engine, job, offering

T, A = Stage.TRANSCRIBE, Stage.ALIGN


def _plan(offered: list[Engine], /, **spec: Any) -> Plan:
    return plan(job(**spec).spec, offered)


def _chosen(given: Plan, stage: Stage) -> tuple[str | None, str | None]:
    (found,) = [planned for planned in given.stages if planned.stage == stage]
    return found.engine, found.model


def _skipped(given: Plan) -> dict[Stage, str]:
    return {planned.stage: planned.skipped for planned in given.stages if planned.skipped}


def _with(*engines: Engine) -> list[Engine]:
    """Those engines, and one for each other stage."""
    offered = {stage for one in engines for stage in one.spec.stages}
    return [*engines, *(one for one in all_engines() if one.spec.stages[0] not in offered)]


def _rejected(offered: list[Engine], /, **spec: Any) -> tuple[JobReason, str]:
    with pytest.raises(PlanRejected) as caught:
        _plan(offered, **spec)
    return caught.value.reason, caught.value.message


def _cost(name: str, **cost: float) -> Engine:
    return engine(name, T, cost=cost, capabilities={"wordTimestamps": True})


def test_plan_has_all_stages_in_order() -> None:
    assert [planned.stage for planned in _plan(all_engines()).stages] == list(Stage)


def test_plain_job_needs_three_stages() -> None:
    assert {*Stage} - _skipped(_plan(all_engines())).keys() == {
        Stage.PREPARE,
        Stage.TRANSCRIBE,
        Stage.MERGE,
    }


def test_job_that_asks_for_everything_skips_nothing() -> None:
    assert _skipped(_plan(all_engines(wordTimestamps=False), **EVERYTHING)) == {}


@pytest.mark.parametrize(
    ("spec", "stage"),
    [
        ({"speakers": {"mode": "diarize"}}, Stage.DIARIZE),
        ({"detect": {"audioEvents": True}}, Stage.DETECT),
        ({"detect": {"entities": ["name"]}}, Stage.DETECT),
        ({"detect": {"redaction": {"entities": ["name"]}}}, Stage.DETECT),
        ({"refine": {"noVerbatim": True}}, Stage.REFINE),
        ({"refine": {"instruction": "As a list."}}, Stage.REFINE),
    ],
)
def test_option_brings_its_stage(spec: dict[str, Any], stage: Stage) -> None:
    assert _chosen(_plan(all_engines(), **spec), stage) == (f"any-{stage}", None)


@pytest.mark.parametrize(
    "spec", [{"speakers": {"mode": "channels"}}, {"detect": {}}, {"refine": {}}]
)
def test_option_that_asks_for_nothing_brings_no_stage(spec: dict[str, Any]) -> None:
    assert len(_skipped(_plan(all_engines(), **spec))) == 4


@pytest.mark.parametrize(
    ("timestamps", "reason"),
    [
        ("none", "timestamps is none"),
        ("segment", "timestamps is segment"),
        ("word", None),
        ("character", None),
    ],
)
def test_align_is_for_words_and_characters(timestamps: str, reason: str | None) -> None:
    given = _plan(all_engines(wordTimestamps=False), timestamps=timestamps)
    assert _skipped(given).get(A) == reason


def test_align_is_needless_when_the_transcriber_gives_word_times() -> None:
    assert _skipped(_plan(all_engines()))[A] == "any-transcribe gives word times"


def test_characters_are_measured_by_align_when_it_can() -> None:
    aligner = offering(A, characterTimestamps=True)
    assert _chosen(_plan(_with(aligner), timestamps="character"), A) == ("any-align", None)


def test_characters_that_nobody_measures_are_spread_with_a_warning() -> None:
    given = _plan(all_engines(), timestamps="character")
    assert given.warnings == ("no engine measures character times: they are spread over each word",)
    assert A in _skipped(given)


def test_aligner_that_measures_characters_wins_over_a_cheaper_one() -> None:
    able = engine("able", A, capabilities={"characterTimestamps": True}, cost={"cpu": 9.0})
    cheap = engine("cheap", A, cost={"cpu": 0.1})
    engines = _with(cheap, able)
    assert _chosen(_plan(engines, timestamps="character"), A) == ("able", None)


def test_character_times_of_the_transcriber_need_no_align() -> None:
    transcriber = offering(T, wordTimestamps=True, characterTimestamps=True)
    given = _plan(_with(transcriber), timestamps="character")
    assert (A in _skipped(given), given.warnings) == (True, ())


@pytest.mark.parametrize(
    ("costs", "winner"),
    [
        ({"a": {"cpu": 2.0}, "b": {"cpu": 1.0}}, "b"),
        ({"a": {"cpu": 2.0}, "b": {"cpu": 5.0, "gpu": 0.1}}, "b"),
        ({"a": {}, "b": {"cpu": 9.0}}, "b"),
        ({"b": {}, "a": {}}, "a"),
    ],
)
def test_cheapest_engine_wins_and_names_settle_a_draw(
    costs: dict[str, dict[str, float]], winner: str
) -> None:
    engines = _with(*(_cost(name, **cost) for name, cost in costs.items()))
    assert _chosen(_plan(engines), T)[0] == winner


def test_engine_that_cannot_is_passed_over() -> None:
    english = engine(
        "english", T, cost={"cpu": 0.1}, capabilities={"languages": ["en"], "wordTimestamps": True}
    )
    many = engine("many", T, cost={"cpu": 1.0}, capabilities={"wordTimestamps": True})
    engines = _with(english, many)
    assert _chosen(_plan(engines, language="en"), T)[0] == "english"
    assert _chosen(_plan(engines, language="de"), T)[0] == "many"


@pytest.mark.parametrize("language", ["en", "en-GB", None])
def test_region_of_a_language_does_not_matter(language: str | None) -> None:
    engines = _with(offering(T, languages=["en"], wordTimestamps=True))
    assert _chosen(_plan(engines, language=language), T)[0] == "any-transcribe"


def _models(*models: dict[str, Any]) -> list[Engine]:
    return _with(engine("whisper", T, models=[*models], capabilities={"wordTimestamps": True}))


_BASE = {"name": "base"}
_TINY = {"name": "tiny.en", "languages": ["en"]}


@pytest.mark.parametrize(
    ("models", "language", "chosen"),
    [
        ([_BASE, _TINY], "en", "base"),
        ([_BASE, {**_TINY, "default": True}], "en", "tiny.en"),
        ([_BASE, {**_TINY, "default": True}], None, "tiny.en"),
        ([_BASE, {**_TINY, "default": True}], "de", "base"),
        ([], "de", None),
    ],
)
def test_default_model_is_used_unless_it_lacks_the_language(
    models: list[dict[str, Any]], language: str | None, chosen: str | None
) -> None:
    assert _chosen(_plan(_models(*models), language=language), T) == ("whisper", chosen)


def test_chosen_model_is_used() -> None:
    choice = [{"stage": "transcribe", "model": "tiny.en"}]
    assert _chosen(_plan(_models(_BASE, _TINY), engines=choice), T) == ("whisper", "tiny.en")


def test_chosen_engine_is_used_though_it_costs_more() -> None:
    engines = _with(_cost("cheap", cpu=1.0), _cost("dear", cpu=9.0))
    choice = [{"stage": "transcribe", "engine": "dear"}]
    assert _chosen(_plan(engines, engines=choice), T)[0] == "dear"


def test_choice_brings_a_stage_that_was_not_needed() -> None:
    choice = [{"stage": "align", "engine": "any-align"}]
    assert _chosen(_plan(all_engines(), engines=choice), A) == ("any-align", None)


@pytest.mark.parametrize("missing", [Stage.PREPARE, Stage.TRANSCRIBE, Stage.DIARIZE, Stage.MERGE])
def test_stage_without_engine_rejects_the_job(missing: Stage) -> None:
    engines = [one for one in all_engines() if missing not in one.spec.stages]
    reason, message = _rejected(engines, speakers={"mode": "diarize"})
    assert reason == JobReason.NO_ENGINE
    assert f"needs {missing} and no engine offers it" in message


@pytest.mark.parametrize(
    ("choice", "reason", "alternative"),
    [
        ({"engine": "unknown"}, JobReason.UNKNOWN_ENGINE, "engines that do: whisper"),
        ({"engine": "any-merge"}, JobReason.UNKNOWN_ENGINE, "any-merge does not transcribe"),
        ({"model": "large"}, JobReason.UNKNOWN_MODEL, "known models: base, tiny.en"),
        (
            {"engine": "whisper", "model": "large"},
            JobReason.UNKNOWN_MODEL,
            "whisper has no model large (it has: base, tiny.en)",
        ),
    ],
)
def test_unknown_name_is_answered_with_the_known_ones(
    choice: dict[str, str], reason: JobReason, alternative: str
) -> None:
    given = _rejected(_models(_BASE, _TINY), engines=[{"stage": "transcribe", **choice}])
    assert given[0] == reason
    assert alternative in given[1]


@pytest.mark.parametrize(
    ("capabilities", "spec", "reason", "text"),
    [
        (
            {"languages": ["en"]},
            {"language": "de"},
            JobReason.UNSUPPORTED_LANGUAGE,
            "does not know language de",
        ),
        ({}, {"task": "translate"}, JobReason.UNSUPPORTED_OPTION, "does not translate"),
        ({}, {"vocabulary": ["Dalston"]}, JobReason.UNSUPPORTED_OPTION, "takes no vocabulary"),
    ],
)
def test_what_no_transcriber_can_do_is_refused(
    capabilities: dict[str, Any], spec: dict[str, Any], reason: JobReason, text: str
) -> None:
    engines = _with(offering(T, wordTimestamps=True, **capabilities))
    assert _rejected(engines, **spec) == (
        reason,
        f"no engine can transcribe this job: any-transcribe {text}",
    )


@pytest.mark.parametrize(
    ("stage", "spec", "text"),
    [
        (Stage.DIARIZE, {"speakers": {"mode": "diarize"}}, "does not diarize"),
        (Stage.DETECT, {"detect": {"audioEvents": True}}, "does not detect audio events"),
        (Stage.DETECT, {"detect": {"entities": ["name"]}}, "does not detect entities"),
    ],
)
def test_what_no_engine_of_a_stage_can_do_is_refused(
    stage: Stage, spec: dict[str, Any], text: str
) -> None:
    reason, message = _rejected(_with(offering(stage)), **spec)
    assert (reason, message.endswith(text)) == (JobReason.UNSUPPORTED_OPTION, True)


def test_chosen_model_without_the_language_is_refused() -> None:
    reason, message = _rejected(
        _models(_BASE, _TINY),
        language="de",
        engines=[{"stage": "transcribe", "model": "tiny.en"}],
    )
    assert reason == JobReason.UNSUPPORTED_LANGUAGE
    assert "its model tiny.en does not know language de" in message


def test_engine_whose_models_all_lack_the_language_is_refused() -> None:
    reason, message = _rejected(_models(_TINY), language="de")
    assert reason == JobReason.UNSUPPORTED_LANGUAGE
    assert "has no model that knows language de" in message


def test_each_engine_says_why_it_cannot() -> None:
    engines = _with(
        offering(T, "a", languages=["fr"]), offering(T, "b", languages=["it"]), offering(A)
    )
    _, message = _rejected(engines, language="de")
    assert message.endswith("a does not know language de; b does not know language de")
