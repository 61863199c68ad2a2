"""The gateway's datasets at s3://: as from a folder, and while the bucket is away and after it is back."""

import io
import tarfile
import time

import pytest
import s3_proxy
from datasets_on_disk import make_original
from gateway_cluster import Gateway, make_scored
from s3_proxy import BUCKET, error
from s3_store import client, running_store, store  # noqa: F401: fixtures

SETS = f"s3://{BUCKET}/sets"
THRESHOLDS = "clip_threshold=0.25&clip_dir_threshold=0.15&clip_img_threshold=0.8&max_out_samples=3"
PATIENCE_S = 120  # a test that needs it has failed
DENIED = error(403, "AccessDenied", "not now")


def put_prompt(store, dataset, home):
    """One object a prompt, as `ip2p pairs generate` leaves it in a bucket."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(home.iterdir()):
            member = tarfile.TarInfo(f"{home.name}/{path.name}")
            member.size = path.stat().st_size
            tar.addfile(member, io.BytesIO(path.read_bytes()))
    store.put(f"sets/{dataset}/{home.name}.tar", archive.getvalue())


def put_dataset(store, folder):
    for home in sorted(p for p in folder.iterdir() if p.is_dir()):
        put_prompt(store, folder.name, home)
    store.put(f"sets/{folder.name}/run.json", (folder / "run.json").read_bytes())


@pytest.fixture
def scored(tmp_path):
    """A dataset of twelve prompts in a folder."""
    make_scored(tmp_path / "datasets" / "scored")
    return tmp_path / "datasets" / "scored"


@pytest.fixture
def start(client):
    """start("--flag", ...) -> a gateway with the store's variables. No secret is in what it logs."""
    started = []

    def start(*arguments, datasets=SETS, **variables):
        environment = client.environment(**variables)
        started.append(Gateway("--edit-server", "off", "--datasets-dir", datasets, *arguments, environment=environment))
        return started[-1]

    yield start
    for gateway in started:
        gateway.close()
        assert s3_proxy.SECRET_KEY not in "".join(gateway.log)


