"""Takes the picture of a page and makes it readable: level lines, no shadows, black on white.

Owns what a picture may be and how large a page leaves here. What is done to the pixels stands in `paper`.
Knows nothing about letters.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path
from typing import Any, Optional, TypedDict

import numpy
from PIL import Image, ImageOps, UnidentifiedImageError

from hardpoint import Context, Plugin, tool
from hardpoint.errors import InputError
from paper import black_on_white, lean_degrees, turned, without_shadows

SAMPLE_IN_PACKAGE = "data/page.png"

PIXELS_MAX = 40_000_000  # what one call may hold within the memory limit
SIDE_MIN, SIDE_MAX = 64, 4096
# Without a wish a page leaves with its longer side between these: letters of 10 points are then 15 to 30
# pixels high, whether it came as a thumbnail or as a scan.
SIDE_USUAL_MIN, SIDE_USUAL_MAX = 900, 2400


class Clean(TypedDict):
    """A page that can be read."""

    image: bytes
    turned_degrees: float


class PagePlugin(Plugin):
    """Cleans the picture of a page."""

    name = "page"
    version = "1.0.0"
    description = "Cleans the picture of a page, so that it can be read."

    @tool
    def clean(
        self,
        image: Optional[bytes] = None,
        size: Optional[int] = None,
        straighten: bool = True,
        *,
        ctx: Context,
    ) -> Clean:
        """Make the picture of a page black on white, with level lines; the answer is a grey PNG.

        Without `image` it is the scanned page that scikit-image brings along. `size` is the longer side of
        the answer in pixels. With `straighten` the page is turned by up to 5 degrees, as far as it leans.
        """
        if size is not None and not SIDE_MIN <= size <= SIDE_MAX:
            raise InputError(f"`size` is not between {SIDE_MIN} and {SIDE_MAX}", fields_invalid=["size"])
        page = read_page(sample_page() if image is None else image)
        pixels = numpy.asarray(resized(page, size))
        ctx.progress(0.2, f"{page.width} x {page.height} pixels")
        ctx.check_cancel()
        pixels = black_on_white(without_shadows(pixels))
        ctx.progress(0.6, "shadows removed")
        ctx.check_cancel()
        degrees = lean_degrees(pixels) if straighten else 0.0
        if degrees:
            pixels = turned(pixels, degrees)
        ctx.info(f"a page of {pixels.shape[1]} x {pixels.shape[0]} pixels, turned by {degrees} degrees")
        return {"image": as_png(pixels), "turned_degrees": degrees}


def resized(page: Image.Image, size: Optional[int]) -> Image.Image:
    longer = max(page.size)
    wanted = size or min(max(longer, SIDE_USUAL_MIN), SIDE_USUAL_MAX)
    if wanted == longer:
        return page
    width, height = (max(1, round(side * wanted / longer)) for side in page.size)
    return page.resize((width, height), Image.Resampling.BICUBIC)


def sample_page() -> bytes:
    """The page that lies in the scikit-image package, which is looked up without importing it."""
    spec = importlib.util.find_spec("skimage")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / SAMPLE_IN_PACKAGE
        if path.is_file():
            return path.read_bytes()
    raise InputError("scikit-image brings no sample page: give an `image`", fields_invalid=["image"])


def read_page(image: bytes) -> Image.Image:
    """The picture in grey, turned the way its camera was held. Where it is transparent there is paper."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(image)) as picture:
                if picture.width * picture.height > PIXELS_MAX:
                    raise InputError(
                        f"the picture has {picture.width} x {picture.height} pixels, more than {PIXELS_MAX}",
                        fields_invalid=["image"],
                    )
                upright = ImageOps.exif_transpose(picture)
                if not upright.has_transparency_data:
                    return upright.convert("L")
                paper = Image.new("RGBA", upright.size, "white")
                paper.alpha_composite(upright.convert("RGBA"))
                return paper.convert("L")
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError("`image` is not a picture of a known format", fields_invalid=["image"]) from error
    except Exception as error:  # Pillow raises a different type for nearly every kind of damage
        raise InputError(f"`image` is a damaged picture: {error}", fields_invalid=["image"]) from error


def as_png(pixels: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()
