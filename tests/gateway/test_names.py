"""Names of jobs."""

import re

from dalston_gateway.names import is_name, job_name, new_name


def test_new_name_is_valid_everywhere_and_fresh() -> None:
    names = {new_name() for _ in range(200)}
    assert len(names) == 200
    assert all(re.fullmatch(r"[a-z][a-z0-9]{19}", name) for name in names)


def test_job_name_follows_the_idempotency_key_and_its_owner() -> None:
    name = job_name(idempotency_key="order-17", owner="k1")
    assert name == job_name(idempotency_key="order-17", owner="k1")
    assert re.fullmatch(r"[a-z][a-z0-9]{19}", name)
    assert name != job_name(idempotency_key="order-18", owner="k1")
    assert name != job_name(idempotency_key="order-17", owner="k2")


def test_job_name_without_a_key_is_fresh() -> None:
    assert job_name(idempotency_key=None, owner=None) != job_name(idempotency_key="", owner=None)


def test_is_name_refuses_paths_and_upper_case() -> None:
    assert is_name("my-job.1")
    assert not is_name("../secrets")
    assert not is_name("Job")
    assert not is_name("")