def until(look, good, seconds=PATIENCE_S):
    """What `look` gives as soon as it is good."""
    end = time.monotonic() + seconds
    while not good(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def get_read(gateway, path):
    """The answer once the dataset is read."""
    return until(lambda: gateway.call("GET", path), lambda a: a[0] == 200 and not a[2]["reading"])[2]


def test_it_is_as_from_a_folder(start, store, client, scored):
    put_dataset(store, scored)
    make_original(scored.parent / "plain")
    client("store", "cp", scored.parent / "plain", f"{SETS}/plain")  # file by file
    store.put("sets/models/unet/config.json", b"{}")
    store.put("sets/prompts.jsonl", b"{}")
    here, there = start(datasets=scored.parent), start()
    assert there.get("/api/v1/datasets") == here.get("/api/v1/datasets") == {"datasets": ["plain", "scored"]}
    for path in ("scored", f"scored?{THRESHOLDS}", f"scored/pairs?order=best&limit=5&offset=1&{THRESHOLDS}",
                 "scored/pairs?order=worst&limit=100", "plain", "plain/pairs"):
        told = get_read(there, f"/api/v1/datasets/{path}")
        assert told == get_read(here, f"/api/v1/datasets/{path}")
        assert told["fault"] is None and told["truncated"] is False
    for name in ("scored", "plain"):
        for pair in there.get(f"/api/v1/datasets/{name}/pairs")["items"]:
            home = scored.parent / name / pair["folder"]
            assert there.get(pair["before"]) == (home / f"{pair['seed']}_0.jpg").read_bytes()
            assert there.get(pair["after"]) == (home / f"{pair['seed']}_1.jpg").read_bytes()


def test_what_is_published_is_added(start, store, scored):
    homes = sorted(p for p in scored.iterdir() if p.is_dir())
    store.put("sets/scored/run.json", (scored / "run.json").read_bytes())
    for home in homes[:5]:
        put_prompt(store, "scored", home)
    gateway = start()
    assert get_read(gateway, "/api/v1/datasets/scored")["prompts"] == 5
    store.requests.clear()
    put_prompt(store, "scored", homes[5])
    until(lambda: gateway.get("/api/v1/datasets/scored"), lambda told: told["prompts"] == 6)
    assert store.count("GET", ".tar") == 1


@pytest.mark.parametrize("path", [
    "nothing", "models", ".git", "..", "scored/images/..%2f..%2fmodels/x_0.jpg",
    "scored/images/0000000/prompt.json", "scored/images/0000000/..%2F0000001%2F1009_0.jpg",
])  # fmt: skip
def test_nothing_else_is_read(start, store, client, scored, path):
    put_dataset(store, scored)
    store.put("sets/models/x_0.jpg", b"x")
    gateway = start()
    get_read(gateway, "/api/v1/datasets/scored")
    status, _, data = gateway.call("GET", f"/api/v1/datasets/{path}")
    assert status in (400, 404) and str(client.cache) not in str(data)
    assert not store.count("GET", "nothing") and not store.count("GET", "x_0.jpg")


def test_a_bucket_that_is_away_at_the_start(start, store, scored):
    put_dataset(store, scored)
    store.faults.append(lambda r: error(503, "SlowDown", "reduce your rate"))
    gateway = start()
    for path in ("", "/scored", "/scored/pairs", "/scored/images/0000000/9_0.jpg"):
        status, headers, data = until(lambda p=path: gateway.call("GET", f"/api/v1/datasets{p}"),
                                      lambda a: "SlowDown" in a[2]["error"]["message"])
        assert status == 503 and data["error"]["code"] == "UNAVAILABLE" and int(headers["Retry-After"]) > 0
        assert SETS in data["error"]["message"]
    assert gateway.get("/healthz") == {"status": "serving"}
    store.faults.clear()
    until(lambda: gateway.call("GET", "/api/v1/datasets"), lambda a: a[0] == 200 and a[2] == {"datasets": ["scored"]})
    assert get_read(gateway, "/api/v1/datasets/scored")["prompts"] == 12


def test_a_bucket_that_goes_away_and_comes_back(start, store, scored):
    homes = sorted(p for p in scored.iterdir() if p.is_dir())
    put_dataset(store, scored)
    store.s3.delete_object(Bucket=BUCKET, Key=f"sets/scored/{homes[-1].name}.tar")
    gateway = start()
    before = get_read(gateway, "/api/v1/datasets/scored")
    (pair,) = gateway.get("/api/v1/datasets/scored/pairs?limit=1")["items"]
    picture = gateway.get(pair["after"])
    store.faults.append(lambda r: DENIED)
    # A browser that is told 401 or 403 would ask for a token.
    status, _, data = until(lambda: gateway.call("GET", "/api/v1/datasets"), lambda a: a[0] != 200)
    assert status == 503 and "403 AccessDenied" in data["error"]["message"]
    told = until(lambda: gateway.get("/api/v1/datasets/scored"), lambda told: told["fault"] is not None)
    assert "403 AccessDenied" in told["fault"] and f"{SETS}/scored" in told["fault"]
    assert told | {"fault": None} == before
    assert gateway.get(pair["after"]) == picture
    put_prompt(store, "scored", homes[-1])
    store.faults.clear()
    until(lambda: gateway.get("/api/v1/datasets/scored"), lambda told: told["fault"] is None and told["prompts"] == 12)
    assert gateway.get("/api/v1/datasets") == {"datasets": ["scored"]}


def test_a_copy_that_breaks_off_goes_on(start, store, scored):
    put_dataset(store, scored)
    store.faults.append(lambda r: DENIED if r.method == "GET" and "0000007.tar" in r.path else None)
    gateway = start()
    status, _, data = until(lambda: gateway.call("GET", "/api/v1/datasets/scored"),
                            lambda a: "AccessDenied" in str(a[2]))
    assert status == 200 and "0000007.tar" in data["fault"] and data["prompts_total"] == 12
    store.faults.clear()
    until(lambda: gateway.get("/api/v1/datasets/scored"), lambda told: told["fault"] is None and told["prompts"] == 12)


def test_a_store_that_is_not_there(start):
    gateway = start(AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")
    status, _, data = until(lambda: gateway.call("GET", "/api/v1/datasets"),
                            lambda a: "can't be listed" in a[2]["error"]["message"])
    assert status == 503 and SETS in data["error"]["message"]


def test_a_gateway_without_keys_says_so(start):
    gateway = start(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    status, _, data = until(lambda: gateway.call("GET", "/api/v1/datasets"),
                            lambda a: "keys" in a[2]["error"]["message"])
    assert status == 503 and "AWS_ACCESS_KEY_ID" in data["error"]["message"]


def test_a_store_that_hangs_holds_nobody_up(start, store, scored):
    put_dataset(store, scored)
    store.faults.append(lambda r: "hang")
    gateway = start()
    begin = time.monotonic()
    status, _, data = gateway.call("GET", "/api/v1/datasets")
    assert status == 503 and "does not answer yet" in data["error"]["message"]
    assert gateway.call("GET", "/api/v1/datasets/scored")[0] == 503
    gateway.terminate()
    assert gateway.wait() == 0
    assert time.monotonic() - begin < 60
