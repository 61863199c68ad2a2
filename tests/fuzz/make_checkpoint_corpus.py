"""Makes the seed corpora of the checkpoint fuzz targets: corpus/{safetensors,pickle,zip}_fuzz/, small files.

Needs torch and safetensors. Run: python make_checkpoint_corpus.py
"""

import io
import json
import os
import pathlib
import pickle
import struct
import zipfile

import torch
from safetensors.torch import save

CORPUS = pathlib.Path(__file__).parent / "corpus"


def put(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def tensors():
    """Their storages are "0" (six floats) and "1" (twelve), as pickle_fuzz.cc provides them."""
    base = torch.arange(6, dtype=torch.float32)
    other = torch.arange(12, dtype=torch.float32)
    return {"a": base.view(2, 3), "b": base.view(2, 3).t(), "c": base[4:], "d": other[::2], "e": other[3]}


def saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def data_pkl(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return file.read(next(n for n in file.namelist() if n.endswith("data.pkl")))


class Attack:
    def __reduce__(self):
        return os.system, ("true",)


def safetensors_files():
    plain = save({"a": torch.zeros(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}, metadata={"format": "pt"})
    put("safetensors_fuzz", "plain", plain)
    put("safetensors_fuzz", "empty", save({}))
    put("safetensors_fuzz", "zero_size", save({"a": torch.zeros(0, 3), "s": torch.tensor(1, dtype=torch.uint8)}))
    put("safetensors_fuzz", "torn", plain[:40])
    put("safetensors_fuzz", "length_2_63", struct.pack("<Q", 1 << 63) + b"{}")
    for name, entries in {
        "overlap": {"a": ["U8", [4], [0, 4]], "b": ["U8", [4], [2, 6]]},
        "hole": {"a": ["U8", [4], [0, 4]], "b": ["U8", [4], [5, 9]]},
        "dtype": {"a": ["F128", [1], [0, 16]]},
        "overflow": {"a": ["U8", [1 << 32, 1 << 32], [0, 8]]},
    }.items():
        header = json.dumps({k: dict(zip(("dtype", "shape", "data_offsets"), v)) for k, v in entries.items()}).encode()
        put("safetensors_fuzz", name, struct.pack("<Q", len(header)) + header + bytes(16))
    twice = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}'
    put("safetensors_fuzz", "twice", struct.pack("<Q", len(twice)) + twice + bytes(2))
    deep = b'{"a":' + b"[" * 200
    put("safetensors_fuzz", "deep", struct.pack("<Q", len(deep)) + deep)


def pickle_files():
    put("pickle_fuzz", "tensors", data_pkl(saved(tensors())))
    put("pickle_fuzz", "checkpoint", data_pkl(saved(
        {"state_dict": tensors(), "global_step": 875000, "epoch": 3, "callbacks": {}, "rates": [1e-4], "set": {1, 2}})))
    put("pickle_fuzz", "parameter", data_pkl(saved({"p": torch.nn.Parameter(torch.arange(6.0))})))
    put("pickle_fuzz", "module", data_pkl(saved(torch.nn.Linear(2, 3).state_dict())))
    for protocol in (2, 3, 4, 5):
        plain = {"t": (1, 2.5, "x", b"y", None, True, 1 << 40, 1 << 80, -1), "l": [[], {}, ()], "s": {1, "a"}}
        put("pickle_fuzz", f"plain_{protocol}", pickle.dumps(plain, protocol))
        put("pickle_fuzz", f"attack_{protocol}", pickle.dumps({"x": Attack()}, protocol))
    put("pickle_fuzz", "protocol_0", pickle.dumps({"x": Attack()}, 0))
    put("pickle_fuzz", "inst", b"\x80\x02(X\x02\x00\x00\x00idios\nsystem\n.")
    cycle = []
    cycle.append(cycle)
    put("pickle_fuzz", "cycle", pickle.dumps({"c": cycle}, 2))
    nested = []
    for _ in range(400):
        nested = [nested]
    put("pickle_fuzz", "nested", pickle.dumps(nested, 2))


def zip_files():
    whole = saved({"state_dict": tensors(), "global_step": 1})
    put("zip_fuzz", "torch", whole)
    put("zip_fuzz", "torn", whole[: len(whole) // 2])
    put("zip_fuzz", "legacy", saved(tensors(), _use_new_zipfile_serialization=False))
    for name, entries, compression in (
        ("stored", ["a/data.pkl", "a/data/0"], zipfile.ZIP_STORED),
        ("deflated", ["a/data.pkl"], zipfile.ZIP_DEFLATED),
        ("outside", ["../data.pkl"], zipfile.ZIP_STORED),
        ("twice", ["a/data.pkl", "a/data.pkl"], zipfile.ZIP_STORED),
        ("empty", [], zipfile.ZIP_STORED),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", compression) as file:
            for entry in entries:
                file.writestr(zipfile.ZipInfo(entry), pickle.dumps({}, 2), compression)
        put("zip_fuzz", name, out.getvalue())


if __name__ == "__main__":
    safetensors_files()
    pickle_files()
    zip_files()
