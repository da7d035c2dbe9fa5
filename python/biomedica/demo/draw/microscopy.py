"""Images from a microscope: fluorescent cells, stained tissue, and electron micrographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from biomedica.demo.draw.canvas import Drawing, font, grain, grid, mix, pick, sigmoid, smooth, some, to_image

if TYPE_CHECKING:
    from biomedica.demo.draw.canvas import Floats

CHANNELS = {
    "green": (0.10, 1.0, 0.22),
    "red": (1.0, 0.14, 0.10),
    "magenta": (0.95, 0.15, 0.90),
    "yellow": (0.95, 0.85, 0.1),
}
MARKERS = ("F-actin", "tubulin", "vimentin", "E-cadherin", "LC3", "GFAP", "NeuN", "calnexin")
STAINS = {
    "hematoxylin and eosin": ((238, 190, 214), (206, 116, 164), (86, 48, 130)),
    "Masson trichrome": ((226, 190, 196), (88, 128, 196), (110, 36, 62)),
    "periodic acid-Schiff": ((240, 214, 228), (206, 78, 146), (92, 70, 150)),
    "DAB immunohistochemistry": ((236, 230, 226), (158, 100, 56), (84, 98, 150)),
}


def fluorescence(rng: np.random.Generator) -> Drawing:
    """Cells on black: blue nuclei, and cell bodies in one or two further colours."""
    side = int(rng.choice([448, 512, 576]))
    count = int(rng.integers(4, 24))
    colours = some(rng, list(CHANNELS), int(rng.integers(1, 3)))
    markers = some(rng, MARKERS, len(colours))
    pixels: Floats = np.zeros((side, side, 3), np.float32)
    texture = [smooth(rng, side, side, 9, 2) for _ in colours]
    fibres = np.abs(np.sin(smooth(rng, side, side, 60, 2) * 60))
    radius = side * float(np.clip(0.24 / np.sqrt(count), 0.045, 0.085))
    for x, y in _scatter(rng, count, side, radius * 3.0):
        reach = int(radius * 3.4)
        top, left = max(0, int(y) - reach), max(0, int(x) - reach)
        rows, columns = np.mgrid[top : min(side, int(y) + reach), left : min(side, int(x) + reach)].astype(np.float32)
        dy, dx = rows - y, columns - x
        angle = np.arctan2(dy, dx)
        turn, lobes = float(rng.uniform(0, 6.3)), int(rng.integers(2, 5))
        wobble = 1 + 0.28 * np.sin(lobes * angle + turn) + 0.10 * np.sin(5 * angle - turn)
        distance = np.hypot(dx, dy * float(rng.uniform(0.85, 1.2)))
        window = (slice(top, top + rows.shape[0]), slice(left, left + rows.shape[1]))
        for channel, colour in enumerate(colours):
            body = sigmoid((radius * (1.8 - 0.25 * channel) * wobble - distance) / (radius * 0.16))
            hollow = 1 - 0.75 * np.exp(-((distance / radius) ** 4))
            detail = 0.35 + 0.5 * texture[channel][window] + (0.35 * fibres[window] if channel == 0 else 0)
            strength = float(rng.uniform(0.5, 1.0)) * 190
            pixels[window] += (body * hollow * detail * strength)[:, :, None] * np.asarray(CHANNELS[colour], np.float32)
        nucleus = sigmoid((radius * 0.92 - distance) / (radius * 0.09)) * (0.65 + 0.45 * texture[0][window])
        pixels[window] += nucleus[:, :, None] * np.asarray((40, 70, 255), np.float32) * float(rng.uniform(0.75, 1.0))
    pixels += 6 + 5 * grain(rng, side, side)[:, :, None] * np.asarray((0.6, 0.7, 1), np.float32)
    image = to_image(pixels).filter(ImageFilter.GaussianBlur(0.8))
    bar = int(rng.choice([10, 20, 50]))
    _scale_bar(image, bar)
    return Drawing(image, "fluorescence", {"cells": count, "colours": colours, "markers": markers, "scale_um": bar})


def histology(rng: np.random.Generator) -> Drawing:
    """A stained tissue section: fibrous ground, many nuclei, perhaps glands with pale lumens."""
    width, height = 576, int(rng.choice([432, 512, 576]))
    stain = pick(rng, list(STAINS))
    pale, fibre, nucleus = STAINS[stain]
    glands = int(rng.choice([0, 0, 2, 3, 4, 5]))
    density = pick(rng, ("sparse", "moderate", "dense"))
    count = {"sparse": 130, "moderate": 320, "dense": 700}[density]
    warp = smooth(rng, height, width, 90, 2)
    rows, columns = grid(height, width)
    strands = 0.5 + 0.5 * np.sin((rows * 9 + columns * 5 + warp * 14) * 3.0)
    cloud = smooth(rng, height, width, 40, 3)
    pixels = np.broadcast_to(np.asarray(pale, np.float32), (height, width, 3)).copy()
    pixels = mix(pixels, fibre, 0.15 + 0.55 * cloud * strands)
    pixels = mix(pixels, (252, 248, 250), sigmoid((smooth(rng, height, width, 26, 2) - 0.74) * 40) * 0.85)
    centres = _scatter(rng, glands, min(width, height), 92) if glands else []
    spots = [
        (float(x), float(y)) for x, y in zip(rng.uniform(0, width, count), rng.uniform(0, height, count), strict=True)
    ]
    for x, y in centres:
        radius, phase = float(rng.uniform(44, 66)), float(rng.uniform(0, 6.3))
        top, left = max(0, int(y) - 110), max(0, int(x) - 110)
        down, across = np.mgrid[top : min(height, int(y) + 110), left : min(width, int(x) + 110)].astype(np.float32)
        angle = np.arctan2(down - y, across - x)
        edge = radius * (1 + 0.13 * np.sin(3 * angle + phase))
        distance = np.hypot(across - x, down - y)
        window = (slice(top, top + down.shape[0]), slice(left, left + down.shape[1]))
        patch = mix(pixels[window], fibre, sigmoid((edge * 1.28 - distance) / 2) * 0.75)
        pixels[window] = mix(patch, (253, 249, 251), sigmoid((edge * 0.66 - distance) / 2))
        spots = [s for s in spots if np.hypot(s[0] - x, s[1] - y) > radius * 1.3]
        for turn in np.linspace(0, 6.28, int(radius * 0.62), endpoint=False):
            ring = radius * (1 + 0.13 * np.sin(3 * turn + phase)) * float(rng.uniform(0.98, 1.1))
            spots.append((x + ring * float(np.cos(turn)), y + ring * float(np.sin(turn))))
    image = to_image(pixels)
    _nuclei(image, rng, spots, nucleus)
    image = image.filter(ImageFilter.GaussianBlur(0.7))
    noisy = np.asarray(image, np.float32) + 5 * grain(rng, height, width)[:, :, None]
    return Drawing(to_image(noisy), "histology", {"stain": stain, "glands": glands, "density": density})


def electron(rng: np.random.Generator) -> Drawing:
    """A transmission electron micrograph: grey cytoplasm with round mitochondria and their cristae."""
    width, height = 560, 448
    count = int(rng.integers(2, 8))
    pixels = 150 + 60 * (smooth(rng, height, width, 14, 3) - 0.5) + 12 * grain(rng, height, width)
    size = float(rng.uniform(38, 58))
    reach = int(size * 1.35)
    for x, y in _scatter(rng, count, min(width, height), size * 1.7, width, height):
        turn, stretch = float(rng.uniform(0, 3.1)), float(rng.uniform(1.15, 1.8))
        top, left = max(0, int(y) - reach), max(0, int(x) - reach)
        down, across = np.mgrid[top : min(height, int(y) + reach), left : min(width, int(x) + reach)].astype(np.float32)
        u = (across - x) * np.cos(turn) + (down - y) * np.sin(turn)
        v = ((down - y) * np.cos(turn) - (across - x) * np.sin(turn)) * stretch
        distance = np.hypot(u, v) + 5 * np.sin(4 * np.arctan2(v, u) + turn)
        inside = sigmoid((size - distance) / 1.4)
        cristae = sigmoid((np.sin(u * 0.42 + 1.2 * np.sin(v * 0.12)) - 0.35) * 6) * sigmoid(
            (size * 0.86 - distance) / 2
        )
        wall = np.exp(-(((distance - size) / 2.2) ** 2)) + np.exp(-(((distance - size * 0.88) / 1.6) ** 2))
        pixels[top : top + down.shape[0], left : left + down.shape[1]] += cristae * 62 - inside * 38 - wall * 88
    image = to_image(pixels).filter(ImageFilter.GaussianBlur(0.6)).convert("RGB")
    _scale_bar(image, 500, "nm")
    return Drawing(image.convert("L"), "electron", {"mitochondria": count, "scale_nm": 500})


def _scatter(
    rng: np.random.Generator, count: int, side: int, gap: float, width: int = 0, height: int = 0
) -> list[tuple[float, float]]:
    """`count` points, the best spread of a few throws: never too close while there is room."""
    width, height = width or side, height or side
    points: list[tuple[float, float]] = []
    margin = min(gap * 0.55, side * 0.2)
    for _ in range(count):
        tries = rng.uniform((margin, margin), (width - margin, height - margin), (24, 2))
        if points:
            near = np.min(np.linalg.norm(tries[:, None] - np.asarray(points)[None], axis=2), axis=1)
            best = tries[int(np.argmax(np.minimum(near, gap * 1.5)))]
        else:
            best = tries[0]
        points.append((float(best[0]), float(best[1])))
    return points


def _nuclei(
    image: Image.Image, rng: np.random.Generator, spots: list[tuple[float, float]], colour: tuple[int, int, int]
) -> None:
    """Small dark ellipses of varied tone and direction."""
    draw = ImageDraw.Draw(image)
    turns = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    for x, y in spots:
        long, short = float(rng.uniform(4.2, 7.2)), float(rng.uniform(2.8, 4.8))
        turn, tone = float(rng.uniform(0, 3.14)), float(rng.uniform(0.8, 1.35))
        u, v = long * np.cos(turns), short * np.sin(turns)
        outline = np.stack((x + u * np.cos(turn) - v * np.sin(turn), y + u * np.sin(turn) + v * np.cos(turn)), 1)
        fill = (min(255, int(colour[0] * tone)), min(255, int(colour[1] * tone)), min(255, int(colour[2] * tone)))
        draw.polygon([(float(a), float(b)) for a, b in outline], fill)


def _scale_bar(image: Image.Image, length: int, unit: str = "um") -> None:
    """A white bar with its length in the lower right corner."""
    draw = ImageDraw.Draw(image)
    right, bottom = image.width - 18, image.height - 18
    draw.rectangle((right - 88, bottom - 5, right, bottom), (255, 255, 255))
    draw.text((right - 44, bottom - 10), f"{length} {unit}", (255, 255, 255), font(16), "ms")
