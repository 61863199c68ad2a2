"""A scripted fake of the OpenAI API: chat, completions, moderations, files, batches, fine_tuning/jobs, and faults.

In a test:      with OpenAiFake(fault_rate=0.3, seed=1) as fake: ... fake.url ... fake.report()
As a process:   python openai_fake.py '{"fault_rate": 0.3}'   prints its port; GET /_fake/report tells what it saw

Which request fails, and how, depends on (seed, caption, how many times that caption was asked) alone, so a run is
repeatable in any order. The standard library only; one asyncio thread; about 2,500 requests a second on one core.
"""

import asyncio
import collections
import email.utils
import hashlib
import json
import ssl
import sys
import threading
import time

import openai_fake_jobs

# Each stands for one way in which real servers and the proxies in front of them fail.
FAULTS = ["500", "502", "503", "504", "408", "409", "429_seconds", "429_date", "429_ms", "429_past", "reset", "torn",
          "cut_json", "html", "empty", "error_200", "length", "not_json", "part_missing", "drip"]
STATUS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 408: "Timeout",
          409: "Conflict", 429: "Too Many Requests", 500: "Internal", 502: "Bad Gateway", 503: "Unavailable",
          504: "Gateway Timeout"}
GRACE_S = 0.1  # a request that was on its way when the 429 left
HUGE_BYTES = 10 << 30


class Reply:
    """Status, body, headers; `how`: plain, drip, torn, reset, hang or huge."""

    def __init__(self, body=b"", status=200, headers=(), how="plain", block_until=0.0):
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers, self.how, self.block_until = status, list(headers), how, block_until


def error(status, message, code=None, headers=(), block_until=0.0):
    return Reply({"error": {"message": message, "type": "fake", "code": code}}, status, headers,
                 block_until=block_until)


