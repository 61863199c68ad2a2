"""Writes the seeds of web_request_fuzz: python tests/fuzz/make_web_request_corpus.py"""

import pathlib

CORPUS = pathlib.Path(__file__).parent / "corpus" / "web_request_fuzz"
PART = b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FILE = (b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="a\\"b.png"\r\n'
        b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--xy\r\n")
SEEDS = {
    "form": b"\0" + FILE + PART % (b"steps", b"7") + b"--xyz--\r\n",
    "form-mask": b"\0" + FILE + FILE.replace(b"image", b"mask", 1) + PART % (b"auto_mask", b"0.5") + b"--xyz--\r\n",
    "form-empty-part": b"\0" + PART % (b"instruction", b"") + b"--xyz--",
    "form-preamble": b"\0hello\r\n" + PART % (b"a", b"1") + b"--xyz--",
    "form-torn": b"\0" + FILE,
    "form-nested": b'\0--xyz\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Disposition: form-data; name=a\r\n\r\n1',
    "boundary": b'\1multipart/form-data; boundary="a b"; charset=x' + b"-" * 47,
    "json": b'\2{"image": "aGk=", "cfg_text": [1, 2.5, -0.0, 1e9], "deep": {"a": [[[null, true]]]}, "u": "\\u00e9\\ud83d\\ude00"}',
    "json-mask": b'\2{"image": "aGk=", "mask": "aGk=", "auto_mask": 1e-400, "mask_feather": -0}',
    "json-twice": b'\2{"a": 1, "a": 2}',
    "json-deep": b'\2{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
    "path": b"\3/api/v1/datasets/a%20b/images/0000001/17_0.jpg",
    "path-upwards": b"\3/api/%2e%2e/%2E./x%00",
}

CORPUS.mkdir(parents=True, exist_ok=True)
for name, data in SEEDS.items():
    (CORPUS / name).write_bytes(data)
