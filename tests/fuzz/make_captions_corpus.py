"""Makes the seed corpus of captions_fuzz: corpus/captions_fuzz/. The first byte is the format: 0 JSONL, 1 text, 2 CSV.

Run: python make_captions_corpus.py
"""

import json
import pathlib

CORPUS = pathlib.Path(__file__).parent / "corpus" / "captions_fuzz"

PROMPT = {"caption": "a cat", "edit": "make it a dog", "output": "a dog", "url": "", "model": "m", "cost_usd": 0.001}
SEEDS = {
    "jsonl": b'\0{"caption":"a cat","url":"https://example.com"}\n{"input":"a dog"}\n',
    "jsonl_bom_crlf": b'\0\xef\xbb\xbf{"caption":"a cat"}\r\n\r\n{"caption":"b"}',
    "jsonl_torn": b'\0{"caption":"a cat"}\n{"caption":"to',
    "jsonl_types": b'\0{"caption":1}\n[]\n"x"\n{"caption":null}\n{"caption":{"a":[]}}\n',
    "jsonl_unicode": b'\0{"caption":"\\ud800"}\n{"caption":"\\u0000"}\n{"caption":"\xff"}\n{"caption":"caf\\u00e9 \xc3\xa9"}\n',
    "jsonl_nul": b'\0{"caption":"a\0b"}\n\0\0\n',
    "jsonl_deep": b"\0" + b"[" * 200 + b'\n{"caption":' + b'{"a":' * 100 + b"\n",
    "prompt": b"\0" + json.dumps(PROMPT).encode() + b"\n",
    "journal": b'\0{"journal":1,"captions":5,"fingerprint":"' + b"0" * 32 + b'","seed":"0","n_partitions":1,"partition":0}\n'
               b'{"spent":1,"reserved":2}\n{"state":{"batch":"b"}}\n{"index":0,"line":1,"outcome":"unchanged"}\n'
               b'{"index":1,"line":2,"outcome":"none","spent":0,"reserved":0,"prompt":' + json.dumps(PROMPT).encode() + b"}\n",
    "text": b"\1a red circle on a grass background\n\nA small yellow star at night.\r\na blue heart and a white ring on sand",
    "csv": b'\2url,caption\nu,"a ""b"", c"\n,"two\nlines"\n"open\nx,y\n',
    "csv_odd": b'\2"caption"\n"a"b\na"b\n,,,\n""\n',
    "empty": b"\0",
}

if __name__ == "__main__":
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (CORPUS / name).write_bytes(data)
