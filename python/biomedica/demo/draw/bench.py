"""Images from the bench and the bedside monitor: western blots, DNA gels and electrocardiograms."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw, ImageFilter

from biomedica.demo.draw.canvas import Drawing, Pen, font, grain, pick, sigmoid, smooth, some, to_image

PROTEINS = ("p53", "AKT", "p-AKT", "ERK1/2", "cyclin D1", "caspase-3", "Bcl-2", "LC3-II", "STAT3", "VEGFA")
WEIGHTS = (250, 130, 95, 72, 55, 43, 34, 26, 17)


def blot(rng: np.random.Generator) -> Drawing:
    """A western blot: strips of dark bands on pale grey, a protein a strip, the last the loading control."""
    lanes, strips = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    trend = pick(rng, ("increasing", "decreasing", "constant"))
    proteins = [*some(rng, PROTEINS, strips - 1), pick(rng, ("GAPDH", "beta-actin"))]
    width, height, left, right, step = 600, 70 + 84 * strips, 36, 456, 84
    canvas = np.full((height, width), 255, np.float32)
    for strip in range(strips):
        top = 46 + step * strip
        tone = float(rng.uniform(196, 222))
        area = tone + 18 * (smooth(rng, 64, right - left, 30, 2) - 0.5) + 3 * grain(rng, 64, right - left)
        down, across = np.mgrid[0:64, 0 : right - left].astype(np.float32)
        for lane in range(lanes):
            place = lane / (lanes - 1)
            amount = {"increasing": 0.15 + 0.85 * place, "decreasing": 1 - 0.85 * place, "constant": 0.85}[trend]
            amount = 0.92 if strip == strips - 1 else amount * float(rng.uniform(0.9, 1.05))
            x = (right - left) * (lane + 0.5) / lanes
            half = (right - left) / lanes * 0.36
            smile = 5 * ((across - x) / half) ** 2 * 0.4
            band = sigmoid((half - np.abs(across - x)) / 3.2) * np.exp(
                -(((down - 33 - smile + float(rng.uniform(-1, 1))) / (7 + 4 * amount)) ** 2)
            )
            area -= band * amount * tone * 0.92
        canvas[top : top + 64, left:right] = area
    image = to_image(canvas).filter(ImageFilter.GaussianBlur(0.9))
    draw = ImageDraw.Draw(image)
    for strip, protein in enumerate(proteins):
        draw.rectangle((left, 46 + step * strip, right, 46 + step * strip + 64), outline=20, width=2)
        draw.text((right + 12, 46 + step * strip + 32), protein, 10, font(20), "lm")
    for lane in range(lanes):
        draw.text((left + (right - left) * (lane + 0.5) / lanes, 26), str(lane + 1), 10, font(18), "mm")
    return Drawing(image, "blot", {"lanes": lanes, "proteins": proteins, "trend": trend})


def gel(rng: np.random.Generator) -> Drawing:
    """A DNA gel: bright bands on dark with a ladder in the first lane."""
    lanes = int(rng.integers(5, 13))
    width, height = 96 + 52 * lanes, 420
    positive = np.flatnonzero(rng.random(lanes) < 0.6)
    if positive.size == 0:
        positive = np.asarray([0])
    pixels = 26 + 20 * smooth(rng, height, width, 120, 2) + 3 * grain(rng, height, width)
    down, across = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    size = int(rng.choice([200, 350, 500, 800]))
    row = {200: 318.0, 350: 262.0, 500: 214.0, 800: 160.0}[size]
    bands = [(0, y, 0.75 if i != 4 else 1.1) for i, y in enumerate(np.geomspace(72, 350, 10))]
    bands += [(int(lane) + 1, row + float(rng.uniform(-1.5, 1.5)), float(rng.uniform(0.7, 1.15))) for lane in positive]
    for lane, y, strength in bands:
        x = 44 + 52 * lane + 13
        band = sigmoid((19 - np.abs(across - x)) / 1.6) * np.exp(-(((down - y) / 4.2) ** 2))
        pixels += 205 * strength * band + 26 * strength * sigmoid((18 - np.abs(across - x)) / 4) * np.exp(
            -(np.abs(down - y) / 30)
        )
    for lane in range(lanes + 1):
        well = sigmoid((19 - np.abs(across - (57 + 52 * lane))) / 1.2) * sigmoid((4 - np.abs(down - 40)) / 1)
        pixels -= 18 * well
    image = to_image(pixels).filter(ImageFilter.GaussianBlur(0.8))
    draw = ImageDraw.Draw(image)
    for lane in range(lanes + 1):
        draw.text((57 + 52 * lane, 18), "M" if lane == 0 else str(lane), 245, font(18), "mm")
    return Drawing(image, "gel", {"lanes": lanes, "positive": int(positive.size), "size_bp": size})


def ecg(rng: np.random.Generator) -> Drawing:
    """An electrocardiogram on pink paper: regular, fast or irregular rhythm in two or three leads."""
    leads = int(rng.integers(2, 4))
    width, height = 660, 110 * leads + 40
    rhythm = pick(rng, ("sinus rhythm", "sinus tachycardia", "atrial fibrillation", "sinus bradycardia"))
    pen = Pen(width, height, (255, 244, 242))
    for i in range(0, width, 11):
        pen.line([(i, 0), (i, height)], (246, 176, 172) if i % 55 == 0 else (252, 220, 216), 1)
    for i in range(0, height, 11):
        pen.line([(0, i), (width, i)], (246, 176, 172) if i % 55 == 0 else (252, 220, 216), 1)
    gap = {"sinus rhythm": 92.0, "sinus tachycardia": 50.0, "atrial fibrillation": 80.0, "sinus bradycardia": 150.0}[
        rhythm
    ]
    x = np.arange(0, width, 0.75)
    beats = [30.0]
    while beats[-1] < width:
        beats.append(
            beats[-1]
            + gap
            * (float(rng.uniform(0.6, 1.45)) if rhythm == "atrial fibrillation" else float(rng.uniform(0.98, 1.02)))
        )
    for lead, name in enumerate(("I", "II", "V1")[:leads]):
        wave = np.zeros_like(x)
        for beat in beats:
            t = x - beat
            wave += (
                44 * np.exp(-((t / 2.2) ** 2))
                - 9 * np.exp(-(((t + 5) / 2) ** 2))
                - 13 * np.exp(-(((t - 5) / 2.4) ** 2))
            )
            wave += 10 * np.exp(-(((t - 22) / 7) ** 2))
            if rhythm != "atrial fibrillation":
                wave += 6 * np.exp(-(((t + 17) / 4.5) ** 2))
        if rhythm == "atrial fibrillation":
            wave += 2.6 * np.sin(x * 0.62 + 2 * np.sin(x * 0.05))
        wave = wave * (-0.6 if name == "V1" else 1) + rng.normal(0, 0.5, x.size)
        base = 74 + 110 * lead
        pen.line([(float(a), base - float(b)) for a, b in zip(x, wave, strict=True)], (24, 24, 40), 1.7)
        pen.text(8, base - 46, name, 17, "lm")
    return Drawing(pen.finish(), "ecg", {"leads": leads, "rhythm": rhythm})
