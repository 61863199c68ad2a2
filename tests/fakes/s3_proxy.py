"""An object store for tests: moto's, behind a proxy that checks every signature with botocore and makes faults on demand."""

import hashlib
import http.client
import http.server
import re
import socket
import threading
import time
from urllib.parse import urlsplit

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
BUCKET = "data"
KEEP = {"host", "content-length", "connection", "transfer-encoding"}
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)")


class Request:
    """What came in; rules look at it."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body


def signature_fault(request, secret=SECRET_KEY):
    """None, or what is wrong, by botocore's own computation."""
    found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if not found:
        return "no signature"
    access, _, region, service, signed, signature = found.groups()
    url = f"http://{request.headers['host']}{request.path}"
    aws = AWSRequest(method=request.method, url=url)
    for name in signed.split(";"):
        if name != "host":
            aws.headers[name] = request.headers.get(name, "")
    aws.context["timestamp"] = request.headers["x-amz-date"]
    auth = S3SigV4Auth(Credentials(access, secret), service, region)
    signing = auth.headers_to_sign(aws)
    digest = request.headers["x-amz-content-sha256"]
    canonical = "\n".join([
        request.method, auth._normalize_url_path(urlsplit(url).path) or "/", auth.canonical_query_string(aws),
        auth.canonical_headers(signing) + "\n", auth.signed_headers(signing), digest])
    if auth.signature(auth.string_to_sign(aws, canonical), aws) != signature:
        return "SignatureDoesNotMatch"
    if digest != "UNSIGNED-PAYLOAD" and digest != hashlib.sha256(request.body).hexdigest():
        return "XAmzContentSHA256Mismatch"
    if [h for h in request.headers if h.startswith("x-amz-") and h not in signed.split(";")]:
        return "AccessDenied"
    return None


def error(status, code, message="no", **headers):
    """The answer of a store that refuses."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()
    return status, {"content-type": "application/xml", **headers}, body


class Store:
    """`faults` are functions of a request, asked in turn, which may change it: None, or an answer (status, headers, body), or "drop" (after the
    request was heard by the store), "hang", ("cut", n bytes), ("change", how: bytes -> bytes)."""

    def __init__(self):
        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        self.upstream = self.moto.get_host_and_port()
        self.requests, self.bad_signatures, self.faults = [], [], []
        self.check = True
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.direct = f"http://{self.upstream[0]}:{self.upstream[1]}"
        self.s3 = boto3.client("s3", endpoint_url=self.direct, region_name="us-east-1", aws_access_key_id=ACCESS_KEY,
                               aws_secret_access_key=SECRET_KEY, config=Config(s3={"addressing_style": "path"}))
        self.s3.create_bucket(Bucket=BUCKET)

    def close(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.moto.stop()

    def reset(self):
        """An empty bucket and no faults."""
        self.faults.clear()
        self.requests.clear()
        self.bad_signatures.clear()
        self.check = True
        for upload in self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self.s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
        for key in self.keys():
            self.s3.delete_object(Bucket=BUCKET, Key=key)

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def put(self, key, body, **more):
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)

    def get(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def environment(self):
        """The variables of a client."""
        return {"AWS_ENDPOINT_URL_S3": self.url, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_REGION": "us-east-1"}

    def count(self, method, part=""):
        return sum(r.method == method and part in r.path for r in self.requests)

    def _forward(self, request):
        upstream = http.client.HTTPConnection(*self.upstream, timeout=60)
        headers = {k: v for k, v in request.headers.items() if k not in KEEP}
        upstream.request(request.method, request.path, body=request.body, headers=headers)
        answer = upstream.getresponse()
        body = answer.read()
        result = answer.status, {k.lower(): v for k, v in answer.getheaders()}, body
        upstream.close()
        return result

    def _handler(store):
        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def _answer(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:  # its client died while sending
                    self.close_connection = True
                    return
                headers = {k.lower(): v for k, v in self.headers.items()}
                request = Request(self.command, self.path, headers, body)
                with store.lock:
                    store.requests.append(request)
                    fault = signature_fault(request) if store.check else None
                    if fault:
                        store.bad_signatures.append((fault, self.command, self.path))
                    planned = next((p for p in (f(request) for f in list(store.faults)) if p is not None), None)
                if planned == "hang":
                    store.stopping.wait(120)
                    return self._drop()
                if fault:
                    answer = error(403, fault)
                elif isinstance(planned, tuple) and isinstance(planned[0], int):
                    answer = planned
                else:
                    answer = store._forward(request)
                if planned == "drop":
                    return self._drop()
                status, headers, body = answer
                length = headers.get("content-length", str(len(body))) if self.command == "HEAD" else str(len(body))
                if isinstance(planned, tuple) and planned[0] == "change":
                    body = planned[1](body)
                self.send_response(status)
                for name, value in headers.items():
                    if name not in KEEP | {"date", "server"}:
                        self.send_header(name, value)
                self.send_header("content-length", length)
                self.end_headers()
                if self.command == "HEAD":
                    return
                if isinstance(planned, tuple) and planned[0] == "cut":
                    self.wfile.write(body[:planned[1]])
                    return self._drop()
                self.wfile.write(body)

            def _drop(self):
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

        return Handler


def first(times, action, when=lambda request: True):
    """A fault for the first so many requests of a kind."""
    left = [times]

    def fault(request):
        if left[0] > 0 and when(request):
            left[0] -= 1
            return action
        return None

    return fault


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)
