"""What strangers send to a gateway, and good clients beside them. No service is needed behind it."""

import http.client
import json
import select
import socket
import statistics
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from gateway_cluster import Gateway

SLOW_CLIENTS = 300
TOKEN, OTHER = "a-token-of-sixteen", "another-of-sixteen"


@pytest.fixture(scope="module")
def gateway():
    started = Gateway("--edit-server", "off", "--header-seconds", 3, "--max-connections", 1000)
    yield started
    started.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    file = tmp_path_factory.mktemp("tokens") / "tokens.json"
    file.write_text(json.dumps({"tokens": [{"name": "web", "token": TOKEN, "roles": ["edit"]},
                                           {"name": "old", "token": OTHER, "roles": ["edit"],
                                            "expires": "2020-01-01T00:00:00Z"}]}))
    started = Gateway("--edit-server", "off", "--token-file", file)
    yield started
    started.close()


def raw(gateway, data, timeout=60):
    """What comes back until the gateway closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:  # it closed while we were still sending
            pass
        return answer


HEAD = b"POST /api/v1/edit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(("data", "status"), [
    (HEAD + b"Content-Length: 10000000000\r\n\r\n", 413),
    (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}    ", 400),
    (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 411),
    (HEAD + b"Content-Length: 0x10\r\n\r\n", 400),
    (HEAD + b"Content-Length: -5\r\n\r\n", 400),
    (HEAD + b"Content-Length: +2\r\n\r\n{}", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
    (b"GET /%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
    (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
    (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
    (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403),
    (b"PUT /api/v1/edit HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
])  # fmt: skip
def test_shapes_that_are_refused(gateway, data, status):
    assert raw(gateway, data).startswith(b"HTTP/1.1 %d " % status)
    assert gateway.get("/healthz") == {"status": "serving"}


@pytest.mark.parametrize(("body", "type_", "status", "part"), [
    ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "application/json", 400, "nests too deeply"),
    ("[]", "application/json", 400, "the body is an array"),
    ("{", "application/json", 400, "no JSON"),
    ('{"image": "aGk=", "steps": 1e400}', "application/json", 400, ""),
    ('{"image": "http://127.0.0.1:1/x.png"}', "application/json", 400, "wants base64"),
    ("hello", "text/plain", 415, "Content-Type"),
    ("a=b", "application/x-www-form-urlencoded", 415, "Content-Type"),
    ("--x\r\n" * 100_000, "multipart/form-data; boundary=x", 400, "the form"),
    ("x" * 100_000, "multipart/form-data; boundary=y", 400, "the form"),
    ("x", "multipart/form-data", 400, "boundary"),
])  # fmt: skip
def test_bodies_that_are_refused(gateway, body, type_, status, part):
    told, headers, data = gateway.call("POST", "/api/v1/edit", body, {"Content-Type": type_})
    assert told == status and part in data["error"]["message"], data
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_is_written_from_another_origin(gateway):
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Origin": f"http://127.0.0.1:{gateway.port + 1}"}):
        assert gateway.call("POST", "/api/v1/logout", "{}", headers | {"Content-Type": "application/json"})[0] == 403
    own = {"Origin": gateway.url, "Sec-Fetch-Site": "same-origin"}
    assert gateway.call("POST", "/api/v1/logout", headers=own)[0] == 200


def test_pages_forbid_what_is_not_theirs_and_are_asked_for_again(gateway):
    status, headers, body = gateway.call("GET", "/")
    assert status == 200 and b"<script type=\"module\" src=" in body and b"style=" not in body
    assert "default-src 'self'" in headers["Content-Security-Policy"] and "unsafe" not in str(headers)
    again = gateway.call("GET", "/", headers={"If-None-Match": headers["ETag"]})
    assert again[0] == 304 and again[2] == b""
    assert gateway.call("HEAD", "/app.js")[1]["Content-Type"].startswith("text/javascript")


def test_a_token_logs_in_and_out(guarded):
    assert guarded.call("GET", "/")[0] == 200 and guarded.call("GET", "/healthz")[0] == 200
    assert guarded.call("GET", "/api/v1/models")[0] == 401
    assert guarded.call("GET", "/api/v1/models", headers={"Authorization": f"Bearer {OTHER}"})[0] == 401
    assert guarded.call("POST", "/api/v1/login", {"token": "wrong-wrong-wrong"})[0] == 401
    assert guarded.call("POST", "/api/v1/login", {"token": TOKEN}, {"Origin": "http://evil.example"})[0] == 403
    status, headers, _ = guarded.call("POST", "/api/v1/login", {"token": TOKEN})
    cookie = headers["Set-Cookie"]
    assert status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    session = {"Cookie": cookie.split(";")[0]}
    assert guarded.get("/api/v1/session", headers=session) == {"caller": "token:web", "logged_in": True, "wants_token": True}
    # 409: past the guard, and there is no edit server.
    assert guarded.call("GET", "/api/v1/models", headers=session)[0] == 409
    assert guarded.call("GET", "/api/v1/models", headers={"Authorization": f"Bearer {TOKEN}"})[0] == 409
    assert "Max-Age=0" in guarded.call("POST", "/api/v1/logout", headers=session)[1]["Set-Cookie"]
    assert not any(TOKEN in line for line in guarded.log)


def test_slow_clients_are_cut_off(gateway):
    for data in (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"G", b"", HEAD + b"Content-Length: 1000\r\n\r\n{"):
        assert raw(gateway, data) == b""


def test_a_flood_of_slow_clients_leaves_good_ones_alone(gateway, capsys):
    def good_p99(blocks=7, requests=1000):
        """Milliseconds, the median of several: a machine that hiccups does so in some."""
        found = []
        for _ in range(blocks):
            times = []
            for _ in range(requests):
                begin = time.perf_counter()
                assert gateway.get("/healthz") == {"status": "serving"}
                times.append((time.perf_counter() - begin) * 1000)
            found.append(statistics.quantiles(times, n=100)[98])
        return statistics.median(found)

    alone = good_p99()
    # A process of its own: its threads would stop our clock.
    flood = subprocess.Popen([sys.executable, ROOT / "tests/fakes/slow_clients.py", str(gateway.port), str(SLOW_CLIENTS)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert select.select([flood.stdout], [], [], 60)[0]
        assert flood.stdout.readline() == "cut\n"  # it has come to its height
        beside = good_p99()
        assert flood.poll() is None
    finally:
        flood.communicate(timeout=60)

    with capsys.disabled():
        print(f"\ngood p99 alone {alone:.2f} ms, beside {SLOW_CLIENTS} slow clients {beside:.2f} ms, {beside / alone:.2f} x")


def test_one_connection_carries_many_requests(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    for _ in range(20):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"serving"}'
    connection.close()
