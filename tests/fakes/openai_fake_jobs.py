"""The slow half of the fake: files, batches and fine-tuning jobs. Each poll brings a job one step further."""

import json
import re
import urllib.parse

FINETUNE_STEPS = ["validating_files", "queued", "running", "succeeded"]


class Jobs:
    """State in memory, ids counted up."""

    def __init__(self, fake, batch_polls):
        self.fake, self.batch_polls = fake, batch_polls
        self.files, self.batches, self.finetunes = {}, {}, {}
        self.time = 1_700_000_000

    def route(self, method, route, path, headers, body):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        parts = route.strip("/").split("/")
        if parts[0] == "files":
            return self.file(method, parts[1:], headers, body)
        if parts[0] == "batches":
            return self.batch(method, parts[1:], body, query)
        if parts[:2] == ["fine_tuning", "jobs"]:
            return self.finetune(method, parts[2:], body, query)
        return self.missing(route)

    def reply(self, value, status=200):
        from openai_fake import Reply
        return Reply(value, status)

    def missing(self, what):
        return self.reply({"error": {"message": f"No such thing: {what}", "code": "not_found"}}, 404)

    def wrong(self, message):
        return self.reply({"error": {"message": message, "code": "invalid_request"}}, 400)

    def page(self, items, query):
        """Newest first, after an id, at most `limit`."""
        ids = [item["id"] for item in items]
        start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
        limit = int(query.get("limit", 20))
        return self.reply({"object": "list", "data": items[start:start + limit],
                           "has_more": len(items) > start + limit})

    # Files

    def file(self, method, parts, headers, body):
        if method == "POST" and not parts:
            boundary = re.search(r"boundary=(\S+)", headers.get("content-type", ""))
            if not boundary:
                return self.wrong("no multipart")
            fields = parse_multipart(body, boundary[1].encode())
            name = f"file-{len(self.files) + 1}"
            self.files[name] = fields["file"]
            return self.reply({"id": name, "object": "file", "bytes": len(fields["file"]),
                               "purpose": fields["purpose"].decode(), "status": "processed"})
        if parts and parts[0] in self.files:
            if parts[1:] == ["content"]:
                return self.reply(self.files[parts[0]])
            if method == "DELETE":
                del self.files[parts[0]]
                return self.reply({"id": parts[0], "deleted": True})
            return self.reply({"id": parts[0], "object": "file", "bytes": len(self.files[parts[0]])})
        return self.missing("file")

    # Batches

    def batch(self, method, parts, body, query):
        if method == "POST" and not parts:
            request = json.loads(body)
            if request["input_file_id"] not in self.files:
                return self.missing("file")
            name = f"batch_{len(self.batches) + 1}"
            self.batches[name] = {"id": name, "object": "batch", "status": "validating", "polls": 0,
                                  "endpoint": request["endpoint"], "input_file_id": request["input_file_id"],
                                  "metadata": request.get("metadata") or {}, "output_file_id": None,
                                  "error_file_id": None}
            return self.reply(self.batches[name])
        if not parts:
            return self.page(list(reversed(self.batches.values())), query)
        batch = self.batches.get(parts[0])
        if batch is None:
            return self.missing("batch")
        if parts[1:] == ["cancel"]:
            batch["status"] = "cancelled"
        elif batch["status"] in ("validating", "in_progress"):
            batch["polls"] += 1
            batch["status"] = "in_progress"
            if batch["polls"] >= self.batch_polls:
                self.finish(batch)
        return self.reply(batch)

    def finish(self, batch):
        """Every line is asked as a request would be; a fault makes it a line of the error file."""
        good, bad = [], []
        for line in self.files[batch["input_file_id"]].splitlines():
            item = json.loads(line)
            answer = self.fake.route("POST", item["url"].removeprefix("/v1"), item["url"], {},
                                     json.dumps(item["body"]).encode())
            try:
                body = json.loads(answer.body)
            except ValueError:
                body = {"error": {"message": "the upstream failed"}}
            whole = answer.how in ("plain", "drip") and answer.status == 200 and "error" not in body
            record = {"id": "r", "custom_id": item["custom_id"], "error": None,
                      "response": {"status_code": answer.status if whole or answer.status != 200 else 500,
                                   "body": body}}
            (good if whole else bad).append(json.dumps(record).encode())
        for key, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[key] = f"file-{len(self.files) + 1}"
                self.files[batch[key]] = b"\n".join(reversed(lines)) + b"\n"  # any order is allowed
        batch["status"] = "completed"

    # Fine-tuning

    def finetune(self, method, parts, body, query):
        if method == "POST" and not parts:
            request = json.loads(body)
            if request["training_file"] not in self.files:
                return self.wrong("no such training file")
            name = f"ftjob-{len(self.finetunes) + 1}"
            self.time += 1
            self.finetunes[name] = {"id": name, "object": "fine_tuning.job", "model": request["model"],
                                    "created_at": self.time, "finished_at": None, "fine_tuned_model": None,
                                    "status": FINETUNE_STEPS[0], "trained_tokens": None, "error": None,
                                    "metadata": request.get("metadata") or {}, "suffix": request.get("suffix"),
                                    "training_file": request["training_file"],
                                    "hyperparameters": request.get("method", {})}
            return self.reply(self.finetunes[name])
        if not parts:
            return self.page(list(reversed(self.finetunes.values())), query)
        job = self.finetunes.get(parts[0])
        if job is None:
            return self.missing("job")
        if parts[1:] == ["events"]:
            events = [{"id": f"event-{i}", "created_at": job["created_at"] + i, "level": "info",
                       "message": f"step {i} of {job['id']}"} for i in range(5)]
            return self.page(list(reversed(events)), query)
        if parts[1:] == ["cancel"]:
            if job["status"] in ("succeeded", "failed", "cancelled"):
                return self.wrong("the job has ended")
            job["status"] = "cancelled"
        elif job["status"] in FINETUNE_STEPS[:-1]:
            job["status"] = FINETUNE_STEPS[FINETUNE_STEPS.index(job["status"]) + 1]
            if job["status"] == "succeeded":
                job |= {"fine_tuned_model": f"ft:{job['model']}:fake:{job['suffix']}:1", "trained_tokens": 1234,
                        "finished_at": job["created_at"] + 60}
        return self.reply(job)


def parse_multipart(body, boundary):
    fields = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)[1].decode()
        fields[name] = value.removesuffix(b"\r\n")
    return fields
