"""deploy/download.sh against a server on loopback: resume, checksums, publishing by rename."""

import hashlib
import http.server
import os
import pathlib
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CKPT = "instruct-pix2pix-00-22000.ckpt"
VAE = "vae-ft-mse-840000-ema-pruned.ckpt"
BODY = bytes(range(256)) * 400


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves server.body at every path; knows Range unless server.ranges is False; may cut the answer short."""

    def answer(self, send_body):
        start = 0
        wanted = self.headers.get("Range")
        self.server.seen.append((self.command, self.path, wanted))
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        body = self.server.body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            total = len(self.server.body)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        if send_body:
            self.wfile.write(body[: self.server.cut_after])

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.body, running.ranges, running.cut_after, running.seen = BODY, True, None, []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def download(server, tmp_path):
    address = f"http://127.0.0.1:{server.server_port}"

    def run(*names):
        environment = dict(os.environ, IP2P_URL_BERKELEY=address, IP2P_URL_HUB=address, no_proxy="127.0.0.1")
        command = ["bash", "deploy/download.sh", "--to", str(tmp_path), *names]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    return run


def gets(server):
    return [wanted for method, _, wanted in server.seen if method == "GET"]


def test_first_download_is_published_and_its_checksum_kept(download, tmp_path):
    result = download("instruct-pix2pix")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / CKPT).read_bytes() == BODY
    assert not (tmp_path / f"{CKPT}.part").exists()
    assert (tmp_path / f"{CKPT}.sha256").read_text().split() == [hashlib.sha256(BODY).hexdigest(), CKPT]
    assert "no checksum was published" in result.stdout


def test_second_run_asks_nothing(download, server):
    assert download("instruct-pix2pix").returncode == 0
    server.seen.clear()
    assert download("instruct-pix2pix").returncode == 0
    assert server.seen == []


def test_interrupted_download_resumes(download, server, tmp_path):
    server.cut_after = 50_000
    broken = download("instruct-pix2pix")
    assert broken.returncode == 1
    assert not (tmp_path / CKPT).exists()
    had = (tmp_path / f"{CKPT}.part").stat().st_size
    assert 0 < had < len(BODY)

    server.cut_after = None
    server.seen.clear()
    assert download("instruct-pix2pix").returncode == 0
    assert gets(server) == [f"bytes={had}-"]
    assert (tmp_path / CKPT).read_bytes() == BODY


def test_whole_part_is_not_fetched_again(download, server, tmp_path):
    (tmp_path / f"{CKPT}.part").write_bytes(BODY)
    assert download("instruct-pix2pix").returncode == 0
    assert gets(server) == []


def test_part_longer_than_the_file_starts_again(download, tmp_path):
    (tmp_path / f"{CKPT}.part").write_bytes(BODY + b"more")
    assert download("instruct-pix2pix").returncode == 0
    assert (tmp_path / CKPT).read_bytes() == BODY


def test_server_without_ranges_starts_again(download, server, tmp_path):
    server.ranges = False
    (tmp_path / f"{CKPT}.part").write_bytes(BODY[:1000])
    assert download("instruct-pix2pix").returncode == 0
    assert (tmp_path / CKPT).read_bytes() == BODY


def test_wrong_published_checksum_publishes_nothing(download, tmp_path):
    result = download("vae")
    assert result.returncode == 1
    assert "wants c6a580b13a5b" in result.stdout
    assert not (tmp_path / VAE).exists() and not (tmp_path / f"{VAE}.part").exists()


def test_later_download_must_match_the_kept_checksum(download, server, tmp_path):
    assert download("instruct-pix2pix").returncode == 0
    (tmp_path / CKPT).unlink()
    server.body = BODY[::-1]
    result = download("instruct-pix2pix")
    assert result.returncode == 1
    assert hashlib.sha256(BODY).hexdigest() in result.stdout
    assert not (tmp_path / CKPT).exists()


def test_one_failure_does_not_stop_the_others(download, tmp_path):
    assert download("vae", "instruct-pix2pix").returncode == 1
    assert (tmp_path / CKPT).exists()


def test_unknown_name_is_usage(download, server):
    result = download("sd99")
    assert result.returncode == 2
    assert "instruct-pix2pix" in result.stderr and server.seen == []
