"""The keys of artifacts: one module names them all.

`uploads/<id>/source`                                   a recording as it came in
`jobs/<uid>/<stage>/<part>/<attempt>/manifest.json`     the one result of an attempt, written last
`jobs/<uid>/<stage>/<part>/<attempt>/<revision>/<name>` files of that result; the revision is that of
                                                        the claim, so executors never share a folder
"""

from dalston.pipeline.tasks import TaskId


def upload_folder(upload: str) -> str:
    """Give the folder of an upload."""
    return f"uploads/{upload}"


def upload_source(upload: str) -> str:
    """Give the key of an uploaded recording."""
    return f"{upload_folder(upload)}/source"


def job_folder(uid: str) -> str:
    """Give the folder of everything that a job wrote."""
    return f"jobs/{uid}"


def manifest(task: TaskId) -> str:
    """Give the key of the result manifest of an attempt."""
    return f"{job_folder(task.job)}/{task.stage}/{task.part}/{task.attempt}/manifest.json"


def result_folder(task: TaskId, revision: int) -> str:
    """Give the folder of the files of one execution of an attempt."""
    return f"{job_folder(task.job)}/{task.stage}/{task.part}/{task.attempt}/{revision}"
