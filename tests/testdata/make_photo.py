"""Makes photo.jpg, the photograph of the tests: a synthetic landscape with texture and sensor noise, 451x300.

Needs numpy and Pillow. The size is odd on purpose: no side is a multiple of 8, 16 or 64.
Run: python make_photo.py   (writes photo.jpg beside this file; the same bytes each time with one Pillow)
"""

import pathlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 451, 300


def fractal(rng, height, width, octaves, persistence=0.55):
    """Sum of smoothly enlarged noise grids, in 0..1."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 1)
        grid = Image.fromarray(rng.random((cells + 1, cells * width // height + 1)).astype(np.float32))
        total += persistence**octave * np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
    return (total - total.min()) / (total.max() - total.min())


def mix(a, b, t):
    return np.asarray(a, np.float32) * (1 - t) + np.asarray(b, np.float32) * t


def main():
    rng = np.random.default_rng(20240229)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    picture = mix((90, 140, 205), (240, 214, 190), np.clip(y / 170, 0, 1)[..., None] ** 1.3)
    clouds = np.clip(fractal(rng, HEIGHT, WIDTH, 6) * 2.2 - 1.1, 0, 1) * np.clip(1 - y / 190, 0, 1)
    picture = mix(picture, (252, 248, 244), clouds[..., None])
    sun = np.exp(-((x - 340) ** 2 + (y - 78) ** 2) / 420)
    picture = mix(picture, (255, 244, 205), np.clip(sun * 1.4, 0, 1)[..., None])

    for base, height, colour, cells in (
        (150, 75, (112, 126, 158), 4),
        (185, 60, (76, 94, 104), 5),
        (222, 34, (52, 78, 52), 6),
    ):
        ridge = base - height * fractal(rng, HEIGHT, WIDTH, cells)[0]
        rock = fractal(rng, HEIGHT, WIDTH, 8, 0.75)[..., None]
        cover = np.clip(y - ridge[None, :], 0, 1)[..., None]
        picture = mix(picture, np.asarray(colour, np.float32) * (0.72 + 0.56 * rock), cover)

    meadow = np.clip((y - 232) / 2, 0, 1)[..., None]
    grass = fractal(rng, HEIGHT, WIDTH, 9, 0.85)[..., None]
    picture = mix(picture, mix((58, 92, 30), (172, 178, 84), grass), meadow)
    lake = np.clip(1 - ((x - 150) / 118) ** 2 - ((y - 252) / 17) ** 2, 0, 0.06)[..., None] / 0.06
    ripple = (0.5 + 0.5 * np.sin(y * 2.1 + 3 * fractal(rng, HEIGHT, WIDTH, 5)))[..., None]
    picture = mix(picture, mix((96, 128, 158), (176, 190, 204), ripple), lake)

    # A red barn, so that there is something to edit.
    wall = (np.abs(x - 320) < 34) & (y > 214) & (y < 256)
    roof = (y <= 214) & (y > 190) & (np.abs(x - 320) < (y - 188) * 1.62)
    door = (np.abs(x - 320) < 9) & (y > 232) & (y < 256)
    boards = (0.86 + 0.14 * np.sin(x * 1.6))[..., None]
    picture = np.where(wall[..., None], np.asarray((158, 44, 36)) * boards, picture)
    picture = np.where(roof[..., None], np.asarray((84, 74, 72)) * boards, picture)
    picture = np.where(door[..., None], (62, 38, 30), picture)

    picture += rng.normal(0, 4.0, picture.shape)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    image.save(pathlib.Path(__file__).parent / "photo.jpg", quality=88)


if __name__ == "__main__":
    main()
