"""Makes the goldens of resize_test.cc with Pillow (made with 13.0.0).

Run: python make_goldens.py   (writes PNG files beside this file)
"""

import pathlib

from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
PHOTO = HERE.parents[2] / "testdata" / "photo.jpg"
LANCZOS = Image.Resampling.LANCZOS


def main():
    source = Image.open(PHOTO).convert("RGB").crop((270, 180, 331, 227))
    source.save(HERE / "source.png", optimize=True)
    goldens = {
        "down_40x30": source.resize((40, 30), LANCZOS),
        "box_97x80": source.resize((97, 80), LANCZOS, box=(3.3, 2.7, 55.1, 44.9)),
        "rows_61x20": source.resize((61, 20), LANCZOS),
        "columns_7x47": source.resize((7, 47), LANCZOS),
        "bicubic_33x25": source.resize((33, 25), Image.Resampling.BICUBIC),
        "bicubic_90x70": source.resize((90, 70), Image.Resampling.BICUBIC),
        "fit_128": ImageOps.fit(source, (128, 128), method=LANCZOS),
    }
    for name, image in goldens.items():
        image.save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
