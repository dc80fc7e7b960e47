"""The stages of the batch pipeline."""

from enum import StrEnum


class Stage(StrEnum):
    """One stage of the pipeline; the values are what resources, subjects and keys spell."""

    PREPARE = "prepare"
    TRANSCRIBE = "transcribe"
    ALIGN = "align"
    DIARIZE = "diarize"
    DETECT = "detect"
    REFINE = "refine"
    MERGE = "merge"
