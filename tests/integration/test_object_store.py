"""`ip2p store` with a store of another maker (moto), with boto3 on the other side, and with faults in between."""

import hashlib
import io
import json
import random
import signal
import socket

import boto3
import pytest
import s3_proxy
from botocore.exceptions import ClientError
from s3_proxy import BUCKET, error, first
from s3_store import client, running_store, store  # noqa: F401: fixtures

# What URLs, queries, XML and signatures escape in ways of their own.
ODD_KEYS = ["a b", "plus+plus", "100%", "%41", "ünï/cödé", "日本/語", "quote'\"quote", "amp&lt<gt>", "eq=and?and#", "a//b",
            "semi;colon", "tilde~*()!", "back\\slash", "emoji😀", "dot/./dot", ".hidden", "trailing ",
            "x" * 200]
FILE_KEYS = [k for k in ODD_KEYS if "//" not in k and "/./" not in k]


def noise(size, seed=0):
    return random.Random(str(seed)).randbytes(size)


def listed(client, url=f"s3://{BUCKET}"):
    return [json.loads(line)["url"] for line in client("store", "ls", url, "--json").out.splitlines()]


def test_what_boto3_writes_is_read(client, store, tmp_path):
    for algorithm in ("CRC32", "SHA256", "SHA1", None):  # others need more than boto3; see checksum_test.cc
        more = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        store.put(f"by/{algorithm}", noise(1000, algorithm), **more)
        client("store", "cp", f"s3://{BUCKET}/by/{algorithm}", tmp_path / str(algorithm))
        assert (tmp_path / str(algorithm)).read_bytes() == noise(1000, algorithm)
    store.put("empty", b"")
    client("store", "cp", f"s3://{BUCKET}/empty", tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""


def test_what_is_written_boto3_reads(client, store, tmp_path):
    (tmp_path / "file").write_bytes(noise(100_000))
    client("store", "cp", tmp_path / "file", f"s3://{BUCKET}/some/file")
    answer = store.s3.get_object(Bucket=BUCKET, Key="some/file", ChecksumMode="ENABLED")
    assert answer["Body"].read() == noise(100_000) and answer["ChecksumSHA256"]
    client("store", "cp", tmp_path / "file", f"s3://{BUCKET}/some/")
    assert store.keys() == ["some/file"]


def test_an_object_of_several_parts(client, store, tmp_path):
    data = noise(21_000_000)
    (tmp_path / "large").write_bytes(data)
    client("store", "cp", tmp_path / "large", f"s3://{BUCKET}/large")
    assert store.count("PUT", "partNumber") == 3
    assert store.get("large") == data
    head = store.s3.head_object(Bucket=BUCKET, Key="large")
    assert head["ETag"].endswith('-3"') and head["Metadata"]["ip2p-sha256"] == hashlib.sha256(data).hexdigest()
    client("store", "cp", f"s3://{BUCKET}/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_parts_that_boto3_wrote(client, store, tmp_path):
    data = noise(17_000_000, 3)
    store.s3.upload_fileobj(io.BytesIO(data), BUCKET, "parts")
    client("store", "cp", f"s3://{BUCKET}/parts", tmp_path / "parts")
    assert (tmp_path / "parts").read_bytes() == data


def test_odd_keys_are_listed_and_read(client, store, tmp_path):
    for number, key in enumerate(ODD_KEYS):
        store.put(f"odd/{key}", noise(50, number))
    assert sorted(listed(client, f"s3://{BUCKET}/odd")) == sorted(f"s3://{BUCKET}/odd/{key}" for key in ODD_KEYS)
    for number, key in enumerate(ODD_KEYS):
        client("store", "cp", f"s3://{BUCKET}/odd/{key}", tmp_path / "one")
        assert (tmp_path / "one").read_bytes() == noise(50, number), key


def test_odd_names_go_there_and_back(client, store, tmp_path):
    folder = tmp_path / "folder"
    for number, key in enumerate(FILE_KEYS):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(noise(50, number))
    client("store", "cp", folder, f"s3://{BUCKET}/odd folder")
    assert sorted(store.keys()) == sorted(f"odd folder/{key}" for key in FILE_KEYS)
    client("store", "cp", f"s3://{BUCKET}/odd folder/", tmp_path / "back")
    for number, key in enumerate(FILE_KEYS):
        assert (tmp_path / "back" / key).read_bytes() == noise(50, number), key


@pytest.mark.parametrize("key", ["up/../../out", "up//twice", "up/.", "up/.tmp-x"])
def test_keys_that_are_no_files_are_refused(client, store, tmp_path, key):
    store.put(key, b"x")
    done = client("store", "cp", f"s3://{BUCKET}/up/", tmp_path / "back", code=42)
    assert f"s3://{BUCKET}/{key}" in done.err and "wants" in done.err
    assert not (tmp_path / "out").exists()


def test_more_than_a_page_is_listed(client, store):
    for number in range(5):
        store.put(f"many/{number:04d}", b"")

    def short(request):  # pages of two
        if request.method == "GET":
            request.path = request.path.replace("list-type=2", "list-type=2&max-keys=2")

    store.faults.append(short)
    assert len(listed(client, f"s3://{BUCKET}/many")) == 5
    assert store.count("GET", "continuation-token") == 2


def test_faults_that_pass(client, store, tmp_path):
    data = noise(9_000_000, 5)
    (tmp_path / "file").write_bytes(data)
    store.faults += [
        first(1, error(503, "SlowDown"), lambda r: r.method == "POST"),
        first(1, error(500, "InternalError"), lambda r: r.method == "PUT"),
        first(1, "drop", lambda r: r.method == "PUT"),
        first(1, error(400, "RequestTimeout"), lambda r: r.method == "PUT"),
        first(1, error(200, "InternalError"), lambda r: r.method == "POST" and "uploadId" in r.path),
        first(1, "drop", lambda r: r.method == "POST" and "uploadId" in r.path),  # heard, and its answer lost
    ]
    client("store", "cp", tmp_path / "file", f"s3://{BUCKET}/file")
    assert store.get("file") == data
    assert not store.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    store.faults[:] = [
        first(1, error(503, "SlowDown"), lambda r: r.method == "HEAD"),
        first(1, ("cut", 1000), lambda r: r.method == "GET"),
        first(1, "drop", lambda r: r.method == "GET"),
        first(1, ("change", lambda body: body[:-5]), lambda r: r.method == "GET"),
        first(1, error(429, "TooManyRequests"), lambda r: r.method == "GET"),
    ]
    client("store", "cp", f"s3://{BUCKET}/file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_a_list_that_is_cut_or_no_list_is_asked_for_again(client, store):
    store.put("a", b"")
    store.faults += [first(1, ("cut", 30)), first(1, (200, {}, b"<html>proxy</html>")), first(1, (200, {}, b""))]
    assert listed(client) == [f"s3://{BUCKET}/a"]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_wrong_bytes_are_not_taken(client, store, tmp_path, algorithm):
    store.put("file", noise(1000), ChecksumAlgorithm=algorithm)
    store.faults.append(lambda r: ("change", lambda b: b[:-1] + bytes([b[-1] ^ 1])) if r.method == "GET" else None)
    done = client("store", "cp", f"s3://{BUCKET}/file", tmp_path / "file", code=42)
    assert f"s3://{BUCKET}/file" in done.err and "wants" in done.err
    assert not list(tmp_path.glob("*file*"))


def test_a_failed_upload_leaves_nothing(client, store, tmp_path):
    (tmp_path / "file").write_bytes(noise(20_000_000))
    denied = error(403, "AccessDenied", "not there")
    store.faults.append(lambda r: denied if "partNumber=2" in r.path else None)
    done = client("store", "cp", tmp_path / "file", f"s3://{BUCKET}/file", code=77)
    assert f"s3://{BUCKET}/file" in done.err and "403 AccessDenied" in done.err
    assert not store.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads") and store.keys() == []


def test_an_interrupt_aborts_the_upload(client, store, tmp_path):
    (tmp_path / "file").write_bytes(noise(20_000_000))
    store.faults.append(lambda r: "hang" if "partNumber=3" in r.path else None)
    process = client.start("store", "cp", tmp_path / "file", f"s3://{BUCKET}/file")
    s3_proxy.wait_until(lambda: store.count("PUT", "partNumber=3") == 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert not store.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_a_killed_download_goes_on(client, store, tmp_path):
    data = noise(30_000_000)
    store.put("large", data, ChecksumAlgorithm="SHA256")
    # The third part never comes, so the first two are what is on the disk.
    store.faults.append(lambda r: "hang" if r.headers.get("range", "").startswith("bytes=16777216-") else None)
    process = client.start("store", "cp", f"s3://{BUCKET}/large", tmp_path / "large")
    s3_proxy.wait_until(lambda: [p for p in tmp_path.glob(".tmp-part-*") if p.stat().st_size == 16_777_216])
    process.kill()
    process.communicate()
    store.faults.clear()
    store.requests.clear()
    client("store", "cp", f"s3://{BUCKET}/large", tmp_path / "large")
    assert (tmp_path / "large").read_bytes() == data
    assert store.count("GET") == 2  # of four parts
    assert not list(tmp_path.glob(".tmp-part-*"))


@pytest.mark.parametrize("arguments, code, words", [
    (["ls", "s3://nobody-s/bucket"], 42, ["s3://nobody-s/", "404 NoSuchBucket", "wants a bucket"]),
    (["cp", "s3://data/absent", "x"], 42, ["s3://data/absent", "neither an object"]),
    (["ls", "s3://Not A Bucket/x"], 42, ["Not A Bucket", "wants 3..63"]),
    (["ls", "http://data/x"], 42, ["wants s3://BUCKET/KEY"]),
    (["cp", "a", "b"], 42, ["wants one s3://"]),
])  # fmt: skip
def test_wrong_urls_are_told(client, store, tmp_path, arguments, code, words):
    done = client("store", *arguments, code=code)
    assert all(word in done.err for word in words), done.err


def test_wrong_keys_are_told(client, store):
    done = client("store", "ls", f"s3://{BUCKET}/", code=77, AWS_SECRET_ACCESS_KEY="wrong-secret-of-somebody")
    assert "403 SignatureDoesNotMatch" in done.err and "wants the secret access key" in done.err
    assert "wrong-secret" not in done.err
    store.bad_signatures.clear()
    done = client("store", "ls", f"s3://{BUCKET}/", code=77, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert "there are no keys" in done.err and store.count("GET") == 1
    done = client("store", "ls", f"s3://{BUCKET}/", code=42, AWS_SECRET_ACCESS_KEY="")
    assert "holds half of a key" in done.err


def test_a_secret_that_the_store_echoes_is_not_shown(client, store):
    store.faults.append(lambda r: error(403, "AccessDenied", f"{s3_proxy.SECRET_KEY} and {s3_proxy.ACCESS_KEY}"))
    done = client("store", "ls", f"s3://{BUCKET}/", code=77)
    assert "[key] and [key]" in done.err and s3_proxy.ACCESS_KEY not in done.err


def test_another_region_is_told(client, store):
    store.faults.append(lambda r: error(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-west-3"}))
    done = client("store", "ls", f"s3://{BUCKET}/", code=42)
    assert "region eu-west-3" in done.err and "wants that as AWS_REGION, which is us-east-1" in done.err


def test_clocks_that_differ_are_told(client, store):
    store.faults.append(lambda r: error(403, "RequestTimeTooSkewed"))
    done = client("store", "ls", f"s3://{BUCKET}/", code=77)
    assert "RequestTimeTooSkewed" in done.err and "15m" in done.err


def test_a_store_that_is_not_there(client, store):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    process = client.start("store", "ls", f"s3://{BUCKET}/", AWS_ENDPOINT_URL_S3=address)
    line = process.stderr.readline()  # it says why it waits
    assert "asked again" in line and address in line and "no connection" in line
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def test_keys_of_a_profile(client, store, tmp_path):
    (tmp_path / "home" / ".aws").mkdir(parents=True)
    (tmp_path / "home" / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = x\naws_secret_access_key = y\n[pairs]\naws_access_key_id={s3_proxy.ACCESS_KEY}\n"
        f"aws_secret_access_key = {s3_proxy.SECRET_KEY}\n")
    (tmp_path / "home" / ".aws" / "config").write_text(
        f"[profile pairs]\nregion = eu-central-1\nendpoint_url = {store.url}\n")
    more = dict.fromkeys(store.environment(), "")
    client("store", "ls", f"s3://{BUCKET}/", AWS_PROFILE="pairs", **more)
    assert "/eu-central-1/s3/" in store.requests[-1].headers["authorization"]


def test_keys_of_a_role(client, store, tmp_path):
    """As pods have it: a token of the cluster becomes keys for an hour."""
    (tmp_path / "token").write_text("a.b.c\n")
    store.check = False  # the secret is moto's invention
    client("store", "ls", f"s3://{BUCKET}/", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
           AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token"), AWS_ROLE_ARN="arn:aws:iam::123456789012:role/pairs",
           AWS_ENDPOINT_URL_STS=store.url)
    assert [r.method for r in store.requests] == ["POST", "GET"]
    assert b"WebIdentityToken=a.b.c" in store.requests[0].body and "authorization" not in store.requests[0].headers
    assert "x-amz-security-token" in store.requests[1].headers


def test_the_proxy_sees_wrong_signatures(store):
    """The check itself: a request that boto3 signs with another secret."""
    wrong = boto3.client("s3", endpoint_url=store.url, region_name="us-east-1", aws_access_key_id="x",
                         aws_secret_access_key="y")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.list_objects_v2(Bucket=BUCKET)
    store.bad_signatures.clear()
    right = boto3.client("s3", endpoint_url=store.url, region_name="us-east-1", aws_access_key_id=s3_proxy.ACCESS_KEY,
                         aws_secret_access_key=s3_proxy.SECRET_KEY)
    right.list_objects_v2(Bucket=BUCKET, Prefix="a b+c/ü")
