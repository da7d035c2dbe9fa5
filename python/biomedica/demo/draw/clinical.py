"""Images from the clinic: chest radiographs, head CT, ultrasound, dermoscopy and fundus photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageDraw, ImageFilter

from biomedica.demo.draw.canvas import Drawing, font, grain, grid, mix, pick, sigmoid, smooth, to_image

if TYPE_CHECKING:
    from biomedica.demo.draw.canvas import Floats

SIDES = ("left", "right")


def _blob(rows: Floats, columns: Floats, y: float, x: float, ry: float, rx: float, soft: float = 0.06) -> Floats:
    """A soft ellipse: 1 within, 0 without."""
    return sigmoid((1 - np.hypot((rows - y) / ry, (columns - x) / rx)) / soft)


def radiograph(rng: np.random.Generator) -> Drawing:
    """A frontal chest radiograph: dark lungs, ribs, spine and heart; the patient's left is on the viewer's right."""
    width, height = 512, int(rng.choice([512, 560]))
    rows, columns = grid(height, width)
    rows, columns = (
        rows * float(rng.uniform(0.93, 1.06)) + float(rng.uniform(-0.05, 0.05)),
        columns * float(rng.uniform(0.95, 1.1)),
    )
    finding = pick(rng, ("no abnormality", "a round nodule", "patchy consolidation", "a pleural effusion"))
    side = pick(rng, SIDES)
    sign = 1.0 if side == "left" else -1.0
    body = _blob(rows, columns, 0.25, 0, 1.45, 0.98, 0.05)
    shoulders = _blob(rows, columns, -0.98, 0, 0.55, 1.1, 0.12)
    pixels = 12 + 118 * np.maximum(body, shoulders * 0.9)
    lungs = np.zeros((height, width), np.float32)
    for half in (-1.0, 1.0):
        lean = columns - half * (0.42 + 0.06 * rows)
        lung = _blob(rows, lean, -0.02, 0.0, 0.74, 0.31, 0.09) * sigmoid(
            (0.62 - 0.10 * half - rows + 0.25 * lean**2) / 0.035
        )
        lungs = np.maximum(lungs, lung)
    pixels -= 88 * lungs
    ribs = np.zeros_like(lungs)
    for level in np.linspace(-0.80, 0.62, 9):
        for half in (-1.0, 1.0):
            outward = np.clip(columns * half, 0, 1)
            curve = level + 0.34 * outward**1.7 - 0.12 * np.sin(outward * 3.0)
            ribs = np.maximum(
                ribs,
                np.exp(-(((rows - curve) / 0.028) ** 2))
                * sigmoid((outward - 0.10) / 0.03)
                * sigmoid((0.86 - outward) / 0.03),
            )
    pixels += 34 * ribs * (0.4 + 0.6 * lungs) * body
    spine = np.exp(-((columns / 0.085) ** 2)) * (0.82 + 0.18 * np.sin(rows * 34))
    pixels += 52 * spine * body
    heart = np.maximum(
        _blob(rows, columns, 0.33, 0.16, 0.36, 0.34, 0.10), _blob(rows, columns, -0.12, 0.03, 0.42, 0.15, 0.16)
    )
    pixels += 74 * heart * (0.35 + 0.65 * lungs)
    for half in (-1.0, 1.0):
        clavicle = (
            np.exp(-(((rows + 0.76 + 0.10 * half * columns) / 0.032) ** 2))
            * sigmoid((columns * half - 0.08) / 0.03)
            * sigmoid((0.72 - columns * half) / 0.03)
        )
        pixels += 36 * clavicle
        hilum = _blob(rows, columns, 0.02, half * 0.2, 0.2, 0.11, 0.35) * smooth(rng, height, width, 12, 2)
        pixels += 60 * hilum
    x, y = sign * float(rng.uniform(0.40, 0.52)), float(rng.uniform(-0.35, 0.22))
    if finding == "a round nodule":
        pixels += 92 * _blob(rows, columns, y, x, 0.085, 0.09, 0.12)
    elif finding == "patchy consolidation":
        cloud = _blob(rows, columns, y, x, 0.34, 0.24, 0.35) * (0.35 + 0.9 * smooth(rng, height, width, 30, 3))
        pixels += 96 * cloud
    elif finding == "a pleural effusion":
        fluid = (
            sigmoid((rows - 0.16 - 0.28 * (0.75 - columns * sign)) / 0.05)
            * sigmoid((columns * sign - 0.06) / 0.03)
            * body
        )
        pixels = pixels + (172 - pixels) * 0.9 * fluid * sigmoid((0.95 - rows) / 0.05)
    pixels += 3.5 * grain(rng, height, width) + 10 * (smooth(rng, height, width, 70, 2) - 0.5)
    image = to_image(pixels * float(rng.uniform(1.0, 1.3))).filter(ImageFilter.GaussianBlur(0.8))
    ImageDraw.Draw(image).text((width - 30, 30), "L", 235, font(28), "mm")
    return Drawing(image, "radiograph", {"finding": finding, "side": side if finding != "no abnormality" else "none"})


def ct(rng: np.random.Generator) -> Drawing:
    """An axial head CT: bright skull, grey brain with dark ventricles, and bleeding or infarct on one side."""
    side_length = 480
    rows, columns = grid(side_length, side_length)
    finding, side = pick(rng, ("hyperdense haemorrhage", "hypodense infarct")), pick(rng, SIDES)
    sign = 1.0 if side == "left" else -1.0
    skull, brain = _blob(rows, columns, 0, 0, 0.92, 0.76, 0.012), _blob(rows, columns, 0, 0, 0.84, 0.68, 0.012)
    gyri = np.abs(np.sin(smooth(rng, side_length, side_length, 46, 2) * 26))
    rim = np.clip(np.hypot(rows / 0.84, columns / 0.68) * 2.2 - 1.1, 0, 1)
    pixels = (
        8
        + 236 * (skull - brain)
        + brain * (112 + 10 * smooth(rng, side_length, side_length, 8, 2) - 34 * rim * (gyri < 0.22))
    )
    pixels -= 52 * np.exp(-((columns / 0.012) ** 2)) * brain * sigmoid((np.abs(rows) - 0.32) / 0.02)
    for half in (-1.0, 1.0):
        horn = _blob(rows, columns - half * (0.10 + 0.10 * rows**2), -0.02, 0.0, 0.30, 0.055, 0.12)
        pixels -= 74 * horn * brain
    size = float(rng.uniform(0.11, 0.2))
    edge = 1 + 0.5 * (smooth(rng, side_length, side_length, 50, 2) - 0.5)
    lesion = (
        sigmoid((edge - np.hypot((rows - float(rng.uniform(-0.3, 0.3))) / size, (columns - sign * 0.38) / size)) / 0.08)
        * brain
    )
    pixels += (96 if finding.startswith("hyper") else -58) * lesion
    pixels += 5 * grain(rng, side_length, side_length)
    return Drawing(to_image(pixels).filter(ImageFilter.GaussianBlur(0.6)), "ct", {"finding": finding, "side": side})


def ultrasound(rng: np.random.Generator) -> Drawing:
    """A sector scan: speckle in a fan on black, with dark cysts that leave bright tails."""
    width, height = 560, 448
    count = int(rng.integers(1, 4))
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = across - width / 2, down + 34
    radius, angle = np.hypot(x, y), np.arctan2(x, y)
    fan = sigmoid((0.72 - np.abs(angle)) * 80) * sigmoid((radius - 62) / 1.5) * sigmoid((height + 12 - radius) / 1.5)
    speckle = smooth(rng, height, width, 4, 1) * smooth(rng, height, width, 9, 2)
    layers = 0.55 + 0.45 * np.sin(radius / 19 + 4 * smooth(rng, height, width, 90, 2))
    pixels = 330 * speckle * (0.35 + 0.65 * layers) * (1.15 - radius / height * 0.55)
    for number in range(count):
        turn, depth, size = (number - (count - 1) / 2) * 0.42, float(rng.uniform(170, 300)), float(rng.uniform(26, 50))
        cx, cy = depth * np.sin(turn), depth * np.cos(turn)
        distance = np.hypot(x - cx, (y - cy) * 1.15)
        tail = (
            sigmoid((radius - depth - size) / 6)
            * np.exp(-(((angle - turn) * depth / size) ** 4))
            * np.exp(-(radius - depth) / 130)
        )
        pixels = pixels * (1 - 0.94 * sigmoid((size - distance) / 2.2)) * (1 + 0.9 * tail)
        pixels += 90 * np.exp(-(((distance - size) / 3) ** 2))
    image = to_image(np.clip(pixels, 0, 240) * fan)
    return Drawing(image, "ultrasound", {"cysts": count})


LESIONS = {
    "light brown": (156, 104, 70),
    "dark brown": (92, 54, 36),
    "black": (44, 32, 32),
    "blue-grey": (92, 98, 118),
    "red": (170, 72, 70),
}
SKINS = ((232, 190, 166), (222, 172, 148), (240, 206, 186), (206, 158, 132))


def dermoscopy(rng: np.random.Generator) -> Drawing:
    """A pigmented skin lesion close up: one or two colours, a network, perhaps hairs."""
    width, height = 576, 432
    rows, columns = grid(height, width)
    names = [pick(rng, list(LESIONS)), pick(rng, list(LESIONS))]
    colours = list(dict.fromkeys(names))
    shape, hairs = pick(rng, ("symmetric", "asymmetric")), int(rng.choice([0, 0, 6, 12]))
    ratio = height / width
    turn = np.arctan2(rows * ratio, columns)
    size, phase = float(rng.uniform(0.36, 0.56)), float(rng.uniform(0, 6.3))
    uneven = 0.30 if shape == "asymmetric" else 0.05
    edge = size * (
        1
        + uneven * np.sin(2 * turn + phase)
        + uneven * 0.6 * np.sin(3 * turn - phase)
        + 0.16 * (smooth(rng, height, width, 34, 2) - 0.5)
    )
    distance = np.hypot(rows * ratio, columns)
    inside = sigmoid((edge - distance) / (0.022 if shape == "symmetric" else 0.035))
    skin = np.asarray(SKINS[int(rng.integers(len(SKINS)))], np.float32)
    pixels = (
        skin
        + 15 * (smooth(rng, height, width, 70, 3) - 0.5)[:, :, None]
        + 9 * (smooth(rng, height, width, 5) - 0.5)[:, :, None]
    )
    network = np.abs(np.sin(columns * 42 + 5 * smooth(rng, height, width, 40, 2))) * np.abs(
        np.sin(rows * 32 + 5 * smooth(rng, height, width, 40, 2))
    )
    pixels = mix(pixels, LESIONS[colours[0]], inside * (0.94 - 0.30 * network))
    if len(colours) > 1:
        part = sigmoid((smooth(rng, height, width, 110, 2) + 0.35 * np.cos(turn - phase) - 0.52) * 22)
        pixels = mix(pixels, LESIONS[colours[1]], inside * part * 0.85)
    image = to_image(pixels + 3 * grain(rng, height, width)[:, :, None])
    draw = ImageDraw.Draw(image)
    for _ in range(hairs):
        x, y, lean = float(rng.uniform(0, width)), float(rng.uniform(0, height)), float(rng.uniform(-0.6, 0.6))
        bend = float(rng.uniform(-40, 40))
        draw.line(
            [(x + t * 240 * np.cos(lean), y + t * 240 * np.sin(lean) + bend * t * t) for t in np.linspace(-1, 1, 20)],
            (48, 34, 28),
            2,
        )
    dark = 1 - 0.75 * sigmoid((np.hypot(rows, columns) - 1.22) / 0.035)
    shaded = np.asarray(image.filter(ImageFilter.GaussianBlur(0.6)), np.float32) * dark[:, :, None]
    return Drawing(
        to_image(shaded), "dermoscopy", {"colours": colours, "shape": shape, "hairs": "present" if hairs else "absent"}
    )


def fundus(rng: np.random.Generator) -> Drawing:
    """A retina: orange disc on black, bright optic disc on one side, branching vessels, perhaps red spots."""
    side_length = 512
    rows, columns = grid(side_length, side_length)
    side, spots = pick(rng, SIDES), int(rng.choice([0, 0, 8, 20]))
    sign = 1.0 if side == "right" else -1.0
    radius = np.hypot(rows, columns)
    glow = np.clip(1 - 0.45 * radius, 0, 1) + 0.08 * (smooth(rng, side_length, side_length, 80, 3) - 0.5)
    pixels = glow[:, :, None] * np.asarray((228, 110, 48), np.float32)
    pixels = mix(pixels, (110, 36, 16), _blob(rows, columns, 0.03, -sign * 0.22, 0.18, 0.18, 0.6) * 0.55)
    image = to_image(pixels)
    draw = ImageDraw.Draw(image)
    cx, cy = side_length / 2 * (1 + sign * 0.46), side_length / 2
    for rise in (-1, 1):
        for reach in (0.55, 1.0, -0.6):
            _vessel(
                draw,
                rng,
                cx,
                cy,
                np.pi * (0.5 + 0.5 * (reach > 0)) * 0.5 * rise,
                -sign * abs(reach) if reach > 0 else sign * 0.6,
                6.5,
            )
    for _ in range(spots):
        x, y = (float(v) for v in rng.uniform(110, 400, 2))
        r = float(rng.uniform(2, 6))
        draw.ellipse((x - r, y - r, x + r, y + r), (128, 22, 14))
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(1.1)), np.float32)
    disc = _blob(rows, columns, 0, sign * 0.46, 0.135, 0.12, 0.12)
    blurred = mix(blurred, (255, 226, 150), disc * 0.85)
    blurred += 3 * grain(rng, side_length, side_length)[:, :, None]
    blurred *= sigmoid((0.95 - radius) / 0.006)[:, :, None]
    return Drawing(to_image(blurred), "fundus", {"eye": side, "haemorrhages": spots})


def _vessel(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, y: float, turn: float, sweep: float, width: float
) -> None:
    """One vessel that winds away from the optic disc and sends off thinner branches."""
    angle = turn if sweep > 0 else np.pi - turn
    for step in range(64):
        thick = width * (1 - step / 78)
        nx, ny = x + 6.2 * float(np.cos(angle)), y + 6.2 * float(np.sin(angle))
        draw.line((x, y, nx, ny), (132, 26, 18), max(1, round(thick)))
        x, y = nx, ny
        angle += float(rng.normal(0, 0.09)) - 0.006 * np.sign(np.sin(angle)) * np.sign(np.cos(angle))
        if width > 3 and step in {14, 26, 38}:
            _vessel(draw, rng, x, y, float(angle + rng.choice([-0.7, 0.7])), 1.0, thick * 0.5)
