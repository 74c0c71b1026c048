"""What stands between a photograph of paper and black text on white: shadows, grey ink, a page that leans.

Pure arithmetic on rows of grey pixels; knows no file and no format. Ink is dark, paper is light.
"""

from __future__ import annotations

from typing import Any

import numpy
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

# Strokes are narrower than this share of the page's longer side; whatever is wider is a shadow.
STROKE_SHARE = 1 / 40
STROKE_PIXELS_MIN = 16
# How steep grey becomes around the threshold. Edges stay a little soft: a reader wants curves, not stairs.
STEEPNESS = 2.0

LEAN_DEGREES_MAX = 5.0
LEAN_DEGREES_STEP = 0.25
LEAN_SIDE = 600  # pixels; a page this small shows how much it leans, and is quickly turned 41 times


def without_shadows(pixels: Any) -> Any:
    """The page as if it was lit evenly: each pixel against the paper around it."""
    stroke = max(STROKE_PIXELS_MIN, round(max(pixels.shape) * STROKE_SHARE))
    paper = ndimage.grey_closing(pixels, size=(stroke, stroke))
    paper = ndimage.gaussian_filter(paper.astype(numpy.float32), sigma=stroke / 3)
    return numpy.clip(pixels / numpy.maximum(paper, 1) * 255, 0, 255).astype(numpy.uint8)


def black_on_white(pixels: Any) -> Any:
    """Ink becomes black and paper white, by Otsu's threshold. An empty page becomes white."""
    if pixels.min() == pixels.max():
        return numpy.full_like(pixels, 255)
    contrast = (pixels - numpy.float32(threshold_otsu(pixels))) * STEEPNESS + 128
    return numpy.clip(contrast, 0, 255).astype(numpy.uint8)


def lean_degrees(pixels: Any) -> float:
    """By how many degrees the page has to be turned, counter-clockwise, until its lines lie level."""
    small = Image.fromarray(255 - pixels)
    small.thumbnail((LEAN_SIDE, LEAN_SIDE))
    steps = round(LEAN_DEGREES_MAX / LEAN_DEGREES_STEP)
    turns = sorted((step * LEAN_DEGREES_STEP for step in range(-steps, steps + 1)), key=abs)
    # Of equal turns the first wins: an empty page stays as it is.
    return max(turns, key=lambda turn: contrast_of_rows(small.rotate(turn, Image.Resampling.BILINEAR)))


def contrast_of_rows(ink: Image.Image) -> float:
    """Large where rows full of ink lie beside rows without any, as they do when lines lie level."""
    profile = numpy.asarray(ink, dtype=numpy.float64).sum(axis=1)
    return float((numpy.diff(profile) ** 2).sum())


def turned(pixels: Any, degrees: float) -> Any:
    """The page turned about its middle; what comes in at the corners is white."""
    page = Image.fromarray(pixels)
    return numpy.asarray(page.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255))
