"""What the end of a job means to whoever asked for its transcript. Pure functions."""

from dalston.resources.conditions import ConditionStatus, find_condition
from dalston.resources.reasons import JobCondition, JobReason
from dalston.resources.transcription_job import TranscriptionJob
from dalston.resources.transcription_status import JobPhase
from dalston_gateway.problems import Fault, GatewayProblem

_REJECTIONS = {
    JobReason.NO_ENGINE: Fault.UNSUPPORTED,
    JobReason.UNSUPPORTED_OPTION: Fault.UNSUPPORTED,
    JobReason.UNKNOWN_ENGINE: Fault.UNKNOWN_MODEL,
    JobReason.UNKNOWN_MODEL: Fault.UNKNOWN_MODEL,
    JobReason.UNSUPPORTED_LANGUAGE: Fault.UNKNOWN_LANGUAGE,
}

_INPUT_CODES = {
    "EmptyAudio": Fault.EMPTY_FILE,
    "UndecodableAudio": Fault.UNDECODABLE,
    "NoAudioStream": Fault.UNDECODABLE,
    "AudioTooShort": Fault.AUDIO_TOO_SHORT,
    "AudioTooLong": Fault.AUDIO_TOO_LONG,
    "TooManyChannels": Fault.TOO_MANY_CHANNELS,
    "UrlRefused": Fault.SOURCE_URL,
    "UrlUnreachable": Fault.SOURCE_URL,
    "TooLarge": Fault.SOURCE_URL,
}


def problem_of(job: TranscriptionJob) -> GatewayProblem:
    """Give the problem that a job without a transcript stands for."""
    name = job.metadata.name
    phase = job.status.phase
    failure = job.status.failure
    if phase == JobPhase.CANCELLED:
        return GatewayProblem(Fault.CANCELLED, "the transcription was cancelled", job=name)
    if phase is None or not phase.finished:
        return GatewayProblem(
            Fault.NOT_FINISHED, "the transcription has not finished yet", job=name, retry_after=1
        )
    if failure is None:
        return GatewayProblem(Fault.JOB_FAILED, "the transcription failed", job=name)
    accepted = find_condition(job.status.conditions, JobCondition.ACCEPTED)
    if accepted is not None and accepted.status == ConditionStatus.FALSE:
        fault = _REJECTIONS.get(JobReason(accepted.reason), Fault.UNSUPPORTED)
        return GatewayProblem(fault, accepted.message, job=name)
    message = failure.message or "the transcription failed"
    if failure.input_fault:
        fault = _INPUT_CODES.get(failure.code, Fault.INPUT_REJECTED)
        param = "url" if fault == Fault.SOURCE_URL else "file"
        return GatewayProblem(fault, message, param=param, job=name)
    where = f"{failure.stage}: " if failure.stage else ""
    return GatewayProblem(Fault.JOB_FAILED, f"{where}{failure.code}: {message}", job=name)
