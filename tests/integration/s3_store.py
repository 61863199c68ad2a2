"""`ip2p` against the object store of tests/fakes/s3_proxy.py."""

import os
import subprocess

import pytest
import s3_proxy
from conftest import BIN


class Client:
    """Runs ip2p with the store's variables and a cache of its own."""

    def __init__(self, store, folder):
        self.store, self.cache = store, folder / "cache"
        self.folder = folder

    def environment(self, **more):
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "IP2P_", "XDG_"))}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {**plain, "HOME": str(home), "IP2P_CACHE_DIR": str(self.cache), **self.store.environment(), **more}

    def start(self, *arguments, **more):
        return subprocess.Popen([BIN / "ip2p", *map(str, arguments)], env=self.environment(**more), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __call__(self, *arguments, code=0, **more):
        """The finished process, which must have that exit code. No secret is in what it says."""
        process = self.start(*arguments, **more)
        process.out, process.err = process.communicate(timeout=300)
        assert s3_proxy.SECRET_KEY not in process.out + process.err
        assert process.returncode == code, f"exit code {process.returncode}\n{process.out[-2000:]}{process.err[-4000:]}"
        return process


@pytest.fixture(scope="session")
def running_store():
    store = s3_proxy.Store()
    yield store
    store.close()


@pytest.fixture
def store(running_store):
    running_store.reset()
    yield running_store
    assert not running_store.bad_signatures


@pytest.fixture
def client(store, tmp_path):
    return Client(store, tmp_path)
