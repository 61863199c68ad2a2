"""One request from the web to the model: its id and its trace are in the logs of both, and what is no id stays out."""

import concurrent.futures
import json
import re
import socket

import grpc
import pytest
from gateway_cluster import Gateway, cluster  # noqa: F401  (fixture)
from server import stubs  # noqa: F401  (fixture)
from test_gateway import edit_body, until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MADE_ID = r"[0-9a-f]{32}"
MADE_TRACE = r"00-[0-9a-f]{32}-[0-9a-f]{16}-00"
BAD_IDS = ["not an id", "a;b", 'x" y', "<script>", "caf\u00e9", "..%0d%0a", "x" * 129, "x" * 10_000, ""]
BAD_TRACES = ["", "00-4bf9-00f0-01", TRACE.upper(), TRACE + "-more", TRACE.replace("00-4", "ff-4"), "00-" + "0" * 32 + TRACE[35:],
              TRACE[:36] + "0" * 16 + "-01", "x" * 10_000]  # fmt: skip


def lines_of(log, request_id):
    """Of a request's lines, each as its fields: what is no JSON fails here."""
    return [fields for fields in map(json.loads, log) if fields.get("request_id") == request_id]


def told_by_both(cluster, request_id):
    """The gateway's line and the edit server's, once they are written."""
    logs = (cluster.gateway.log, cluster.edit.log)
    until(lambda: all(lines_of(list(log), request_id) for log in logs), "both have logged the request")
    ((web,), (call,)) = (lines_of(list(log), request_id) for log in logs)
    return web, call


def test_a_given_id_and_trace_are_in_the_logs_of_both(cluster):
    status, headers, data = cluster.gateway.call("POST", "/api/v1/edit", edit_body(),
                                                 {"X-Request-Id": "trace-me.1", "traceparent": TRACE})  # fmt: skip
    assert status == 200 and headers["X-Request-Id"] == data["request_id"] == "trace-me.1"
    web, call = told_by_both(cluster, "trace-me.1")
    assert (web["event"], web["route"], web["status"], web["traceparent"]) == ("request", "/api/v1/edit", 200, TRACE)
    assert (call["event"], call["method"], call["code"], call["traceparent"]) == ("call", "StreamEdit", "OK", TRACE)
    assert web["ms"] >= call["ms"]
    assert not any("make it snow" in line for line in [*cluster.gateway.log, *cluster.edit.log])


def test_what_is_not_given_is_made_up_once(cluster):
    status, headers, data = cluster.gateway.call("POST", "/api/v1/edit", edit_body())
    request_id = headers["X-Request-Id"]
    assert status == 200 and re.fullmatch(MADE_ID, request_id) and data["request_id"] == request_id
    web, call = told_by_both(cluster, request_id)
    assert re.fullmatch(MADE_TRACE, web["traceparent"]) and call["traceparent"] == web["traceparent"]


def test_an_edit_that_fails_is_found_by_its_id_too(cluster):
    status, headers, data = cluster.gateway.call("POST", "/api/v1/edit", edit_body(steps=0), {"X-Request-Id": "fails.1"})
    assert status == 400 and headers["X-Request-Id"] == "fails.1"
    web, call = told_by_both(cluster, "fails.1")
    assert web["status"] == 400 and (call["code"], call["message"]) == ("INVALID_ARGUMENT", data["error"]["message"])


@pytest.mark.parametrize("bad", BAD_IDS, ids=lambda text: repr(text[:12]))
def test_what_is_no_id_is_replaced(cluster, bad):
    headers = {"X-Request-Id": bad.encode("utf-8")}
    status, answered, _ = cluster.gateway.call("GET", "/api/v1/models", headers=headers)
    assert status == 200 and re.fullmatch(MADE_ID, answered["X-Request-Id"])
    until(lambda: lines_of(list(cluster.gateway.log), answered["X-Request-Id"]), "it is logged")
    assert not bad or not any(bad in line for line in cluster.gateway.log)


@pytest.mark.parametrize("bad", BAD_TRACES, ids=lambda text: repr(text[:12]))
def test_what_is_no_trace_is_replaced(cluster, bad):
    _, answered, _ = cluster.gateway.call("GET", "/api/v1/models", headers={"traceparent": bad})
    until(lambda: lines_of(list(cluster.gateway.log), answered["X-Request-Id"]), "it is logged")
    (web,) = lines_of(list(cluster.gateway.log), answered["X-Request-Id"])
    assert re.fullmatch(MADE_TRACE, web["traceparent"])


def raw(gateway, value):
    """The answer to a request whose id is these bytes, line breaks and all."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: " + value +
                           b"\r\nConnection: close\r\n\r\n")  # fmt: skip
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("value", [
    b"one\n{\"event\":\"forged\"}", b"one\r\n two", b"one\r\n\t{\"event\":\"forged\"}", b"one\rtwo", b"one\0two",
    b"one\r\nX-Forged: yes", b"\xff\xfe", b"x" * 10_000, b"x" * 100_000,
], ids=lambda value: repr(value[:16]))  # fmt: skip
def test_line_breaks_forge_neither_log_nor_answer(cluster, value):
    answer = raw(cluster.gateway, value)
    head = answer.partition(b"\r\n\r\n")[0]
    status = int(head.split()[1]) if head else 0
    assert status in (0, 200, 400, 431), head
    assert b"forged" not in head.lower() and b"two" not in head and b"x" * 200 not in head
    assert cluster.gateway.get("/healthz") == {"status": "serving"}
    for line in list(cluster.gateway.log):
        fields = json.loads(line)
        assert fields["event"] != "forged" and re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", fields.get("request_id", "x"))


def test_id_and_trace_go_on_as_metadata(stubs):
    """Seen by a service of another maker in the edit server's place."""
    seen = []

    class Edits(stubs.edit_grpc.EditServiceServicer):
        def StreamEdit(self, request, context):
            seen.append(dict(context.invocation_metadata()))
            result = {"outputs": [{"image": {"data": b"x", "format": stubs.image.IMAGE_FORMAT_PNG}}]}
            yield stubs.edit_service.StreamEditResponse(result=result)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    stubs.edit_grpc.add_EditServiceServicer_to_server(Edits(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    gateway = Gateway("--edit-server", f"127.0.0.1:{port}")
    try:
        given = {"X-Request-Id": "pass-me.1", "traceparent": TRACE}
        for headers in (given, {}, {"X-Request-Id": "b\u00e4d".encode(), "traceparent": "bad"}):
            assert gateway.call("POST", "/api/v1/edit", edit_body(), headers)[0] == 200
        first, second, third = seen
        assert (first["x-request-id"], first["traceparent"]) == ("pass-me.1", TRACE)
        for made in (second, third):
            assert re.fullmatch(MADE_ID, made["x-request-id"]) and re.fullmatch(MADE_TRACE, made["traceparent"])
        assert second["traceparent"] != third["traceparent"]
    finally:
        gateway.close()
        server.stop(0)
