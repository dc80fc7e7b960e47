"""The order of the stages, and what each waits for."""

from dalston.resources.stages import Stage

ORDER = tuple(Stage)
"""All stages, in the order in which they are shown and planned."""

NEEDS: dict[Stage, tuple[Stage, ...]] = {
    Stage.PREPARE: (),
    Stage.TRANSCRIBE: (Stage.PREPARE,),
    Stage.ALIGN: (Stage.TRANSCRIBE,),
    Stage.DIARIZE: (Stage.PREPARE,),
    Stage.DETECT: (Stage.TRANSCRIBE, Stage.ALIGN),
    Stage.REFINE: (Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE, Stage.DETECT),
    Stage.MERGE: ORDER[:-1],
}
"""A stage starts when all of these have succeeded or are skipped.

Each names all that it needs, not only the nearest: those in between may be skipped from the start.
"""

FAN_OUT = frozenset({Stage.TRANSCRIBE, Stage.ALIGN})
"""Stages with one task for each part that PREPARE cut."""

WEIGHTS: dict[Stage, int] = {
    Stage.PREPARE: 5,
    Stage.TRANSCRIBE: 60,
    Stage.ALIGN: 10,
    Stage.DIARIZE: 15,
    Stage.DETECT: 10,
    Stage.REFINE: 10,
    Stage.MERGE: 5,
}
"""Shares of the work, for progress in percent."""
