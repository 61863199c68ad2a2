"""Containers of an image by docker or by buildah, on the host's network, and what an image says of itself."""

import json
import os
import signal
import subprocess
import uuid


class Engine:
    """ENGINE: "docker", or "buildah" with the flags of its store."""

    def __init__(self, words, tag):
        self.name, *self.flags = words.split()
        self.tag = tag

    def image(self, target):
        return f"ip2p-{target}:{self.tag}" if self.name == "docker" else f"localhost/ip2p-{target}:{self.tag}"

    def call(self, *arguments):
        flags = self.flags if self.name == "buildah" else []
        done = subprocess.run([self.name, *flags, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def config(self, target):
        """Its Config: User, Entrypoint, Healthcheck, Env."""
        if self.name == "docker":
            return json.loads(self.call("image", "inspect", self.image(target)))[0]["Config"]
        return json.loads(self.call("inspect", "--type", "image", self.image(target)))["Docker"]["config"]


class Container:
    """A container that runs commands as the image's user; gone at the end of its `with`."""

    def __init__(self, engine, target, volumes=(), environment=()):
        self.engine, self.environment = engine, dict(environment)
        self.volumes = [f"{source}:{inside}" for source, inside in dict(volumes).items()]
        self.image, self.name = engine.image(target), f"ip2p-{target}-{uuid.uuid4().hex[:8]}"
        self.entrypoint = engine.config(target)["Entrypoint"]

    def __enter__(self):
        if self.engine.name == "buildah":
            self.engine.call("from", "--name", self.name, self.image)
        else:
            volumes = [word for volume in self.volumes for word in ("-v", volume)]
            self.engine.call("run", "-d", "--network", "host", "--name", self.name, *volumes, "--entrypoint", "sleep",
                             self.image, "infinity")  # fmt: skip
        self.processes = []
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(60)
        self.engine.call(*(["rm", "-f"] if self.engine.name == "docker" else ["rm"]), self.name)

    def command(self, *words, user=None):
        options = [word for name, value in self.environment.items() for word in ("--env", f"{name}={value}")]
        options += ["--user", user] if user else []
        if self.engine.name == "docker":
            return ["docker", "exec", *options, self.name, *map(str, words)]
        volumes = [word for volume in self.volumes for word in ("-v", volume)]
        return ["buildah", *self.engine.flags, "run", "--isolation", "chroot", *volumes, *options, self.name, "--",
                *map(str, words)]  # fmt: skip

    def run(self, *words, code=0, user=None):
        done = subprocess.run(self.command(*words, user=user), capture_output=True, text=True)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def serve(self, *flags):
        """Starts the image's entry point; its ready line."""
        process = subprocess.Popen(self.command(*self.entrypoint, *flags), stdout=subprocess.PIPE, text=True,
                                   start_new_session=True)  # fmt: skip
        self.processes.append(process)
        line = process.stdout.readline()
        assert line, f"it did not start; exit code {process.wait()}"
        return json.loads(line)
