"""Datasets at s3://: written by one process, gone on with by another one elsewhere, read, packed and unpacked."""

import filecmp
import io
import json
import signal
import tarfile

import datasets_on_disk as disk
import pytest
import s3_proxy
from s3_proxy import BUCKET, error
from s3_store import Client, client, running_store, store  # noqa: F401: fixtures

PAIRS = f"s3://{BUCKET}/some/pairs"


@pytest.fixture
def source(client, tmp_path):
    """Ten pairs as `datasets` has them, to import."""
    disk.make_original(tmp_path / "original")
    client("dataset", "prepare", tmp_path / "original")
    client("dataset", "export", tmp_path / "original", "-o", tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def elsewhere(store, tmp_path):
    """A machine with nothing on it."""
    (tmp_path / "elsewhere").mkdir()
    return Client(store, tmp_path / "elsewhere")


def objects(store, prefix="some/pairs/"):
    return {key[len(prefix):]: store.get(key) for key in store.keys(prefix)}


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*"))
            if p.is_file() and not p.name.startswith(".")}


def test_a_prompt_is_an_object(client, store, source):
    client("dataset", "import", source, "-o", PAIRS)
    found = objects(store)
    assert sorted(found) == [*(f"{i:07d}.tar" for i in range(10)), "run.json"]
    with tarfile.open(fileobj=io.BytesIO(found["0000003.tar"])) as archive:
        assert archive.getnames() == [f"0000003/{name}" for name in ("prompt.json", "0_0.jpg", "0_1.jpg")]
    assert json.loads(found["run.json"])["imported_from"] == "imagefolder"
    assert store.count("DELETE", ".lease-") == 1


def test_reading_is_as_from_a_disk(client, elsewhere, store, source, tmp_path):
    client("dataset", "import", source, "-o", tmp_path / "local")
    client("dataset", "import", source, "-o", PAIRS)
    for verb in (["prepare"], ["stats", "--json"], ["check", "--json"]):
        here = client("dataset", *verb, tmp_path / "local")
        there = elsewhere("dataset", *verb, PAIRS)
        assert here.out == there.out
    assert objects(store)["seeds.json"] == (tmp_path / "local" / "seeds.json").read_bytes()
    elsewhere("dataset", "export", PAIRS, "-o", tmp_path / "export")
    client("dataset", "export", tmp_path / "local", "-o", tmp_path / "export here")
    assert tree(tmp_path / "export") == tree(tmp_path / "export here")
    [copy] = [p for p in (elsewhere.cache / "datasets").iterdir() if p.is_dir()]
    assert tree(copy) == tree(tmp_path / "local")


def test_only_what_changed_is_copied_again(client, store, source):
    client("dataset", "import", source, "-o", PAIRS)
    client("dataset", "stats", PAIRS)
    store.requests.clear()
    client("dataset", "stats", PAIRS)
    assert [r.method for r in store.requests] == ["GET"]  # the list
    changed = objects(store)["0000001.tar"].replace(b"make it number", b"make it NUMBER")
    store.put("some/pairs/0000001.tar", changed)
    store.s3.delete_object(Bucket=BUCKET, Key="some/pairs/0000002.tar")
    store.requests.clear()
    assert json.loads(client("dataset", "stats", PAIRS, "--json").out)["prompts"] == 9
    assert store.count("GET", ".tar") == 1
    [copy] = [p for p in (client.cache / "datasets").iterdir() if p.is_dir()]
    assert "NUMBER" in (copy / "0000001" / "prompt.json").read_text() and not (copy / "0000002").exists()


