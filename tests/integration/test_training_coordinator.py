"""The training coordinator as a process, with worker processes that are killed, and killed itself."""

import os
import random
import re
import signal
import time

import grpc
import pytest
from conftest import FULL
from server import stubs  # noqa: F401
from training_server import CANCELLED, FAILED, FINAL, PAUSED, RESTARTING, RUNNING, SUCCEEDED, Cluster, code_of

NOTICED_S = 5


@pytest.fixture
def start_cluster(stubs, tmp_path):
    clusters = []

    def start(*arguments, **options):
        clusters.append(Cluster(stubs, tmp_path, *arguments, **options))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.close()


def undisturbed(steps):
    """What a worker knows after so many steps: fake_training_worker.value_after, step by step."""
    value = 1
    for step in range(steps):
        value = (value * 31 + step * step + 7) % 1_000_003
    return value


def test_a_job_from_submission_to_success(start_cluster):
    cluster = start_cluster()
    job = cluster.submit("first", world_size=2)
    states = []
    for event in cluster.ask("WatchJob", job_id=job.id, min_interval_ms=0):
        if not states or states[-1] != event.job.state:
            states.append(event.job.state)
    assert states[-2:] == [RUNNING, SUCCEEDED]
    assert cluster.value(job.id, 60) == undisturbed(60)
    done = cluster.job(job.id)
    assert (done.restarts, done.epoch, done.error) == (0, 1, "")
    checkpoints = cluster.ask("ListCheckpoints", job_id=job.id).checkpoints
    assert [c.step for c in checkpoints] == [60, 50, 40]  # keep_checkpoints is 3
    lines = [line for part in cluster.ask("StreamLogs", job_id=job.id) for line in part.lines]
    assert sorted((line.rank, line.text) for line in lines) == [
        (0, "is done"), (0, "starts at step 0"), (1, "is done"), (1, "starts at step 0")]  # fmt: skip
    tail = [line.text for part in cluster.ask("StreamLogs", job_id=job.id, rank=1, tail=1) for line in part.lines]
    assert tail == ["is done"]

    metrics = cluster.server.metrics()
    assert metrics['ip2p_train_jobs{state="succeeded"}'] == 1
    assert metrics['ip2p_train_step{objective="clip"}'] > 0
    assert metrics['ip2p_train_checkpoint_timestamp_seconds{objective="clip"}'] > time.time() - 60
    text = cluster.server.metrics_text()
    assert job.id not in text
    for name in ("loss", "learning_rate", "samples_total", "step_duration_seconds_count"):
        assert f"ip2p_train_{name}" in text
    assert cluster.ask("DeleteJob", job_id=job.id) is not None
    assert not (cluster.folder / "jobs" / job.id).exists()
    token_free = "".join(cluster.server.log)
    assert str(cluster.folder) not in token_free


def test_a_killed_rank_is_noticed_and_the_run_ends_alike(start_cluster):
    kills = 20 if FULL else 4
    steps = 20 * kills + 60
    cluster = start_cluster()
    job = cluster.submit("killed", world_size=2, max_steps=steps, max_restarts=100)
    for kill in range(kills):
        cluster.until_step(job.id, 20 * kill + 5 + random.randrange(15))
        cluster.until(job.id, RUNNING)
        os.kill(cluster.pid(job.id, random.randrange(2)), signal.SIGKILL)
        begun = time.monotonic()
        cluster.until(job.id, RESTARTING)
        assert time.monotonic() - begun < NOTICED_S
    done = cluster.until(job.id, *FINAL, timeout=120)
    assert (done.state, done.restarts, done.epoch) == (SUCCEEDED, kills, kills + 1)
    assert cluster.value(job.id, steps) == undisturbed(steps)
    starts = [start[:3] for start in cluster.starts()]
    assert len(set(starts)) == len(starts)


def test_a_stopped_rank_is_lost_by_its_silence(start_cluster):
    cluster = start_cluster()
    job = cluster.submit("stopped", world_size=2, max_steps=100)
    cluster.until_step(job.id, 10)
    cluster.until(job.id, RUNNING)
    os.kill(cluster.pid(job.id, 1), signal.SIGSTOP)
    begun = time.monotonic()
    cluster.until(job.id, RESTARTING)
    assert time.monotonic() - begun < NOTICED_S
    assert cluster.until(job.id, *FINAL, timeout=120).state == SUCCEEDED
    assert cluster.value(job.id, 100) == undisturbed(100)