class Connection(asyncio.Protocol):
    """One client's connection: requests come one after the other (HTTP/1.1 keep-alive)."""

    def __init__(self, fake):
        self.fake, self.buffer, self.transport, self.busy = fake, b"", None, False

    def connection_made(self, transport):
        self.transport = transport
        self.fake.connections += 1
        self.fake.open.add(self)

    def connection_lost(self, exc):
        self.transport = None
        self.fake.open.discard(self)

    def data_received(self, data):
        self.buffer += data
        self.next_request()

    def next_request(self):
        end = self.buffer.find(b"\r\n\r\n")
        if self.busy or end < 0:
            return
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        if len(self.buffer) < end + 4 + length:
            return
        body = self.buffer[end + 4:end + 4 + length]
        self.buffer = self.buffer[end + 4 + length:]
        self.busy = True
        method, path, _ = lines[0].split(" ")
        fake = self.fake
        fake.in_flight += 1
        fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
        reply = fake.answer(method, path, headers, body)
        if fake.latency_s > 0 and not path.startswith("/_fake"):
            fake.loop.call_later(fake.latency_s, self.send, reply)
        else:
            self.send(reply)

    def send(self, reply):
        self.fake.in_flight -= 1
        if self.transport is None:
            return
        if reply.block_until:
            self.fake.note_block(reply.block_until)
        if reply.how == "reset":
            self.transport.abort()
            return
        if reply.how == "hang":
            return  # until the client gives up; the connection stays busy
        length = {"torn": len(reply.body) + 100, "huge": HUGE_BYTES}.get(reply.how, len(reply.body))
        head = [f"HTTP/1.1 {reply.status} {STATUS.get(reply.status, 'Odd')}", f"Content-Length: {length}",
                "Content-Type: application/json"]
        head += [f"{name}: {value}" for name, value in reply.headers]
        start = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        if reply.how == "plain":
            self.transport.write(start + reply.body)
            self.done()
        elif reply.how == "torn":
            self.transport.write(start + reply.body)
            self.transport.close()
        elif reply.how == "huge":
            self.transport.write(start)
            self.flood()
        else:
            self.transport.write(start)
            self.drip(reply.body)

    def drip(self, rest):
        if self.transport is None:
            return
        piece = max(len(rest) // 8, 1)
        self.transport.write(rest[:piece])
        if len(rest) > piece:
            self.fake.loop.call_later(self.fake.drip_s, self.drip, rest[piece:])
        else:
            self.done()

    def flood(self):
        if self.transport is None or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() < 1 << 20:
            self.transport.write(b" " * 65536)
            self.fake.flooded += 65536
        self.fake.loop.call_later(0.0005, self.flood)

    def done(self):
        self.busy = False
        self.next_request()


class OpenAiFake:
    """See the module. Options: fault_rate, faults, seed, latency_s, drip_s (between the eight pieces of a drip: a
    drip outlasts a timeout of less than seven of them), retry_after_s, key (wanted; others get 401), headers (on every
    answer), script (a list of Reply or fault names, used up first), flag (texts that hold it are flagged), batch_polls,
    tls (cert, key), moderation_faults (moderation fails, too)."""

    def __init__(self, fault_rate=0.0, faults=None, seed=0, latency_s=0.0, drip_s=0.005, retry_after_s=1, key=None,
                 headers=(), script=(), flag="FLAGME", batch_polls=2, keep=True, tls=None, moderation_faults=False):
        self.fault_rate, self.faults, self.seed = fault_rate, list(faults or FAULTS), seed
        self.latency_s, self.drip_s, self.retry_after_s = latency_s, drip_s, retry_after_s
        self.key, self.headers, self.script, self.flag = key, [tuple(h) for h in headers], list(script), flag
        self.keep, self.tls, self.moderation_faults = keep, tls, moderation_faults
        self.jobs = openai_fake_jobs.Jobs(self, batch_polls)
        self.asked = collections.Counter()  # by caption
        self.counts = collections.Counter()
        self.requests = []  # (time, method, path, headers, body), where kept
        self.violations = []
        self.allowed_at = 0.0
        self.blocks = []  # (told, until), of every Retry-After that has not passed
        self.in_flight = self.most_in_flight = self.connections = self.flooded = 0
        self.open = set()
        self.loop = self.server = self.thread = None
        self.port = 0

    # Running

    async def start(self, port=0):
        self.loop = asyncio.get_running_loop()
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
        self.server = await self.loop.create_server(lambda: Connection(self), "127.0.0.1", port, ssl=context,
                                                    backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    def __enter__(self):
        ready = threading.Event()

        def run():
            loop = asyncio.new_event_loop()
            loop.run_until_complete(self.start())
            ready.set()
            loop.run_forever()
            self.server.close()
            loop.close()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        ready.wait()
        return self

    def __exit__(self, *exc):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def forget_client(self, told_after):
        """After a client was killed: what is on its way to it is lost. A Retry-After that it was told since
        `told_after` binds nobody, since the client may not have come to write it down; earlier ones do."""
        forgotten = threading.Event()

        def forget():
            for connection in list(self.open):
                if connection.transport is not None:
                    connection.transport.abort()
                connection.transport = None
            self.blocks = [block for block in self.blocks if block[0] < told_after]
            self.allowed_at = max((until for _, until in self.blocks), default=0.0)
            forgotten.set()

        self.loop.call_soon_threadsafe(forget)
        forgotten.wait()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    def report(self):
        chat = sum(self.asked.values())
        return {"requests": sum(n for k, n in self.counts.items() if k.startswith("path ")), "writes": chat,
                "captions": len(self.asked), "most_writes_of_a_caption": max(self.asked.values(), default=0),
                "violations": len(self.violations), "connections": self.connections,
                "most_in_flight": self.most_in_flight, "flooded": self.flooded, "counts": dict(self.counts)}

    # Answering

    def note_block(self, until):
        now = time.time()
        self.allowed_at = max(self.allowed_at, until)
        self.blocks = [block for block in self.blocks if block[1] > now] + [(now, until)]

    def answer(self, method, path, headers, body):
        if path == "/_fake/report":
            return Reply(self.report())
        now = time.time()
        route = path.split("?")[0].removeprefix("/v1")
        if self.keep:
            self.requests.append((now, method, path, headers, body))
        self.counts["path " + "/".join(route.split("/")[:3])] += 1
        if any(told < now - GRACE_S and now < until for told, until in self.blocks):
            self.violations.append((now, self.allowed_at, path))
        if self.key is not None and headers.get("authorization") != "Bearer " + self.key:
            return error(401, "Incorrect API key provided: " + headers.get("authorization", ""), "invalid_api_key")
        reply = self.route(method, route, path, headers, body)
        reply.headers += self.headers
        self.counts[f"status {reply.status}"] += 1
        return reply

    def route(self, method, route, path, headers, body):
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Reply):
                return step
            if step != "ok":
                return self.fault(step, route, headers, body)
        if route in ("/chat/completions", "/completions"):
            request = json.loads(body)
            caption = caption_of(route, request)
            self.asked[caption] += 1
            if name := self.draw(caption, self.asked[caption]):
                return self.fault(name, route, headers, body)
            return Reply(write(route, request, caption))
        if route == "/moderations":
            texts = json.loads(body)["input"]
            texts = [texts] if isinstance(texts, str) else texts
            if self.moderation_faults:
                self.asked["moderation " + texts[0]] += 1
                if name := self.draw(texts[0], self.asked["moderation " + texts[0]]):
                    return self.fault(name, route, headers, body)
            return Reply({"id": "modr-1", "model": "omni-moderation-latest",
                          "results": [{"flagged": self.flag in text, "categories": {}} for text in texts]})
        return self.jobs.route(method, route, path, headers, body)

    def draw(self, caption, nth):
        digest = hashlib.blake2b(f"{self.seed} {nth} {caption}".encode(), digest_size=8).digest()
        luck = int.from_bytes(digest[:4], "big") / 2**32
        return self.faults[int.from_bytes(digest[4:], "big") % len(self.faults)] if luck < self.fault_rate else None

    def fault(self, name, route, headers, body):
        self.counts["fault " + name] += 1
        if name.isdigit():
            return error(int(name), f"fault {name}")
        if name.startswith("429") or name == "storm":
            return self.too_many(name)
        if name == "hang" or name == "reset" or name == "huge":
            return Reply(b"", how=name)
        if name == "html":
            return Reply(b"<html><body>Bad gateway</body></html>")
        if name == "empty":
            return Reply(b"")
        if name == "error_200":
            return error(200, "the upstream failed")
        if name == "quota":
            return error(429, "You exceeded your current quota", "insufficient_quota")
        if name == "echo_key":
            return error(400, f"bad request with {headers.get('authorization', '')}")
        request = json.loads(body)
        good = write(route, request, caption_of(route, request) if "input" not in request else "x")
        text = json.dumps(good).encode()
        if name == "torn":
            return Reply(text[:len(text) // 2], how="torn")
        if name == "cut_json":
            return Reply(text[:len(text) // 2])
        if name == "drip":
            return Reply(text, how="drip")
        return Reply(spoil(name, good, headers))

    def too_many(self, name):
        now = time.time()
        if name == "429_ms":
            return error(429, "slow down", headers=[("retry-after-ms", "50")], block_until=now + 0.05)
        if name == "429_past":
            return error(429, "slow down", headers=[("Retry-After", email.utils.formatdate(now - 3600, usegmt=True))])
        if name == "429_absurd":
            return error(429, "slow down", headers=[("Retry-After", "999999999999")], block_until=now + 1e9)
        if name == "429_date":
            date = int(now) + self.retry_after_s
            return error(429, "slow down", headers=[("Retry-After", email.utils.formatdate(date, usegmt=True))],
                         block_until=date)
        return error(429, "slow down", headers=[("Retry-After", str(self.retry_after_s))],
                     block_until=now + self.retry_after_s)


def caption_of(route, request):
    if route == "/completions":
        return request["prompt"].removesuffix("\n##\n")
    return request["messages"][-1]["content"]


def write(route, request, caption):
    """A good answer: the edit depends on the caption alone."""
    edit, output = "make it winter", caption.rstrip(".") + " in winter"
    answer = {"id": "fake-1", "model": request["model"] + "-fake",
              "usage": {"prompt_tokens": len(caption) // 4 + 150, "completion_tokens": 24, "total_tokens": 0}}
    if route == "/completions":
        choice = {"index": 0, "text": f"{edit}\n%%\n{output}", "finish_reason": "stop"}
    else:
        message = {"role": "assistant", "content": json.dumps({"edit": edit, "output": output}), "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return answer | {"choices": [choice]}


def spoil(name, good, headers):
    """A whole answer whose content is wrong."""
    choice = good["choices"][0]
    if name == "length" or name == "content_filter":
        choice["finish_reason"] = name
        return good
    if name == "no_choices":
        return good | {"choices": []}
    if name == "refusal":
        choice["message"] |= {"content": None, "refusal": "I can't help with that."}
        return good
    key = headers.get("authorization", "")
    texts = {"not_json": "make it winter", "part_missing": json.dumps({"edit": "make it winter"}),
             "wrong_type": json.dumps({"edit": 1, "output": ["x"]}),
             "echo_key_200": json.dumps({"edit": f"write {key} on it", "output": f"a sign that says {key}"})}
    if "text" in choice:
        choice["text"] = texts[name].replace("%%", "")
    else:
        choice["message"]["content"] = texts[name]
    return good


async def main():
    fake = OpenAiFake(**(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}))
    await fake.start()
    print(fake.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
