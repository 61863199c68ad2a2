"""Our tokenizer against transformers' CLIPTokenizer, id for id, live."""

import json
import random
import subprocess
import sys
import unicodedata

import pytest
from tokenizers.normalizers import NFC
from transformers import CLIPTokenizer

import checkpoints
from conftest import BIN

WORDS = """hello World it's I'LL we've they'd CAFÉ naïve Straße ΑΣΣ İstanbul ı 1234 3.14 $9.99 1,000 &amp; &lt;b&gt;
&#39; &nbsp; <|endoftext|> <|startoftext|> <|endoftext !!! ''' 's 'S 'd ... — “quote” «x» 你好世界 日本語テスト 한국어
العربية עברית हिन्दी ไทย 😀 👨‍👩‍👧 🏳️‍🌈 👍🏽 ﬁ ½ Ⅷ ² ٣ a_b a-b a.b C++ http://x.y/z?q=1 make the circle green turn it into a
painting by van gogh photo-realistic 4K, (masterpiece:1.2) [cat|dog] \\n #hashtag @user 50% ~ ^ ` { }""".split() + [
    "e\u0301", "a\u0308\u0323", "\u1100\u1161\u11a8", "\x00", "\x07", "\x1c", "\x1f", "\x7f", "\x85", "\u00a0",
    "\u200b", "\u200d", "\u200f", "\u202e", "\u2028", "\u3000", "\ufeff", "\ufffd", "\u00ad", "\t", "\n", "\r\n", "\v"]
RANGES = [(0, 0x7F), (0, 0x2FF), (0x300, 0x36F), (0x370, 0x2FFF), (0x3000, 0xD7FF), (0xE000, 0xFFFF),
          (0x10000, 0x1FFFF), (0x1F300, 0x1FAFF), (0x20000, 0x2FFFF)]


def known(character):
    """Whether the character is older than every Unicode table at work here: this Python's, and the one that the
    reference normalises with, which does not sort the marks it does not know."""
    if unicodedata.category(character) in ("Cn", "Cs"):
        return False
    order = unicodedata.combining(character)
    other = "\u0301" if order < 230 else "\u093c"  # of class 230 and 7
    pair = other + character if 0 < order < 230 else character + other
    return order == 0 or NFC().normalize_str(pair) == unicodedata.normalize("NFC", pair)


def texts():
    draw = random.Random(20240711)
    found = ["", " ", "   a", "a ", "!", "! !", "<|", "x" * 300, "ab" * 2000, "a b " * 100, "😀" * 60, "\u0301",
             "'", "''s", "'sam", "don't", "I'D'VE", "1" * 100]
    for _ in range(1500):
        words = draw.choices(WORDS, k=draw.randint(1, 25))
        found.append(draw.choice(["", " ", " ", "  "]).join(words))
    for _ in range(1500):
        found.append("".join(filter(known, (chr(draw.randint(*draw.choice(RANGES)))
                                               for _ in range(draw.randint(1, 40))))))
    return found


def ours(tmp_path, tokenizer, strings, pad=""):
    (tmp_path / "texts.json").write_text(json.dumps(strings))
    subprocess.run([BIN / "tests/model_probe", "tokenize", tokenizer, tmp_path / "texts.json", tmp_path / "ids.json",
                    str(pad)], check=True)
    return json.loads((tmp_path / "ids.json").read_text())


def assert_same(strings, got, want):
    wrong = [(ascii(s), g, w) for s, g, w in zip(strings, got, want, strict=True) if g != w]
    assert not wrong, (len(wrong), wrong[:3])


@pytest.mark.parametrize("pad", ["<|endoftext|>", "!"], ids=["sd1", "sd2"])
def test_every_text_has_the_same_ids(tmp_path, pad):
    checkpoints.write_tokenizer(tmp_path / "tokenizer", pad)
    reference = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    strings = texts()
    assert len(set(strings)) > 2000
    want = reference(strings, max_length=77, truncation=True, padding="max_length").input_ids
    got = ours(tmp_path, tmp_path / "tokenizer", strings, reference.pad_token_id)
    assert_same(strings, got, want)


def test_standard_vocabulary_equals_a_model_folders(tmp_path):
    checkpoints.write_tokenizer(tmp_path / "tokenizer", "<|endoftext|>")
    strings = texts()[:500]
    assert ours(tmp_path, "standard", strings) == ours(tmp_path, tmp_path / "tokenizer", strings)


def test_every_character_is_classified_alike(tmp_path):
    checkpoints.write_tokenizer(tmp_path / "tokenizer", "<|endoftext|>")
    reference = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    characters = [chr(c) for c in range(sys.maxunicode + 1) if known(chr(c))]
    strings = ["a" + "b".join(characters[i : i + 8]) + "b" for i in range(0, len(characters), 8)]
    want = reference(strings, max_length=77, truncation=True, padding="max_length").input_ids
    assert_same(strings, ours(tmp_path, tmp_path / "tokenizer", strings), want)
