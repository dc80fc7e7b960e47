"""What happens in the engine's thread: process the task, judge and serialize the result."""

from dalston.engine_sdk.engine import Engine
from dalston.engine_sdk.outcomes import TRANSCRIPT, Produced, check_result, summarize
from dalston.engine_sdk.task import Task
from dalston.pipeline.results import MergeResult


def perform(engine: Engine, task: Task, *, folder: str) -> Produced:
    """Call `process()`; `folder` is the key prefix under which the files will be stored.

    Raises what the engine raises, and EngineDefect for a result that does not fit.
    """
    result = check_result(engine.process(task), stage=task.stage, files=task.outputs())
    if isinstance(result, MergeResult):
        task.output(TRANSCRIPT).write_text(result.transcript.model_dump_json(), encoding="utf-8")
    return Produced(
        json=result.model_dump_json(),
        summary=summarize(result, folder=folder),
        files=tuple(task.outputs()),
    )
