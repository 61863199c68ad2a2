"""The coordinator's kubernetes launcher against a scripted API server whose pods are real worker processes."""

import time

import pod_security
import pytest
from kubernetes_api import JOBS, TOKEN, FakeKubernetes, write_token
from server import stubs  # noqa: F401
from training_server import CANCELLED, FAILED, FINAL, RESTARTING, RUNNING, SUCCEEDED, Cluster


@pytest.fixture
def cluster(stubs, tmp_path):
    """A coordinator whose workers are pods; its API server is cluster.api."""
    api = FakeKubernetes(tmp_path / "worker", {"PYTHONPATH": str(stubs.folder), "FAKE_STEP_S": "0.02"})
    made = Cluster(
        stubs, tmp_path, "--launcher", "kubernetes", "--kubernetes-server", api.url, "--kubernetes-namespace",
        "training", "--kubernetes-token-file", write_token(tmp_path), "--worker-image", "ip2p:latest",
        "--worker-data-claim", "training-data", worker_address=True,
    )  # fmt: skip
    made.api = api
    yield made
    made.close()
    api.close()


def launched_once(cluster):
    starts = [start[:3] for start in cluster.starts()]
    return len(set(starts)) == len(starts) and max(cluster.api.most_alive.values()) == 1


def test_an_indexed_job_a_launch(cluster):
    job = cluster.submit("cloud", world_size=2)
    assert cluster.until(job.id, *FINAL).state == SUCCEEDED
    (manifest,) = cluster.api.created
    assert manifest["metadata"]["name"] == f"{job.id}-e1"
    spec = manifest["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 2, 2)
    assert spec["backoffLimit"] == 0
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never" and not pod_security.violations(pod)
    assert TOKEN not in str(manifest)
    assert (cluster.folder / "jobs" / job.id / "token").read_text() not in str(manifest)
    assert launched_once(cluster)


def test_a_busy_server_is_asked_again_and_not_before_it_wants(cluster):
    cluster.api.faults = [429, 500]
    job = cluster.submit("busy", max_steps=20)
    assert cluster.until(job.id, *FINAL).state == SUCCEEDED
    posts = [at for at, method, _, _ in cluster.api.requests if method == "POST"]
    assert len(posts) == 3 and posts[1] - posts[0] >= 1
    assert cluster.job(job.id).epoch == 1


def test_what_is_forbidden_fails_with_its_reason(cluster):
    cluster.api.faults = [403]
    failed = cluster.until(cluster.submit("forbidden").id, *FINAL)
    assert failed.state == FAILED
    assert failed.error == ("the workers can't be launched: the Kubernetes API refuses to create a Job: "
                            "scripted 403: jobs.batch is forbidden")  # fmt: skip
    assert TOKEN not in "".join(cluster.server.log)


def test_an_answer_that_is_lost_creates_no_second_job(cluster):
    cluster.api.faults = ["lost answer"]
    job = cluster.submit("lost", max_steps=100)
    assert cluster.until(job.id, *FINAL).state == SUCCEEDED
    assert len(cluster.api.created) == 1 and launched_once(cluster)


def test_lost_watches_and_forgotten_history_hide_nothing(cluster):
    job = cluster.submit("watched", world_size=2, max_steps=150)
    cluster.until(job.id, RUNNING)
    cluster.api.break_watches()
    cluster.api.forget_history()
    cluster.api.kill_pod(f"{job.id}-e1", 1)
    begun = time.monotonic()
    cluster.until(job.id, RESTARTING)
    assert time.monotonic() - begun < 5
    for _ in range(20):
        cluster.api.break_watches()
        time.sleep(0.05)
    done = cluster.until(job.id, *FINAL, timeout=120)
    assert (done.state, done.restarts, done.epoch) == (SUCCEEDED, 1, 2)
    assert launched_once(cluster)
    assert [m["metadata"]["name"] for m in cluster.api.created] == [f"{job.id}-e1", f"{job.id}-e2"]


def test_cancelling_deletes_the_job(cluster):
    job = cluster.submit("cancelled", max_steps=10000)
    cluster.until(job.id, RUNNING)
    assert cluster.ask("CancelJob", job_id=job.id).job.state == CANCELLED
    deadline = time.monotonic() + 20
    while cluster.api.jobs and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not cluster.api.jobs
    assert ("DELETE", f"{JOBS}/{job.id}-e1") in [(method, path) for _, method, path, _ in cluster.api.requests]
    while cluster.server.metrics()['ip2p_train_slots{kind="cpu",use="taken"}'] and time.monotonic() < deadline:
        time.sleep(0.05)
    cluster.ask("DeleteJob", job_id=job.id)


def test_the_pods_outlive_a_killed_coordinator(cluster):
    job = cluster.submit("outlives", world_size=2, max_steps=200)
    cluster.until(job.id, RUNNING)
    cluster.kill()
    cluster.start()
    done = cluster.until(job.id, *FINAL)
    assert (done.state, done.epoch, done.restarts) == (SUCCEEDED, 1, 0)
    assert launched_once(cluster)
