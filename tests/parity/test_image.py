"""The image library against Pillow in the same run: resize and fit byte for byte, decoders, EXIF, parameters."""

import io
import math
import os
import pathlib
import random
import subprocess

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = pathlib.Path(os.environ.get("IP2P_BUILD", ROOT / "build")) / "bin" / "tests" / "image_probe"
PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"
LANCZOS = Image.Resampling.LANCZOS
# libjpeg-turbo here and inside of Pillow may be different versions; measured 0 for all but CMYK (rounding of a product).
CMYK_LEVELS = 1
STORED_LEVELS = 1  # measured 0, and the bytes equal, between libjpeg-turbo 2.1.5 here and 3.2.0 in Pillow 13


def probe(*args):
    return subprocess.run([PROBE, *map(str, args)], capture_output=True, text=True)


def through(tmp_path, data, *args):
    """Pixels after the probe's verb on these bytes (an Image is handed over as PNG)."""
    source, target = tmp_path / "in", tmp_path / "out"
    if isinstance(data, Image.Image):
        data.save(source, "PNG")
    else:
        source.write_bytes(data)
    done = probe(*args, source, target)
    assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(target).convert("RGB"))


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def photo():
    return Image.open(PHOTO).convert("RGB")


def reference_size(width, height, resolution):
    factor = resolution / max(width, height)
    factor = math.ceil(min(width, height) * factor / 64) * 64 / min(width, height)
    return int((width * factor) // 64) * 64, int((height * factor) // 64) * 64


def test_fit_equals_pillow_on_random_sizes(tmp_path, photo):
    rng = random.Random(1)
    cases = [(451, 300, 512), (300, 451, 512), (1920, 1080, 512), (1, 1, 64), (512, 512, 512), (97, 96, 128)]
    cases += [(rng.randint(40, 900), rng.randint(40, 900), 64 * rng.randint(2, 10)) for _ in range(40)]
    compared = 0
    for width, height, resolution in cases:
        size = reference_size(width, height, resolution)
        if max(size) > 4 * resolution or min(size) < 64:
            continue
        source = photo.resize((width, height))
        ours = through(tmp_path, source, "fit", resolution)
        theirs = np.asarray(ImageOps.fit(source, size, method=LANCZOS))
        assert ours.shape == theirs.shape
        assert np.array_equal(ours, theirs), (width, height, resolution, np.abs(ours.astype(int) - theirs).max())
        compared += 1
    assert compared >= 40


def test_order_of_passes_equals_pillow(tmp_path, photo):
    """Around the point where Pillow 13 starts with the rows: height drops by twice what width drops by."""
    for width, height in [(401, 200), (401, 201), (401, 199), (451, 150), (500, 299), (500, 301), (40, 290)]:
        ours = through(tmp_path, photo, "resize", width, height, 0, 0, 451, 300)
        assert np.array_equal(ours, np.asarray(photo.resize((width, height), LANCZOS))), (width, height)
        ours = through(tmp_path, photo, "resize", width, height, 1.5, 2.5, 449.25, 299)
        theirs = photo.resize((width, height), LANCZOS, box=(1.5, 2.5, 449.25, 299))
        assert np.array_equal(ours, np.asarray(theirs)), (width, height)


def test_bicubic_equals_pillow(tmp_path, photo):
    rng = random.Random(3)
    sizes = [(224, 224), (336, 224), (451, 40), (1, 1)]
    for size in sizes + [(rng.randint(1, 700), rng.randint(1, 700)) for _ in range(20)]:
        ours = through(tmp_path, photo, "bicubic", *size)
        assert np.array_equal(ours, np.asarray(photo.resize(size, Image.Resampling.BICUBIC))), size


def test_resize_with_box_equals_pillow(tmp_path, photo):
    rng = random.Random(2)
    for _ in range(40):
        left, top = rng.uniform(0, 200), rng.uniform(0, 150)
        box = (left, top, rng.uniform(left + 1, 451), rng.uniform(top + 1, 300))
        width, height = rng.randint(1, 700), rng.randint(1, 700)
        ours = through(tmp_path, photo, "resize", width, height, *map(repr, box))
        theirs = np.asarray(photo.resize((width, height), LANCZOS, box=box))
        assert np.array_equal(ours, theirs), (width, height, box)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_equals_pillow(tmp_path, photo, subsampling, progressive):
    data = saved(photo, format="JPEG", quality=90, subsampling=subsampling, progressive=progressive)
    ours = through(tmp_path, data, "decode")
    assert np.array_equal(ours, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("size", [(451, 300), (512, 512), (64, 64), (17, 9)])
def test_a_stored_pairs_jpeg_equals_pillows(tmp_path, photo, size):
    """Quality 100, 4:2:0: what EncodePairImage asks of the encoder, and what the original's image.save(quality=100) is."""
    image = photo.resize(size, LANCZOS)
    image.save(tmp_path / "in.png")
    done = probe("encode", "jpeg", 100, 0, "", tmp_path / "in.png", tmp_path / "out.jpg")
    assert done.returncode == 0, done.stderr
    ours, theirs = (tmp_path / "out.jpg").read_bytes(), saved(image, format="JPEG", quality=100)
    a, b = (Image.open(io.BytesIO(data)) for data in (ours, theirs))
    assert a.quantization == b.quantization and a.layer == b.layer  # layer: each component's sampling
    levels = np.abs(np.asarray(a).astype(int) - np.asarray(b)).max()
    print(f"{size}: bytes {'equal' if ours == theirs else 'differ'}, pixels at most {levels} levels apart")
    assert levels <= STORED_LEVELS


def test_cmyk_and_grey_jpeg(tmp_path, photo):
    grey = saved(photo.convert("L"), format="JPEG")
    assert np.array_equal(through(tmp_path, grey, "decode"), np.asarray(Image.open(io.BytesIO(grey)).convert("RGB")))
    cmyk = saved(photo.convert("CMYK"), format="JPEG", quality=95)
    theirs = np.asarray(Image.open(io.BytesIO(cmyk)).convert("RGB")).astype(int)
    assert np.abs(through(tmp_path, cmyk, "decode") - theirs).max() <= CMYK_LEVELS


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_png_equals_pillow(tmp_path, photo, mode):
    data = saved(photo.convert(mode), format="PNG")
    assert np.array_equal(through(tmp_path, data, "decode"), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_webp_equals_pillow(tmp_path, photo):
    for options in ({"lossless": True}, {"quality": 80}):
        data = saved(photo, format="WEBP", **options)
        ours = through(tmp_path, data, "decode")
        assert np.array_equal(ours, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_equals_exif_transpose(tmp_path, photo, kind, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(photo, format=kind, exif=exif, **options)
    theirs = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(through(tmp_path, data, "decode"), np.asarray(theirs))


def encode(tmp_path, source, kind, quality, lossless, parameters):
    target = tmp_path / f"out.{kind}"
    done = probe("encode", kind, quality, int(lossless), parameters, source, target)
    assert done.returncode == 0, done.stderr
    return target


def test_encoded_pixels_as_pillow_reads_them(tmp_path, photo):
    png = encode(tmp_path, PHOTO, "png", 95, False, "")
    assert np.array_equal(np.asarray(Image.open(png)), np.asarray(photo))
    webp = encode(tmp_path, PHOTO, "webp", 95, True, "")
    assert np.array_equal(np.asarray(Image.open(webp).convert("RGB")), np.asarray(photo))
    jpeg = encode(tmp_path, PHOTO, "jpeg", 95, False, "")
    theirs = saved(photo, format="JPEG", quality=95)
    assert np.array_equal(np.asarray(Image.open(jpeg)), np.asarray(Image.open(io.BytesIO(theirs))))


@pytest.mark.parametrize("text", ["turn it red\nSteps: 20, Seed: 1", "größer 🎨 中文"])
def test_parameters_are_where_others_look(tmp_path, text):
    assert Image.open(encode(tmp_path, PHOTO, "png", 95, False, text)).text["parameters"] == text
    for kind in ("jpeg", "webp"):
        exif = Image.open(encode(tmp_path, PHOTO, kind, 90, False, text)).getexif()
        comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
        charset, body = comment[:8], comment[8:]
        assert body.decode("ascii" if charset == b"ASCII\0\0\0" else "utf-16-be") == text


def test_parameters_of_pillow_are_read(tmp_path, photo):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "größer 🎨")
    source, target = tmp_path / "in.png", tmp_path / "out.txt"
    photo.save(source, pnginfo=info)
    assert probe("parameters", source, target).returncode == 0
    assert target.read_text(encoding="utf-8") == "größer 🎨"
