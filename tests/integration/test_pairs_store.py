"""`ip2p pairs generate` from a bucket to a bucket, with miniature models of random weights."""

import signal

import pytest
import s3_proxy
from pairs import PairJobs
from s3_proxy import BUCKET
from s3_store import Client, client, running_store, store  # noqa: F401: fixtures

ROWS = 3


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    jobs = PairJobs(tmp_path_factory.mktemp("pairs"))
    lines = (jobs.folder / "prompts.jsonl").read_text().splitlines(keepends=True)
    (jobs.folder / "few.jsonl").write_text("".join(lines[:ROWS]))
    return jobs


def arguments(jobs, place, out):
    """Of one partition; `place` is the folder or prefix that the models and prompts are in."""
    return jobs.command("--prompts-file", f"{place}/few.jsonl", "--out-dir", out, "--ckpt", f"{place}/model",
                        "--clip", f"{place}/clip")[1:]


def test_a_killed_pod_is_gone_on_with_elsewhere(client, store, jobs, tmp_path):
    """The bytes are those of an uninterrupted run on one disk, and no finished prompt is made again."""
    place = f"s3://{BUCKET}/in"
    for name in ("model", "clip", "few.jsonl"):
        client("store", "cp", jobs.folder / name, f"{place}/{name}")
    client(*arguments(jobs, jobs.folder, tmp_path / "local"))

    command = arguments(jobs, place, f"s3://{BUCKET}/pairs")
    store.faults.append(lambda r: "hang" if r.method == "PUT" and "0000001.tar" in r.path else None)
    process = client.start(*command)
    s3_proxy.wait_until(lambda: store.count("PUT", "0000001.tar"), 300)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [k for k in store.keys("pairs/") if k.endswith(".tar")] == ["pairs/0000000.tar"]
    store.faults.clear()
    store.requests.clear()
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Client(store, tmp_path / "elsewhere")
    elsewhere(*command)
    assert store.count("PUT", ".tar") == ROWS - 1

    elsewhere("dataset", "prepare", f"s3://{BUCKET}/pairs")
    client("dataset", "prepare", tmp_path / "local")
    [copy] = [p for p in (elsewhere.cache / "datasets").iterdir() if p.is_dir()]
    for file in (p for p in (tmp_path / "local").rglob("*") if p.is_file() and not p.name.startswith(".")):
        assert (copy / file.relative_to(tmp_path / "local")).read_bytes() == file.read_bytes()
