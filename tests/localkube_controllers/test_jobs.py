"""Jobs as people see them: real pods, real processes."""

from __future__ import annotations

import asyncio

from dalston.kube.kinds import JOBS, PODS
from tests.deadlines import until
from tests.localkube_controllers.cluster import JSON, Cluster, condition, ended, state


async def test_job_completes_when_its_pod_succeeds(cluster: Cluster) -> None:
    await cluster.run_job("exit 0")
    job = await cluster.one(JOBS, "job", ended)
    assert condition(job, "Complete")
    assert job["status"]["succeeded"] == 1
    assert "active" not in job["status"]
    assert job["status"]["completionTime"]


async def test_job_fails_when_its_backoff_limit_is_exceeded(cluster: Cluster) -> None:
    await cluster.run_job("exit 3", backoffLimit=1)
    job = await cluster.one(JOBS, "job", ended)
    failed = condition(job, "Failed")
    assert failed
    assert failed["reason"] == "BackoffLimitExceeded"
    assert condition(job, "FailureTarget")
    assert job["status"]["failed"] == 2
    pods = await cluster.all(PODS, "batch.kubernetes.io/job-name=job")
    assert [state(pod)["terminated"]["exitCode"] for pod in pods] == [3, 3]


async def test_job_pods_carry_labels_and_owner(cluster: Cluster) -> None:
    created = await cluster.run_job("exit 0")
    await cluster.one(JOBS, "job", ended)
    [pod] = await cluster.all(PODS)
    uid = created["metadata"]["uid"]
    assert pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == uid
    assert pod["metadata"]["labels"]["job-name"] == "job"
    assert pod["metadata"]["ownerReferences"][0]["uid"] == uid


async def test_job_runs_as_many_pods_at_once_as_parallelism_says(cluster: Cluster) -> None:
    await cluster.run_job("sleep 0.3", parallelism=2, completions=4)
    most = 0

    def watch(pods: list[JSON]) -> bool:
        nonlocal most
        most = max(most, sum(not ended(pod) for pod in pods))
        return sum(ended(pod) for pod in pods) == 4

    await cluster.until(PODS, watch)
    assert most == 2
    job = await cluster.one(JOBS, "job", ended)
    assert job["status"]["succeeded"] == 4


async def test_indexed_job_runs_every_index_once(cluster: Cluster) -> None:
    spec: JSON = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    await cluster.run_job('echo "index $JOB_COMPLETION_INDEX"', **spec)
    job = await cluster.one(JOBS, "job", ended)
    assert job["status"]["completedIndexes"] == "0-2"
    pods = await cluster.all(PODS)
    indexes = {
        pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for pod in pods
    }
    assert indexes == {"0", "1", "2"}
    assert "index 1" in await cluster.kubectl("logs", _name(pods, "1"))


def _name(pods: list[JSON], index: str) -> str:
    label = "batch.kubernetes.io/job-completion-index"
    found = next(pod for pod in pods if pod["metadata"]["labels"][label] == index)
    return str(found["metadata"]["name"])


RULES = [
    {
        "action": "FailJob",
        "onExitCodes": {"operator": "In", "values": [42]},
    },
    {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    },
]


async def test_pod_failure_policy_fails_the_job_at_once(cluster: Cluster) -> None:
    await cluster.run_job("exit 42", podFailurePolicy={"rules": RULES})
    job = await cluster.one(JOBS, "job", ended)
    failed = condition(job, "Failed")
    assert failed
    assert failed["reason"] == "PodFailurePolicy"
    assert "exit code 42 matching FailJob rule at index 0" in failed["message"]
    assert len(await cluster.all(PODS)) == 1


async def test_suspend_ends_pods_and_resume_starts_new_ones(cluster: Cluster) -> None:
    await cluster.run_job("sleep 60", backoffLimit=0)
    [first] = await cluster.until(PODS, _all_running)
    await cluster.patch(JOBS, "job", {"spec": {"suspend": True}})
    await cluster.until(PODS, lambda pods: not pods)
    job = await cluster.one(JOBS, "job", lambda job: condition(job, "Suspended"))
    assert "failed" not in job["status"]
    await cluster.patch(JOBS, "job", {"spec": {"suspend": False}})
    [second] = await cluster.until(PODS, _all_running)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]


def _all_running(pods: list[JSON]) -> bool:
    return bool(pods) and all("running" in state(pod) for pod in pods)


async def test_suspended_job_starts_nothing(cluster: Cluster) -> None:
    await cluster.run_job("exit 0", suspend=True)
    job = await cluster.one(JOBS, "job", lambda job: condition(job, "Suspended"))
    assert "startTime" not in job["status"]
    assert not await cluster.all(PODS)


async def test_active_deadline_fails_the_job_and_ends_its_pods(cluster: Cluster) -> None:
    await cluster.run_job("sleep 60", activeDeadlineSeconds=1)
    job = await cluster.one(JOBS, "job", ended)
    failed = condition(job, "Failed")
    assert failed
    assert failed["reason"] == "DeadlineExceeded"
    assert not await cluster.all(PODS)


async def test_finished_job_goes_after_its_ttl(cluster: Cluster) -> None:
    await cluster.run_job("exit 0", ttlSecondsAfterFinished=1)
    await cluster.one(JOBS, "job", ended)
    await cluster.gone(JOBS, "job")
    await cluster.until(PODS, lambda pods: not pods)


async def test_deleted_job_leaves_nothing_behind(cluster: Cluster) -> None:
    await cluster.run_job("sleep 60")
    await cluster.until(PODS, _all_running)
    await cluster.delete(JOBS, "job")
    await cluster.until(PODS, lambda pods: not pods)
    folder = cluster.folder / "pods"
    await until(lambda: not list(folder.iterdir()), what="pod folders gone")


async def test_deleted_pod_counts_as_failed_and_is_replaced(cluster: Cluster) -> None:
    await cluster.run_job("sleep 60", backoffLimit=1)
    [first] = await cluster.until(PODS, _all_running)
    await cluster.delete(PODS, first["metadata"]["name"])
    await cluster.gone(PODS, first["metadata"]["name"])
    job = await cluster.one(JOBS, "job", lambda job: job["status"].get("failed") == 1)
    assert not ended(job)
    [second] = await cluster.until(PODS, _all_running)
    assert second["metadata"]["name"] != first["metadata"]["name"]


async def test_many_jobs_at_once_each_run_exactly_one_pod(cluster: Cluster) -> None:
    names = [f"job-{number}" for number in range(20)]
    await asyncio.gather(*(cluster.run_job("exit 0", name=name) for name in names))
    await cluster.until(JOBS, lambda jobs: len(jobs) == 20 and all(map(ended, jobs)), seconds=20)
    assert len(await cluster.all(PODS)) == 20


async def test_containers_restart_in_place(cluster: Cluster) -> None:
    marker = cluster.folder / "marker"
    script = f"test -e {marker} || {{ touch {marker}; exit 1; }}"
    await cluster.run_job(script, restart="OnFailure")
    job = await cluster.one(JOBS, "job", ended)
    assert condition(job, "Complete")
    [pod] = await cluster.all(PODS)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1
