"""Finds lines of text: a network says how surely each pixel belongs to a line, the rest is geometry.

A line is a parallelogram with upright sides, because lines of a page that was photographed climb or fall a
little, each its own way. Knows nothing about letters.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy
from PIL import Image
from scipy import ndimage

from hardpoint.errors import InputError

# Larger pages are looked at smaller; they are still read at their own size.
SIDE_MAX = 1536
# The network halves its picture five times.
SIDE_STEP = 32
LINES_MAX = 1000

PIXEL_SURE = 0.3
LINE_SURE = 0.5
PIXELS_HIGH_MIN = 3
# Only something this long shows whether it climbs.
LENGTH_PER_HEIGHT_MIN = 3
# The network marks the core of a line; letters reach this much further out (area of the core / its outline).
GROWTH = 1.6


class Region(NamedTuple):
    """Where a line lies, in pixels: its upper left corner, its size, and how much it falls per pixel."""

    x: float
    y: float
    width: float
    height: float
    slope: float

    @property
    def middle(self) -> float:
        return self.y + (self.height + self.slope * self.width) / 2


class Finder:
    """Finds lines with a network that was loaded before."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._input = network.get_inputs()[0].name

    def find(self, page: Image.Image) -> list[Region]:
        """The lines of a grey page, from top to bottom."""
        sureness = self._look_at(page)
        marked, _ = ndimage.label(sureness > PIXEL_SURE)
        places = ndimage.find_objects(marked)
        regions = [region_of(sureness, marked, number, place) for number, place in enumerate(places, start=1)]
        scale_x, scale_y = page.width / sureness.shape[1], page.height / sureness.shape[0]
        lines = [scaled(region, scale_x, scale_y) for region in regions if region is not None]
        if len(lines) > LINES_MAX:
            raise InputError(
                f"`image` shows {len(lines)} lines, more than {LINES_MAX}", fields_invalid=["image"]
            )
        return sorted(lines, key=lambda line: (line.middle, line.x))

    def _look_at(self, page: Image.Image) -> Any:
        """How surely each pixel belongs to a line, 0 to 1."""
        shrink = min(1.0, SIDE_MAX / max(page.size))
        width, height = (max(1, round(side * shrink / SIDE_STEP)) * SIDE_STEP for side in page.size)
        batch = as_input(page.resize((width, height), Image.Resampling.BILINEAR))
        return self._network.run(None, {self._input: batch})[0][0, 0]


def as_input(picture: Image.Image) -> Any:
    """A grey picture as both networks want it: a batch of one, three equal colours, -1 to 1."""
    grey = numpy.asarray(picture, dtype=numpy.float32) / 127.5 - 1
    return numpy.broadcast_to(grey, (1, 3, *grey.shape)).copy()


def region_of(sureness: Any, marked: Any, number: int, place: tuple[slice, slice]) -> Optional[Region]:
    """The line around the pixels with this number; None when they are too few or too unsure to be one."""
    rows, columns = place
    width, height = columns.stop - columns.start, rows.stop - rows.start
    own = marked[place] == number
    if min(width, height) < PIXELS_HIGH_MIN or sureness[place][own].mean() < LINE_SURE:
        return None
    down, across = numpy.nonzero(own)
    slope = float(numpy.polyfit(across, down, 1)[0]) if width > LENGTH_PER_HEIGHT_MIN * height else 0.0
    level = down - slope * across
    top, bottom = float(level.min()), float(level.max()) + 1
    margin = width * (bottom - top) * GROWTH / (2 * (width + bottom - top))
    x = columns.start - margin
    y = rows.start + top - slope * margin - margin
    return Region(x, y, width + 2 * margin, bottom - top + 2 * margin, slope)


def scaled(region: Region, scale_x: float, scale_y: float) -> Region:
    x, y, width, height, slope = region
    return Region(x * scale_x, y * scale_y, width * scale_x, height * scale_y, slope * scale_y / scale_x)


def cut_out(page: Image.Image, line: Region) -> Image.Image:
    """The line alone, level. What lies outside the page is white."""
    size = max(1, round(line.width)), max(1, round(line.height))
    slanted = (1, 0, line.x, line.slope, 1, line.y)
    return page.transform(
        size, Image.Transform.AFFINE, slanted, resample=Image.Resampling.BICUBIC, fillcolor=255
    )
