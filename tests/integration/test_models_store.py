"""Models at s3://: copied to the cache once, whole, by one of several processes, and again when they change."""

import json

import pytest
import s3_proxy
from s3_proxy import BUCKET
from s3_store import client, running_store, store  # noqa: F401: fixtures

URL = f"s3://{BUCKET}/models/tiny"


@pytest.fixture
def model(client, checkpoint):
    client("store", "cp", checkpoint("tiny"), URL)
    client.store.requests.clear()
    return checkpoint("tiny")


def inspect(client, url=URL, **more):
    return json.loads(client("model", "inspect", url, "--json", **more).out)


def copies(client):
    return sorted(p for p in (client.cache / "models").iterdir() if p.is_dir() and not p.name.startswith("."))


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_folder_is_copied_once(client, store, model):
    assert inspect(client) == inspect(client, model)
    [copy] = copies(client)
    assert copy.name.startswith("tiny-") and tree(copy) == tree(model)
    store.requests.clear()
    inspect(client)
    assert [r.method for r in store.requests] == ["HEAD", "GET"]  # whether it is an object, and the list


def test_one_file_is_a_model_too(client, store, model, tmp_path):
    client("model", "convert", model, tmp_path / "one.safetensors")
    client("store", "cp", tmp_path / "one.safetensors", f"s3://{BUCKET}/models/one.safetensors")
    assert inspect(client, f"s3://{BUCKET}/models/one.safetensors")["layout"] == "safetensors"


def test_a_model_that_changes_is_copied_anew(client, store, model):
    inspect(client)
    [old] = copies(client)
    index = json.loads(store.get("models/tiny/model_index.json"))
    store.put("models/tiny/model_index.json", json.dumps({**index, "note": 1}).encode())
    inspect(client)
    [new] = copies(client)  # nobody uses the old one
    assert new != old and json.loads((new / "model_index.json").read_text())["note"] == 1


def test_several_processes_share_a_copy(client, store, model):
    running = [client.start("model", "inspect", URL) for _ in range(4)]
    for process in running:
        assert process.wait(timeout=120) == 0, process.stderr.read()
        process.communicate()
    parts = [(r.path, r.headers["range"]) for r in store.requests if r.headers.get("range")]
    assert len(parts) == len(set(parts)) >= len(tree(model))  # none was asked for twice
    assert len(copies(client)) == 1


def test_a_killed_copy_goes_on(client, store, model):
    store.faults.append(lambda r: "hang" if "/unet/" in r.path and r.method == "GET" else None)
    process = client.start("model", "inspect", URL)
    s3_proxy.wait_until(lambda: any(f"/{part}/" in str(p) for p in client.cache.rglob("*.safetensors")
                                    for part in ("vae", "text_encoder")), 60)
    process.kill()
    process.communicate()
    assert copies(client) == []
    store.faults.clear()
    store.requests.clear()
    inspect(client)
    assert 0 < sum(bool(r.headers.get("range")) for r in store.requests) < len(tree(model))
    [copy] = copies(client)
    assert tree(copy) == tree(model)


def test_what_is_not_there_is_told(client, store):
    done = client("model", "inspect", f"s3://{BUCKET}/models/none", code=42)
    assert f"s3://{BUCKET}/models/none is neither an object nor a folder" in done.err


def test_a_target_in_a_store_is_told(client, store, model):
    done = client("model", "convert", URL, f"s3://{BUCKET}/out", code=42)
    assert "wants a file or folder here" in done.err
