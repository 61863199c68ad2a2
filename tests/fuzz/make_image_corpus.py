"""Makes the seed corpora of the image fuzz targets: corpus/image_{jpeg,png,webp}_fuzz/, a few hundred bytes a file.

Needs Pillow. Run: python make_image_corpus.py
"""

import pathlib
import struct
import zlib

from PIL import ExifTags, Image, PngImagePlugin

CORPUS = pathlib.Path(__file__).parent / "corpus"


def picture(mode="RGB", size=(17, 11)):
    image = Image.new("RGB", size)
    image.putdata([(x * 15 % 256, y * 23 % 256, (x * y) % 256) for y in range(size[1]) for x in range(size[0])])
    return image.convert(mode)


def exif(orientation, comment=None):
    out = Image.Exif()
    out[ExifTags.Base.Orientation] = orientation
    if comment:
        out.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + comment.encode("utf-16-be")
    return out


def folder(name):
    path = CORPUS / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def put(path, data):
    path.write_bytes(data)


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def jpeg():
    out = folder("image_jpeg_fuzz")
    picture().save(out / "baseline.jpg", quality=60)
    picture().save(out / "progressive.jpg", quality=60, progressive=True)
    picture("L").save(out / "grey.jpg", quality=60)
    picture("CMYK").save(out / "cmyk.jpg", quality=60)
    picture().save(out / "orientation.jpg", quality=60, exif=exif(6, "größer"))
    picture().save(out / "restarts.jpg", quality=60, restart_marker_blocks=1)
    whole = (out / "baseline.jpg").read_bytes()
    put(out / "truncated.jpg", whole[: len(whole) * 2 // 3])
    frame = whole.index(b"\xff\xc0")
    put(out / "huge.jpg", whole[: frame + 5] + b"\xff\xdc\xff\xdc" + whole[frame + 9 :])
    put(out / "twelve_bit.jpg", whole[: frame + 4] + b"\x0c" + whole[frame + 5 :])
    many = (out / "progressive.jpg").read_bytes()
    scan = many.index(b"\xff\xda")
    end = many.index(b"\xff\xc4", scan)
    put(out / "scans.jpg", many[:scan] + many[scan:end] * 30 + many[end:])


def png():
    out = folder("image_png_fuzz")
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        picture("RGB").convert(mode).save(out / f"{mode.lower()}.png")
    picture("P").save(out / "palette_alpha.png", transparency=3)
    Image.new("I;16", (5, 3), 4660).save(out / "sixteen.png")
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "größer 🎨")
    info.add_text("Comment", "x" * 300, zip=True)
    picture().save(out / "text.png", pnginfo=info, exif=exif(8))
    whole = (out / "rgb.png").read_bytes()
    put(out / "truncated.png", whole[: len(whole) // 2])
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    put(out / "huge.png", whole[:8] + png_chunk(b"IHDR", header) + whole[33:])
    rows = b"".join(b"\0" + bytes(3 * n) for n in (1, 1, 1, 1, 2, 2, 2, 4, 4))  # Adam7 of 4x4
    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 1)
    data = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    put(out / "interlaced.png", whole[:8] + data)


def webp():
    out = folder("image_webp_fuzz")
    picture().save(out / "lossy.webp", quality=60)
    picture().save(out / "lossless.webp", lossless=True)
    picture("RGBA").save(out / "alpha.webp", lossless=True)
    translucent = picture("RGBA")
    translucent.putalpha(picture("L"))
    translucent.save(out / "translucent.webp", quality=60)
    picture().save(out / "orientation.webp", quality=60, exif=exif(5, "größer"))
    frames = [picture(), picture().rotate(180)]
    frames[0].save(out / "animated.webp", save_all=True, append_images=frames[1:], duration=100)
    whole = (out / "lossy.webp").read_bytes()
    put(out / "truncated.webp", whole[: len(whole) // 2])
    put(out / "huge.webp", whole[:26] + b"\xff\x3f\xff\x3f" + whole[30:])


if __name__ == "__main__":
    jpeg()
    png()
    webp()