def test_pause_save_resume_cancel(start_cluster):
    cluster = start_cluster()
    job = cluster.submit("paused", world_size=2, max_steps=400)
    assert code_of(lambda: cluster.ask("ResumeJob", job_id=job.id)) == grpc.StatusCode.FAILED_PRECONDITION
    cluster.until(job.id, RUNNING)
    saved = cluster.ask("SaveCheckpoint", job_id=job.id).checkpoint
    assert cluster.value(job.id, saved.step) == undisturbed(saved.step)
    paused = cluster.ask("PauseJob", job_id=job.id).job
    assert paused.state == PAUSED
    newest = cluster.ask("ListCheckpoints", job_id=job.id).checkpoints[0]
    assert newest.step >= saved.step
    cluster.ask("ResumeJob", job_id=job.id)
    cluster.until(job.id, RUNNING)
    lines = [line for part in cluster.ask("StreamLogs", job_id=job.id, rank=0) for line in part.lines]
    assert [(line.epoch, line.text) for line in lines] == [(1, "starts at step 0"),
                                                           (2, f"starts at step {newest.step}")]  # fmt: skip
    assert cluster.ask("CancelJob", job_id=job.id, save_checkpoint=True).job.state == CANCELLED
    assert cluster.ask("ListCheckpoints", job_id=job.id).checkpoints[0].step > newest.step


def test_bad_input_fails_with_its_reason(start_cluster):
    cluster = start_cluster()
    job = cluster.submit("missing", dataset="missing")
    failed = cluster.until(job.id, *FINAL)
    assert failed.state == FAILED
    assert re.fullmatch(r"rank \d left: the dataset is missing; wants a folder of pairs", failed.error)
    with pytest.raises(grpc.RpcError) as error:
        cluster.submit("bad", world_size=1_000_000, dataset="../../etc")
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "spec.resources.world_size is 1000000; wants 1..1024" in error.value.details()
    assert 'spec.dataset is "../../etc"' in error.value.details()


def test_sigterm_leaves_the_workers_running(start_cluster):
    cluster = start_cluster()
    job = cluster.submit("drained", world_size=2, max_steps=150)
    cluster.until(job.id, RUNNING)
    cluster.server.terminate()
    assert cluster.server.wait() == 0
    cluster.server.close()
    cluster.start()
    done = cluster.until(job.id, *FINAL)
    assert (done.state, done.epoch, done.restarts) == (SUCCEEDED, 1, 0)
    assert cluster.value(job.id, 150) == undisturbed(150)


def test_one_coordinator_a_folder(start_cluster):
    cluster = start_cluster()
    with pytest.raises(RuntimeError, match="held by another process"):
        Cluster(cluster.stubs, cluster.folder)


def test_the_coordinator_is_killed_at_random(start_cluster):
    """Every acknowledged job ends well, none is launched twice, and most launches never notice."""
    kills = 100 if FULL else 8
    cluster = start_cluster(step_s=0.03)
    jobs, launches = {}, 0
    for kill in range(kills):
        if len(jobs) < 4:
            name = f"job-{len(jobs)}"
            jobs[name] = cluster.submit(name, world_size=1 + len(jobs) % 2, max_steps=40 * kills).id
        time.sleep(random.uniform(0, 0.6))
        cluster.kill()
        time.sleep(random.uniform(0, 0.2))
        cluster.start()
    for name, job_id in jobs.items():
        assert cluster.submit(name, world_size=1 + int(name[-1]) % 2, max_steps=40 * kills).id == job_id
        done = cluster.until(job_id, *FINAL, timeout=600)
        assert (done.state, done.restarts) == (SUCCEEDED, 0), done.error
        assert cluster.value(job_id, 40 * kills) == undisturbed(40 * kills)
        launches += done.epoch
    starts = [start[:3] for start in cluster.starts()]
    assert len(set(starts)) == len(starts)
    assert launches <= len(jobs) + kills // 2
