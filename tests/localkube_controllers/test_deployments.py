"""Deployments as people see them: scale, rollouts, pods that end or are worth less."""

from __future__ import annotations

from typing import Any

from dalston.kube.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from tests.localkube_controllers.cluster import JSON, SHELL, Cluster, condition, container, state

LABELS = {"app": "web"}


def deployment(replicas: int, *, version: str = "1", **spec: Any) -> JSON:
    env = [{"name": "VERSION", "value": version}]
    # The last process is `sleep`, so that SIGTERM ends it.
    pod = {"containers": [container("exec sleep 60", image=SHELL, env=env)]}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    return {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": template,
            **spec,
        },
    }


def _rolled_out(deployment: JSON) -> bool:
    status, replicas = deployment["status"], deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == replicas
        and status.get("availableReplicas", 0) == replicas
        and status.get("replicas", 0) == replicas
    )


async def _ready(cluster: Cluster) -> JSON:
    return await cluster.one(DEPLOYMENTS, "web", _rolled_out)


def _version(pod: JSON) -> str:
    return str(pod["spec"]["containers"][0]["env"][0]["value"])


async def test_deployment_runs_its_replicas(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, deployment(2))
    found = await _ready(cluster)
    assert condition(found, "Available")
    progressing = condition(found, "Progressing")
    assert progressing
    assert progressing["reason"] == "NewReplicaSetAvailable"
    pods = await cluster.all(PODS)
    assert len(pods) == 2
    assert all("running" in state(pod) for pod in pods)
    assert "2/2" in await cluster.kubectl("get", "deployment", "web")


async def test_kubectl_scale_changes_the_number_of_pods(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, deployment(1))
    await _ready(cluster)
    await cluster.kubectl("scale", "deployment/web", "--replicas=3")
    await cluster.until(PODS, lambda pods: len(pods) == 3)
    await cluster.kubectl("scale", "deployment/web", "--replicas=0")
    await cluster.until(PODS, lambda pods: not pods)


async def test_scale_down_takes_the_cheapest_pod(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, deployment(3))
    await _ready(cluster)
    names = sorted(pod["metadata"]["name"] for pod in await cluster.all(PODS))
    for name, cost in zip(names, ("5", "-5", "0"), strict=True):
        note = {"controller.kubernetes.io/pod-deletion-cost": cost}
        await cluster.patch(PODS, name, {"metadata": {"annotations": note}})
    await cluster.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 2}})
    left = await cluster.until(PODS, lambda pods: len(pods) == 2)
    assert {pod["metadata"]["name"] for pod in left} == {names[0], names[2]}


async def test_rollout_replaces_pods_without_losing_availability(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, deployment(2))
    await _ready(cluster)
    least = 2

    def watch(pods: list[JSON]) -> bool:
        nonlocal least
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        least = min(least, sum(bool(condition(pod, "Ready")) for pod in alive))
        return len(pods) == 2 and all(_version(pod) == "2" for pod in pods)

    template = deployment(2, version="2")["spec"]["template"]
    await cluster.patch(DEPLOYMENTS, "web", {"spec": {"template": template}})
    await cluster.until(PODS, watch)
    assert least == 2
    found = await _ready(cluster)
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    sets = await cluster.all(REPLICA_SETS)
    assert sorted(entry["spec"]["replicas"] for entry in sets) == [0, 2]
    assert "successfully rolled out" in await cluster.kubectl("rollout", "status", "deploy/web")


async def test_recreate_ends_old_pods_first(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, deployment(2, strategy={"type": "Recreate"}))
    await _ready(cluster)
    template = deployment(2, version="2")["spec"]["template"]
    await cluster.patch(DEPLOYMENTS, "web", {"spec": {"template": template}})
    mixed = False

    def watch(pods: list[JSON]) -> bool:
        nonlocal mixed
        versions = {_version(pod) for pod in pods}
        mixed = mixed or len(versions) > 1
        return versions == {"2"} and len(pods) == 2

    await cluster.until(PODS, watch)
    assert not mixed


async def test_pod_that_is_deleted_is_replaced(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, deployment(1))
    await _ready(cluster)
    [first] = await cluster.all(PODS)
    await cluster.delete(PODS, first["metadata"]["name"])

    def replaced(pods: list[JSON]) -> bool:
        names = [pod["metadata"]["name"] for pod in pods]
        return len(names) == 1 and names[0] != first["metadata"]["name"]

    await cluster.until(PODS, replaced)


async def test_deleted_deployment_leaves_nothing_behind(cluster: Cluster) -> None:
    await cluster.create(DEPLOYMENTS, deployment(2))
    await _ready(cluster)
    await cluster.delete(DEPLOYMENTS, "web")
    await cluster.until(PODS, lambda pods: not pods)
    await cluster.until(REPLICA_SETS, lambda sets: not sets)