def test_another_machine_goes_on(client, elsewhere, store, source, tmp_path):
    """The first is killed between two prompts; the second waits for its lease to run out."""
    client("dataset", "import", source, "-o", f"s3://{BUCKET}/whole")
    store.faults.append(lambda r: "hang" if r.method == "PUT" and "0000004.tar" in r.path else None)
    process = client.start("dataset", "import", source, "-o", PAIRS)
    s3_proxy.wait_until(lambda: store.count("PUT", "pairs/0000004.tar"), 60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(store.keys("some/pairs/0")) == 4
    store.faults.clear()
    store.requests.clear()
    elsewhere("dataset", "import", source, "-o", PAIRS)
    assert store.count("PUT", ".tar") == 6
    assert objects(store) == objects(store, "whole/")


def test_one_of_two_works(client, elsewhere, store, source):
    store.faults.append(lambda r: "hang" if r.method == "PUT" and "0000004.tar" in r.path else None)
    first = client.start("dataset", "import", source, "-o", PAIRS)
    s3_proxy.wait_until(lambda: store.count("PUT", "0000004.tar"), 60)
    second = elsewhere("dataset", "import", source, "-o", PAIRS, code=75)
    assert "another process works on this partition" in second.err
    first.kill()
    first.communicate()


def test_another_dataset_is_refused(client, store, source, tmp_path):
    client("dataset", "import", source, "-o", PAIRS)
    disk.make_original(tmp_path / "other", prompts=2)
    client("dataset", "prepare", tmp_path / "other")
    client("dataset", "export", tmp_path / "other", "-o", tmp_path / "other-source")
    done = client("dataset", "import", tmp_path / "other-source", "-o", PAIRS, code=42)
    assert "was made with source_sha256" in done.err
    store.s3.delete_object(Bucket=BUCKET, Key="some/pairs/run.json")
    done = client("dataset", "import", source, "-o", PAIRS, code=42)
    assert PAIRS in done.err and "holds prompts and no run.json" in done.err


def test_a_store_without_conditions_serves(client, store, source):
    without = error(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    store.faults.append(lambda r: without if "if-none-match" in r.headers else None)
    done = client("dataset", "import", source, "-o", PAIRS)
    assert "nobody is kept out" in done.err and len(store.keys("some/pairs/0")) == 10


def test_packs_go_there_and_back(client, elsewhere, store, source, tmp_path):
    client("dataset", "import", source, "-o", PAIRS)
    client("dataset", "prepare", PAIRS)
    client("dataset", "pack", PAIRS, "-o", f"s3://{BUCKET}/packed", "--shard-bytes", 60_000)
    keys = store.keys("packed/")
    assert keys[0] == "packed/index.json" and len(keys) >= 3
    puts = [r.path for r in store.requests if r.method == "PUT" and "/packed/" in r.path]
    assert puts[-1].endswith("/packed/index.json")
    client("dataset", "pack", PAIRS, "-o", f"s3://{BUCKET}/packed", code=42)
    elsewhere("dataset", "unpack", f"s3://{BUCKET}/packed", "-o", tmp_path / "back")
    [copy] = [p for p in (client.cache / "datasets").iterdir() if p.is_dir()]
    assert tree(tmp_path / "back") == tree(copy)
    assert not [p for p in (client.cache / "packs").iterdir() if p.is_dir()]


def test_a_folder_that_was_copied_file_by_file(client, elsewhere, store, tmp_path):
    disk.make_original(tmp_path / "original")
    client("store", "cp", tmp_path / "original", PAIRS)
    elsewhere("dataset", "prepare", PAIRS)
    assert objects(store)["seeds.json"].decode() == disk.original_seeds(tmp_path / "original")
    client("store", "cp", PAIRS, tmp_path / "back")
    (tmp_path / "back" / "seeds.json").unlink()
    assert not filecmp.dircmp(tmp_path / "original", tmp_path / "back").diff_files


@pytest.mark.parametrize("name, contents", [
    ("0000001.tar", b"no archive at all, but long enough to look like one" * 30),
    ("../../outside", b"x"),
])  # fmt: skip
def test_what_is_damaged_is_told(client, store, source, name, contents):
    client("dataset", "import", source, "-o", PAIRS)
    store.put(f"some/pairs/{name}", contents)
    done = client("dataset", "stats", PAIRS, code=42)
    assert "some/pairs" in done.err and name.split("/")[-1].removesuffix(".tar") in done.err


def test_an_archive_that_leads_elsewhere_is_refused(client, store, source, tmp_path):
    client("dataset", "import", source, "-o", PAIRS)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("0000001/prompt.json", "0000001/../../evil"):
            tar.addfile(tarfile.TarInfo(name))
    store.put("some/pairs/0000001.tar", archive.getvalue())
    done = client("dataset", "stats", PAIRS, code=42)
    assert "0000001.tar holds a file that is none of its prompt's" in done.err
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("verb", ["unpack", "export"])
def test_outputs_that_are_folders_are_told(client, store, source, verb):
    done = client("dataset", verb, source, "-o", PAIRS, code=42)
    assert "wants a folder here" in done.err


def test_nothing_there_is_told(client, store):
    assert f"{PAIRS} holds no object" in client("dataset", "stats", PAIRS, code=42).err
