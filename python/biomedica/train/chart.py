"""Lines over a number, as a PNG: the loss over steps, accuracy over alpha."""

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["line_chart"]

WIDTH, HEIGHT = 800, 500
LEFT, TOP, RIGHT, BOTTOM = 70, 40, 780, 430
INKS = ("#c03020", "#2060b0", "#208050", "#a06000", "#7040a0", "#006878")
GRID, PARTS = "#dddddd", 4


def line_chart(
    lines: Mapping[str, Sequence[tuple[float, float]]], title: str, path: Path, *, zero: bool = False
) -> None:
    """Draw lines in one frame, with a legend where there are several.

    Args:
        lines: Points (x, y) by the name of their line.
        title: Above the frame.
        path: The PNG.
        zero: Whether y begins at 0, not at the lowest point.
    """
    from PIL import Image, ImageDraw

    points = [point for line in lines.values() for point in line]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    low, high = (0.0 if zero else min(y for _, y in points)), max(y for _, y in points)
    margin = 0.05 * (high - low) or 0.05
    low, high = (low if zero else low - margin), high + margin
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / ((last - first) or 1)
        return LEFT + (RIGHT - LEFT) * across, BOTTOM - (BOTTOM - TOP) * (y - low) / (high - low)

    for part in range(PARTS + 1):
        x, y = first + (last - first) * part / PARTS, low + (high - low) * part / PARTS
        across, up = place(x, y)
        pen.line((LEFT, up, RIGHT, up), fill=GRID)
        pen.text((LEFT - 45, up - 6), f"{y:.3g}", fill="black")
        pen.text((across - 10, BOTTOM + 8), f"{x:.3g}" if last < 1000 else f"{x:,.0f}", fill="black")  # noqa: PLR2004
    pen.rectangle((LEFT, TOP, RIGHT, BOTTOM), outline="black")
    pen.text((LEFT, TOP - 22), title, fill="black")
    left = float(LEFT)
    for number, (name, line) in enumerate(lines.items()):
        ink = INKS[number % len(INKS)]
        pen.line([place(x, y) for x, y in line], fill=ink, width=2, joint="curve")
        if len(lines) > 1:
            pen.line((left, BOTTOM + 42, left + 20, BOTTOM + 42), fill=ink, width=3)
            pen.text((left + 26, BOTTOM + 36), name, fill="black")
            left += 46 + pen.textlength(name)
    image.save(path, "PNG")
