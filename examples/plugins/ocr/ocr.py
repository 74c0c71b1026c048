"""Reads the text of a page with two small neural networks: one finds lines, one reads them.

Owns the tool and what may go wrong with its input. Knows nothing about paragraphs: lines leave here as they
lie on the page. The networks and what they answer stand in `models`, `finding` and `reading`.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, TypedDict

from PIL import Image, UnidentifiedImageError

from finding import Finder, Region, cut_out
from hardpoint import Context, Plugin, tool
from hardpoint.errors import InputError
from models import FINDS_LINES, READS_LINES, load_model
from reading import Reader, Reading

PIXELS_MAX = 20_000_000
SIDE_MIN = 16


class Line(TypedDict):
    """A line of text. `x` and `y` are its upper left corner; it falls by `slope` pixels per pixel."""

    x: int
    y: int
    width: int
    height: int
    slope: float
    text: str
    score: float


class Text(TypedDict):
    """What a page says."""

    lines: list[Line]
    image_width: int
    image_height: int


class OcrPlugin(Plugin):
    """Reads printed text."""

    name = "ocr"
    version = "1.0.0"
    description = "Reads the text of a page, line by line."

    def initialize(self, config: dict[str, Any]) -> None:
        self._finder = Finder(load_model(FINDS_LINES))
        self._reader = Reader(load_model(READS_LINES))

    def validate(self) -> None:
        """Runs both networks once over nothing: whether they can is known before the first call."""
        self._finder.find(Image.new("L", (SIDE_MIN, SIDE_MIN), 255))
        self._reader.check()

    @tool
    def read(self, image: bytes, score_min: float = 0.5, *, ctx: Context) -> Text:
        """Read the text of a page (PNG, JPEG or anything else that Pillow reads), dark on light.

        Lines come from top to bottom. What is read with a score below `score_min` is left out.
        """
        if not 0 <= score_min <= 1:
            raise InputError("`score_min` is not between 0 and 1", fields_invalid=["score_min"])
        page = read_picture(image)
        ctx.progress(0.0, "looking for lines")
        regions = self._finder.find(page)
        lines: list[Line] = []
        for number, region in enumerate(regions, start=1):
            ctx.check_cancel()
            reading = self._reader.read(cut_out(page, region))
            if reading.text and reading.score >= score_min:
                lines.append(line_of(region, reading))
            ctx.progress(number / len(regions), f"line {number} of {len(regions)}")
        ctx.info(f"{len(lines)} of {len(regions)} line(s) read, on {page.width} x {page.height} pixels")
        return {"lines": lines, "image_width": page.width, "image_height": page.height}


def line_of(region: Region, reading: Reading) -> Line:
    return {
        "x": round(region.x),
        "y": round(region.y),
        "width": round(region.width),
        "height": round(region.height),
        "slope": round(region.slope, 4),
        "text": reading.text,
        "score": round(reading.score, 3),
    }


def read_picture(image: bytes) -> Image.Image:
    """The picture in grey."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(image)) as picture:
                width, height = picture.size
                if width * height > PIXELS_MAX:
                    raise InputError(
                        f"the picture has {width} x {height} pixels, more than {PIXELS_MAX}",
                        fields_invalid=["image"],
                    )
                if min(width, height) < SIDE_MIN:
                    raise InputError(
                        f"the picture has {width} x {height} pixels, fewer than {SIDE_MIN} on a side",
                        fields_invalid=["image"],
                    )
                return picture.convert("L")
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError("`image` is not a picture of a known format", fields_invalid=["image"]) from error
    except Exception as error:  # Pillow raises a different type for nearly every kind of damage
        raise InputError(f"`image` is a damaged picture: {error}", fields_invalid=["image"]) from error
