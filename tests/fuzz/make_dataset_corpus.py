"""Makes the seed corpora of tar_fuzz, dataset_fuzz and clip_config_fuzz: corpus/NAME/.

The first byte of the last two chooses the file: dataset 0 scores.jsonl, 1 seeds.json, 2 index.json, 3 run.json, 4 a row
of an import; clip_config 0 config.json, 1 the image side alone, 2 preprocessor_config.json.

Run: python make_dataset_corpus.py
"""

import io
import json
import pathlib
import tarfile

CORPUS = pathlib.Path(__file__).parent / "corpus"


def archive(members, form=tarfile.USTAR_FORMAT, end=True):
    """members: (name, contents) or a TarInfo without contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    # Without tarfile's padding to 10 KB; the two empty blocks of the end stay.
    bare = out.getvalue().rstrip(b"\0")
    bare += b"\0" * (-len(bare) % 512)
    return bare + b"\0" * 1024 if end else bare


def patched(data, at, value, header=0):
    """With other bytes in a header, and its checksum put right."""
    data = bytearray(data)
    start = 512 * header
    data[start + at:start + at + len(value)] = value
    data[start + 148:start + 156] = b" " * 8
    data[start + 148:start + 156] = b"%06o\0 " % sum(data[start:start + 512])
    return bytes(data)


def pax(text):
    return patched(archive([("pax", text), ("a", b"one")]), 156, b"x")


def typed(kind):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "../../etc/passwd"
    return info


ONE = archive([("a.jpg", b"one")])
TARS = {
    "empty": b"",
    "one": ONE,
    "pair": archive([("0_1.before.jpg", b"x" * 513), ("0_1.after.jpg", b""), ("0_1.json", b"{}")]),
    "no_end": archive([("a", b"one")], end=False),
    "cut": ONE[:700],
    "large": archive([("large", b"x" * 4097), ("b", b"two")]),
    "kinds": archive([typed(k) for k in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)]),
    "pax_long": archive([("n" * 150, b"one")], tarfile.PAX_FORMAT),
    "gnu_long": archive([("n" * 150, b"one")], tarfile.GNU_FORMAT),
    "prefix": archive([("d" * 90 + "/" + "n" * 90, b"one")]),
    "pax_path": pax(b"12 path=new\n"),
    "pax_size": pax(b"10 size=2\n"),
    "pax_size_huge": pax(b"28 size=9223372036854775807\n"),
    "pax_length": pax(b"99 path=new\n"),
    "pax_no_equals": pax(b"8 pathx\n"),
    "pax_nul": pax(b"10 path=\0\n"),
    "pax_twice": pax(b"9 path=a\n9 path=b\n"),
    "global": patched(archive([("pax", b"12 path=new\n"), ("a", b"one")]), 156, b"g"),
    "size_base256": patched(ONE, 124, b"\x80" + b"\0" * 10 + b"\3"),
    "size_base256_largest": patched(patched(ONE, 124, b"\x80\0\0\0\x7f" + b"\xff" * 7), 156, b"V"),
    "size_absurd": patched(ONE, 124, b"77777777777\0"),
    "size_no_number": patched(ONE, 124, b"8"),
    "checksum": ONE[:148] + b"777777\0 " + ONE[156:],
    "unknown_kind": patched(archive([("a", b"one"), ("b", b"two")]), 156, b"Z"),
}

SCORES = {"seed": 17, "p2p_threshold": 0.5, "cfg_scale": 7.5, "clip_sim_0": 0.3, "clip_sim_1": 0.25, "clip_sim_dir": 0.2,
          "clip_sim_image": 0.75, "sample_index": 3, "verdict": "below_clip", "kept": False}  # fmt: skip
RUN = {"steps": 100, "n_samples": 100, "max_out_samples": 4, "min_p2p": 0.1, "max_p2p": 0.9, "min_cfg": 7.5,
       "max_cfg": 15.0, "clip_threshold": 0.2, "clip_dir_threshold": 0.2, "clip_img_threshold": 0.7, "resolution": 512,
       "seed": 0, "early_stop": False, "safety_check": True, "seeds": "11, 12", "prompt_rows": 2, "prompts_sha256": "0",
       "precision": "fp32", "weights": "1"}  # fmt: skip
SHARD = {"url": "pairs-000000.tar", "nsamples": 3, "filesize": 10240, "sha256": "a" * 64}
INDEX = {"format": 1, "shardlist": [SHARD], "promptlist": [SHARD | {"url": "prompts-000000.tar"}]}
DATASET = {
    "scores": (0, SCORES),
    "scores_digests": (0, SCORES | {"kept": True, "before_sha256": "ab", "after_sha256": "cd"}),
    "scores_metadata": (0, {"seed": 2**64 - 1, "p2p_threshold": 1, "cfg_scale": 1e308}),
    "scores_half": (0, {"seed": 1, "p2p_threshold": 0, "cfg_scale": 0, "clip_sim_0": 0.1}),
    "scores_types": (0, SCORES | {"verdict": "good", "sample_index": -1}),
    "scores_infinite": (0, b'{"seed":1,"p2p_threshold":1e999,"cfg_scale":-0.0}'),
    "scores_index": (0, SCORES | {"sample_index": 10**9 + 1}),
    "seeds": (1, [["0000000", ["17", "4"]], ["0000012", [5]]]),
    "seeds_paths": (1, [["../x", ["1"]], ["0000001", ["a/b", "..", "", "1"]]]),
    "seeds_types": (1, [["a", [1.5]], [[]], 1]),
    "seeds_deep": (1, b"[" * 200),
    "seeds_unicode": (1, '[["café", ["\\u0000", "\\ud83d\\ude00"]]]'.encode()),
    "index": (2, INDEX),
    "index_path": (2, INDEX | {"shardlist": [SHARD | {"url": "../a"}]}),
    "index_overflow": (2, INDEX | {"shardlist": [SHARD | {"nsamples": 2**63 - 1}] * 2}),
    "index_unsigned": (2, INDEX | {"shardlist": [SHARD | {"nsamples": 2**64 - 1, "filesize": 2**64 - 1}]}),
    "index_types": (2, INDEX | {"promptlist": [1]}),
    "index_text": (2, INDEX | {"shardlist": [SHARD | {"sha256": 5}]}),
    "run": (3, RUN),
    "run_types": (3, RUN | {"steps": "100"}),
    "run_large": (3, RUN | {"steps": 2**40, "seed": 2**64 - 1}),
    "run_seeds": (3, RUN | {"seeds": "1,x"}),
    "run_array": (3, [RUN]),
    "run_import": (3, {"imported_from": "webdataset", "source_sha256": "0"}),
    "row": (4, {"input_image_file_name": "a.png", "edit_prompt": "e", "edited_image": "b.png", "x": "c"}),
    "row_types": (4, {"before": 1, "after": None, "edit": ["e"], "caption": {"a": 1}}),
    "row_deep": (4, b'{"a":' * 100),
}

CLIP = {"model_type": "clip", "projection_dim": 512,
        "text_config": {"hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 12, "eos_token_id": 49407},
        "vision_config": {"hidden_size": 768, "num_attention_heads": 12, "image_size": 224, "patch_size": 32}}  # fmt: skip
PREPROCESSOR = {"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 224}, "do_center_crop": True,
                "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28], "resample": 3}  # fmt: skip
CLIP_CONFIG = {
    "b32": (0, CLIP),
    "defaults": (0, {"model_type": "clip"}),
    "dicts": (0, CLIP | {"text_config_dict": {"hidden_size": 64}, "vision_config_dict": None}),
    "heads": (0, CLIP | {"vision_config": {"hidden_size": 100, "num_attention_heads": 3}}),
    "no_patch": (0, CLIP | {"vision_config": {"image_size": 16, "patch_size": 17}}),
    "zero": (0, CLIP | {"vision_config": {"patch_size": 0, "num_attention_heads": 0}}),
    "sides": (0, CLIP | {"vision_config": {"image_size": [224, 336]}}),
    "kind": (0, {"model_type": "siglip"}),
    "text": (0, b"not json"),
    "deep": (0, b'{"a":' * 2000),
    "deep_inside": (0, b'{"model_type":"clip","text_config":' + b"[" * 50 + b"]" * 50 + b"}"),
    "vision": (1, {"model_type": "clip", "vision_config": CLIP["vision_config"], "projection_dim": 768}),
    "vision_types": (1, {"model_type": "clip", "vision_config": [1]}),
    "preprocessor": (2, PREPROCESSOR),
    "preprocessor_old": (2, PREPROCESSOR | {"crop_size": 224, "size": 224}),
    "preprocessor_unequal": (2, PREPROCESSOR | {"crop_size": {"height": 224, "width": 336}}),
    "preprocessor_std": (2, PREPROCESSOR | {"image_std": [0, 0, 0]}),
    "preprocessor_tiny_std": (2, PREPROCESSOR | {"image_std": [1e-300, 1e-40, 0.3]}),
    "preprocessor_two": (2, PREPROCESSOR | {"image_mean": [0.5, "a"]}),
    "preprocessor_huge": (2, PREPROCESSOR | {"size": {"shortest_edge": 10**12}}),
}


def write(name, seeds):
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in seeds.items():
        if isinstance(value, tuple):
            choice, text = value
            value = bytes([choice]) + (text if isinstance(text, bytes) else json.dumps(text).encode())
        (folder / key).write_bytes(value)


if __name__ == "__main__":
    write("tar_fuzz", TARS)
    write("dataset_fuzz", DATASET)
    write("clip_config_fuzz", CLIP_CONFIG)
