"""Writes corpus/api_reply_fuzz: one input for each kind of answer. python make_api_reply_corpus.py"""

import json
import pathlib

OUT = pathlib.Path(__file__).parent / "corpus" / "api_reply_fuzz"
KEY = "sk-canary-0123456789abcdef"


def chat(content, finish="stop", **message):
    return {"id": "c", "model": "m", "usage": {"prompt_tokens": 9, "completion_tokens": 3},
            "choices": [{"message": {"content": content} | message, "finish_reason": finish}]}


EDIT = json.dumps({"edit": "make it winter", "output": "a house in winter"})
INPUTS = {
    "chat": (0, "", chat(EDIT)),
    "chat_fenced": (0, "", chat(f"```json\n{EDIT}\n```")),
    "chat_length": (0, "", chat(EDIT, "length")),
    "chat_filtered": (0, "", chat(EDIT, "content_filter")),
    "chat_refusal": (0, "", chat(None, refusal="no")),
    "chat_echo": (0, "", chat(json.dumps({"edit": KEY, "output": "x" + KEY}))),
    "completion": (0, "", {"choices": [{"text": "make it winter\n%%\na house in winter\nEND", "finish_reason": "stop"}]}),
    "moderation": (0, "", {"results": [{"flagged": False}, {"flagged": True}]}),
    "usage_absurd": (0, "", {"usage": {"prompt_tokens": 2**64 - 1, "completion_tokens": -1}}),
    "error_inside": (0, "", {"error": {"message": "inside", "type": "server_error"}}),
    "error_text": (8, "", {"error": "boom"}),
    "key_echo": (2, "", {"error": {"message": f"Incorrect API key provided: {KEY}", "code": KEY}}),
    "content_filter": (1, "", {"error": {"code": "content_filter", "message": "m"}}),
    "quota": (7, "", {"error": {"code": "insufficient_quota", "message": "m"}}),
    "retry_seconds": (7, "retry-after:20\nx-should-retry:true\n", {"error": {"message": "slow"}}),
    "retry_date": (7, "retry-after:Sun, 06 Nov 2094 08:49:37 GMT\n", {}),
    "retry_asctime": (7, "retry-after:Sun Nov  6 08:49:37 1994\n", {}),
    "retry_absurd": (9, "retry-after:99999999999999999999\nretry-after-ms:x\n", {}),
    "reset": (0, "x-ratelimit-reset-requests:6m0s\nx-ratelimit-remaining-requests:0\n", {}),
    "job": (0, "", {"id": "ftjob-1", "status": "running", "created_at": 1700000000, "trained_tokens": 7,
                    "metadata": {"a": "b"}, "error": {"message": "m"}}),
    "list": (0, "", {"data": [{"id": "a"}, {"id": "b"}], "has_more": True}),
    "batch_line": (0, "", {"custom_id": "caption-7", "response": {"status_code": 200, "body": chat(EDIT)}}),
    "batch_error": (0, "", {"custom_id": "caption-8", "response": {"status_code": 500, "body": {}}, "error": None}),
    "html": (0, "", "<html>Bad gateway</html>"),
    "empty": (0, "", ""),
    "torn": (0, "", json.dumps(chat(EDIT))[:80]),
    "surrogate": (0, "", '{"choices": [{"message": {"content": "\\ud800"}}]}'),
    "deep": (0, "", "[" * 500),
}

if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (status, headers, body) in INPUTS.items():
        text = body if isinstance(body, str) else json.dumps(body)
        (OUT / name).write_bytes(bytes([status]) + f"{headers}\n{text}".encode())
