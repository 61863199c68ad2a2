"""`ip2p dataset` against the programs that read its files: the original's loader, webdataset and datasets."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

import datasets_on_disk as disk


@pytest.fixture
def original(tmp_path):
    return disk.make_original(tmp_path / "original")


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b))


def test_prepare_writes_the_originals_index(ip2p, original):
    ip2p("dataset", "prepare", original)
    assert (original / "seeds.json").read_text() == disk.original_seeds(original)
    assert len(list(disk.original_loader(original))) == 10
    assert not list(original.glob(".tmp-*"))


def test_prepare_leaves_half_pairs_out(ip2p, original):
    (original / "0000001" / "1009_1.jpg").unlink()
    ip2p("dataset", "prepare", original)
    assert ["0000001", ["1016"]] in json.loads((original / "seeds.json").read_text())


def test_stats_counts_and_plots(ip2p, original, tmp_path):
    stats = json.loads(ip2p("dataset", "stats", original, "--json", "--plot", tmp_path / "scores.svg"))
    assert (stats["prompts"], stats["prompts_with_pairs"], stats["pairs"]) == (6, 5, 10)
    assert stats["scores"]["clip_sim_dir"]["count"] == 10
    assert stats["scores"]["clip_sim_dir"]["mean"] == pytest.approx(0.25)
    svg = (tmp_path / "scores.svg").read_text()
    import xml.etree.ElementTree as xml

    assert xml.fromstring(svg).tag.endswith("svg") and "clip_sim_image" in svg
    assert "pairs" in ip2p("dataset", "stats", original)
    ip2p("dataset", "stats", original, "--plot", tmp_path / "scores.png")
    png = Image.open(tmp_path / "scores.png")
    assert png.format == "PNG" and png.size == (1760, 1200) and len(png.getcolors(1 << 16)) > 5
    refused = ip2p("dataset", "stats", original, "--plot", tmp_path / "scores.gif", check=False)
    assert refused.returncode == 42 and ".svg or .png" in refused.stderr


def test_check_passes_a_sound_dataset(ip2p, original):
    ip2p("dataset", "prepare", original)
    report = json.loads(ip2p("dataset", "check", original, "--json"))
    assert report["bad"] == 0 and report["pairs"] == 10 and report["counts"] == {}


def kinds(report):
    return {(f["kind"], f["place"]) for f in report["faults"]}


def test_check_names_what_is_wrong(ip2p, original, tmp_path):
    ip2p("dataset", "prepare", original)
    home = original / "0000000"
    (home / "9_1.jpg").unlink()  # a half
    damaged = original / "0000001" / "1009_0.jpg"
    damaged.write_bytes(damaged.read_bytes()[:400])
    identical = original / "0000001"
    (identical / "1016_1.jpg").write_bytes((identical / "1016_0.jpg").read_bytes())
    swapped = original / "0000002"  # a pair and its reverse
    (swapped / "2016_0.jpg").write_bytes((swapped / "2009_1.jpg").read_bytes())
    (swapped / "2016_1.jpg").write_bytes((swapped / "2009_0.jpg").read_bytes())
    again = original / "0000005"  # the pair of another prompt, compressed again
    for half in (0, 1):
        Image.open(original / "0000004" / f"4009_{half}.jpg").save(again / f"5009_{half}.jpg", quality=80)
    disk.picture(1, 32).save(original / "0000005" / "5016_1.jpg")
    (original / "0000004" / "prompt.json").write_text("{")
    secret = tmp_path / "secret.jpg"
    disk.picture(5).save(secret)
    (original / "0000003" / "1_0.jpg").symlink_to(secret)
    seeds = json.loads((original / "seeds.json").read_text()) + [["0000099", ["1"]], ["../../etc", ["1"]]]
    (original / "seeds.json").write_text(json.dumps(seeds))
    result = ip2p("dataset", "check", original, "--json", check=False)
    assert result.returncode == 42, result.stderr
    found = kinds(json.loads(result.stdout))
    assert {("missing_half", "0000000/9_0.jpg"), ("damaged_image", "0000001/1009_0.jpg"),
            ("identical_pair", "0000001/1016_0.jpg"), ("swapped_pair", "0000002/2016_0.jpg"),
            ("near_duplicate", "0000005/5009_0.jpg"), ("unequal_sizes", "0000005/5016_0.jpg"),
            ("bad_prompt", "0000004/prompt.json"), ("outside", "0000003/1_0.jpg"),
            ("absent", "0000099"), ("outside", "seeds.json")} == found
    assert str(tmp_path) not in result.stderr
    assert ip2p("dataset", "check", original, "--max-bad", "1", check=False).returncode == 0


def test_pack_and_unpack_are_byte_exact(ip2p, original, tmp_path):
    ip2p("dataset", "prepare", original)
    (original / "0000002" / "notes.txt").write_text("kept as well")
    ip2p("dataset", "pack", original, "-o", tmp_path / "packed", "--shard-bytes", 40000)
    ip2p("dataset", "unpack", tmp_path / "packed", "-o", tmp_path / "again")
    assert disk.contents(tmp_path / "again") == disk.contents(original)
    ip2p("dataset", "pack", original, "-o", tmp_path / "twice", "--shard-bytes", 40000)
    assert disk.contents(tmp_path / "twice") == disk.contents(tmp_path / "packed")
    index = json.loads((tmp_path / "packed" / "index.json").read_text())
    assert len(index["shardlist"]) > 1 and index["pairs"] == 10 and index["prompts"] == 6
    for shard in index["shardlist"] + index["promptlist"]:
        data = (tmp_path / "packed" / shard["url"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"] and len(data) == shard["filesize"]


def test_shards_open_in_webdataset(ip2p, original, tmp_path):
    import webdataset

    ip2p("dataset", "prepare", original)
    ip2p("dataset", "pack", original, "-o", tmp_path / "packed", "--shard-bytes", 40000)
    index = json.loads((tmp_path / "packed" / "index.json").read_text())
    urls = [str(tmp_path / "packed" / shard["url"]) for shard in index["shardlist"]]
    rows = webdataset.WebDataset(urls, shardshuffle=False).decode("pil").to_tuple("before.jpg", "after.jpg", "json")
    samples = list(rows)
    wanted = list(disk.original_loader(original))
    assert len(samples) == len(wanted) == 10
    for (before, after, facts), (wanted_before, wanted_after, instruction) in zip(samples, wanted):
        assert same(before, wanted_before) and same(after, wanted_after)
        assert facts["edit"] == instruction and facts["clip_sim_dir"] == 0.25


def test_an_interrupted_pack_goes_on(ip2p, original, tmp_path):
    ip2p("dataset", "pack", original, "-o", tmp_path / "whole", "--shard-bytes", 40000)
    wanted = disk.contents(tmp_path / "whole")
    part = tmp_path / "part"
    last = original / "0000005" / "5016_0.jpg"
    kept = last.read_bytes()
    last.unlink()
    last.mkdir()  # no image: the run fails late
    assert ip2p("dataset", "pack", original, "-o", part, "--shard-bytes", 40000, check=False).returncode != 0
    last.rmdir()
    last.write_bytes(kept)
    assert (part / "pairs-000000.tar").exists() and not (part / "index.json").exists()
    before = (part / "pairs-000000.tar").stat().st_ino
    (part / ".tmp-left").write_text("by a killed run")
    ip2p("dataset", "pack", original, "-o", part, "--shard-bytes", 40000)
    assert disk.contents(part) == wanted
    assert (part / "pairs-000000.tar").stat().st_ino == before  # not written again
    assert ip2p("dataset", "pack", original, "-o", part, check=False).returncode == 42


def test_unpack_refuses_a_damaged_shard(ip2p, original, tmp_path):
    ip2p("dataset", "pack", original, "-o", tmp_path / "packed")
    shard = tmp_path / "packed" / "pairs-000000.tar"
    data = bytearray(shard.read_bytes())
    data[5000] ^= 1
    shard.write_bytes(data)
    result = ip2p("dataset", "unpack", tmp_path / "packed", "-o", tmp_path / "again", check=False)
    assert result.returncode == 42 and "pairs-000000.tar is damaged" in result.stderr
    shard.unlink()
    result = ip2p("dataset", "unpack", tmp_path / "packed", "-o", tmp_path / "again", check=False)
    assert result.returncode == 42 and "pairs-000000.tar is missing" in result.stderr


def test_export_opens_in_datasets(ip2p, original, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    ip2p("dataset", "prepare", original)
    ip2p("dataset", "export", original, "-o", tmp_path / "exported")
    # As train_instruct_pix2pix.py loads --train_data_dir.
    loaded = datasets.load_dataset("imagefolder", data_files={"train": str(tmp_path / "exported" / "train" / "**")},
                                   cache_dir=str(tmp_path / "cache"))["train"]
    assert set(loaded.column_names) >= {"input_image", "edit_prompt", "edited_image"}
    wanted = list(disk.original_loader(original))
    assert len(loaded) == len(wanted)
    for row, (before, after, instruction) in zip(loaded, wanted):
        assert same(row["input_image"].convert("RGB"), before) and same(row["edited_image"].convert("RGB"), after)
        assert row["edit_prompt"] == instruction
    assert ip2p("dataset", "export", original, "-o", tmp_path / "exported", check=False).returncode == 42


def test_import_takes_an_export_back(ip2p, original, tmp_path):
    ip2p("dataset", "prepare", original)
    ip2p("dataset", "export", original, "-o", tmp_path / "exported")
    ip2p("dataset", "import", tmp_path / "exported", "-o", tmp_path / "back")
    ip2p("dataset", "prepare", tmp_path / "back")
    ip2p("dataset", "check", tmp_path / "back")
    for (a, b, text), (c, d, wanted) in zip(disk.original_loader(tmp_path / "back"), disk.original_loader(original),
                                            strict=True):
        assert same(a, c) and same(b, d) and text == wanted
    wanted = disk.contents(tmp_path / "back")
    ip2p("dataset", "import", tmp_path / "exported", "-o", tmp_path / "back")  # all is there
    assert disk.contents(tmp_path / "back") == wanted


def write_image(path, seed, size=64):
    disk.picture(seed, size).save(path)


def test_import_of_foreign_columns_skips_bad_rows(ip2p, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write_image(source / "a.png", 1)
    write_image(source / "b.webp", 2)
    write_image(source / "small.png", 3, 32)
    (source / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    write_image(tmp_path / "outside.png", 4)
    rows = [
        {"source_img": "a.png", "target_img": "b.webp", "instruction": "turn it blue"},
        {"source_img": "a.png", "target_img": "small.png", "instruction": "x"},
        {"source_img": "a.png", "target_img": "torn.jpg", "instruction": "x"},
        {"source_img": "../outside.png", "target_img": "b.webp", "instruction": "x"},
        {"source_img": "a.png", "target_img": "nowhere.png", "instruction": "x"},
        {"source_img": "a.png", "target_img": "b.webp"},
    ]
    (source / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n")
    result = ip2p("dataset", "import", source, "-o", tmp_path / "out", "--json", check=False)
    report = json.loads(result.stdout)
    assert result.returncode == 42 and (report["rows"], report["pairs"]) == (7, 1)
    assert report["skipped"] == {
        "the images are of different sizes": 1, "the image after is damaged": 1,
        "the image before lies outside of the folder": 1, "the image after is missing": 1,
        "the instruction is missing": 1, "the line of metadata.jsonl is no JSON object": 1}
    assert json.loads((tmp_path / "out" / "0000000" / "prompt.json").read_text()) == {"edit": "turn it blue"}
    assert Image.open(tmp_path / "out" / "0000000" / "0_0.jpg").format == "JPEG"
    assert str(tmp_path) not in result.stderr


def test_import_of_shards_that_webdataset_wrote(ip2p, tmp_path):
    import webdataset

    (tmp_path / "shards").mkdir()
    with webdataset.TarWriter(str(tmp_path / "shards" / "a-000.tar")) as sink:
        for i in range(5):
            sink.write({"__key__": f"{i:04d}", "input_image.png": disk.picture(i), "edited_image.png":
                        disk.picture(i + 100), "edit_prompt.txt": f"edit {i}"})
    ip2p("dataset", "import", tmp_path / "shards", "-o", tmp_path / "out")
    ip2p("dataset", "prepare", tmp_path / "out")
    texts = [text for _, _, text in disk.original_loader(tmp_path / "out")]
    assert texts == [f"edit {i}" for i in range(5)]


def test_import_names_its_columns(ip2p, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write_image(source / "a.png", 1)
    write_image(source / "b.png", 2)
    row = {"x": "a.png", "y": "b.png", "what": "make it so", "edit": "not this", "after": "nowhere.png"}
    (source / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    ip2p("dataset", "import", source, "-o", tmp_path / "out", "--before", "x", "--after", "y", "--instruction", "what")
    assert json.loads((tmp_path / "out" / "0000000" / "prompt.json").read_text())["edit"] == "make it so"


def test_one_column_may_be_both_images(ip2p, tmp_path):
    """Copies: pictures with an instruction that is carried out already."""
    ip2p("shapes", "draw", "--out-dir", tmp_path / "set", "--count", "6", "--seed", "3", "--edits")
    drawn = [json.loads(line) for line in (tmp_path / "set" / "metadata.jsonl").read_text().splitlines()]
    columns = ["--before", "file_name", "--after", "file_name"]
    ip2p("dataset", "import", tmp_path / "set", "-o", tmp_path / "copies", *columns)
    rows = sorted((tmp_path / "copies").glob("0*"))
    assert len(rows) == 6
    for folder, row in zip(rows, drawn, strict=True):
        prompt = json.loads((folder / "prompt.json").read_text())
        assert prompt["edit"] == row["edit"] and prompt["caption"] == row["caption"]
        assert (folder / "0_0.jpg").read_bytes() == (folder / "0_1.jpg").read_bytes()

    shard = tmp_path / "shard.tar"
    with tarfile.open(shard, "w") as tar:
        for name, body in (("0.x.jpg", (rows[0] / "0_0.jpg").read_bytes()), ("0.edit.txt", b"stay")):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    ip2p("dataset", "import", shard, "-o", tmp_path / "of-shard", "--before", "x", "--after", "x")
    assert (tmp_path / "of-shard/0000000/0_1.jpg").read_bytes() == (rows[0] / "0_0.jpg").read_bytes()


def test_merge_makes_one_dataset_of_several(ip2p, original, tmp_path):
    ip2p("dataset", "export", original, "-o", tmp_path / "exported")
    ip2p("dataset", "import", tmp_path / "exported", "-o", tmp_path / "imported")
    ip2p("dataset", "merge", original, tmp_path / "imported", "-o", tmp_path / "out")
    for name in ("original", "imported", "out"):
        ip2p("dataset", "prepare", tmp_path / name)
    first, second, both = (list(disk.original_loader(tmp_path / name)) for name in ("original", "imported", "out"))
    assert [text for *_, text in both] == [text for *_, text in first + second]
    assert all(same(a, b) for (a, *_), (b, *_) in zip(both, first + second, strict=True))
    again = ip2p("dataset", "merge", original, "-o", tmp_path / "out", check=False)
    assert again.returncode == 42 and "source_sha256" in again.stderr


def test_archives_with_links_and_paths_do_no_harm(ip2p, tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        link = tarfile.TarInfo("0.before.jpg")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        tar.addfile(link)
        for name in ("../../1.before.png", "../../1.after.png", "../../1.txt"):
            data = io.BytesIO()
            disk.picture(7 if "before" in name else 8).save(data, "PNG")
            body = b"move it" if name.endswith("txt") else data.getvalue()
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    out = tmp_path / "a" / "b" / "out"
    ip2p("dataset", "import", tmp_path / "evil.tar", "-o", out)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["b"]
    assert sorted(disk.contents(out)) == ["0000000/0_0.jpg", "0000000/0_1.jpg", "0000000/prompt.json", "run.json"]


def test_a_truncated_archive_is_refused(ip2p, tmp_path):
    with tarfile.open(tmp_path / "short.tar", "w") as tar:
        info = tarfile.TarInfo("1.before.jpg")
        info.size = 5000
        tar.addfile(info, io.BytesIO(b"x" * 5000))
    whole = (tmp_path / "short.tar").read_bytes()
    (tmp_path / "short.tar").write_bytes(whole[:3000])
    result = ip2p("dataset", "import", tmp_path / "short.tar", "-o", tmp_path / "out", check=False)
    assert result.returncode == 42 and "short.tar is damaged" in result.stderr
