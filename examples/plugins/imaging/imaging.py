"""Cuts, shrinks and labels pictures with Pillow. Every picture that leaves here is a PNG.

Knows nothing about where boxes come from; `annotate` draws whatever boxes it is given.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

from PIL import Image, ImageColor, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from hardpoint import Context, Plugin, tool
from hardpoint.errors import InputError

PIXELS_MAX = 40_000_000
THUMBNAIL_SIDE_MAX = 4096
BOX_SIDES = ("x", "y", "width", "height")


class ImagingPlugin(Plugin):
    """Cuts, shrinks and labels pictures."""

    name = "imaging"
    version = "1.0.0"
    description = "Cuts, shrinks and labels pictures."

    @tool
    def crop(self, image: bytes, box: list[int]) -> bytes:
        """Cut `box` (x, y, width, height in pixels) out of a picture; the answer is a PNG."""
        picture = read_picture(image)
        x, y, width, height = check_box(box, picture.size, field="box")
        return as_png(picture.crop((x, y, x + width, y + height)))

    @tool
    def thumbnail(self, image: bytes, size: int = 256) -> bytes:
        """Shrink a picture until both sides fit into `size` pixels; a smaller one stays as it is."""
        if not 1 <= size <= THUMBNAIL_SIDE_MAX:
            raise InputError(f"`size` is not between 1 and {THUMBNAIL_SIDE_MAX}", fields_invalid=["size"])
        picture = read_picture(image)
        picture.thumbnail((size, size))
        return as_png(picture)

    @tool
    def annotate(
        self,
        image: bytes,
        faces: list[dict[str, Any]],
        label: str = "face",
        color: str = "#00e5a8",
        *,
        ctx: Context,
    ) -> dict[str, Any]:
        """Draw a numbered box around every face; the answer holds the picture as `annotated` (PNG)."""
        paint = check_color(color)
        picture = read_picture(image)
        draw = ImageDraw.Draw(picture)
        for number, face in enumerate(faces, start=1):
            ctx.check_cancel()
            sides = [face.get(side) for side in BOX_SIDES] if isinstance(face, dict) else face
            box = check_box(sides, picture.size, field=f"faces[{number - 1}]")
            draw_box(draw, picture.size, box, f"{label} {number}", paint)
            ctx.progress(number / len(faces), f"box {number} of {len(faces)}")
        return {
            "annotated": as_png(picture),
            "annotated_width": picture.width,
            "annotated_height": picture.height,
        }


def draw_box(
    draw: ImageDraw.ImageDraw,
    picture_size: tuple[int, int],
    box: tuple[int, int, int, int],
    text: str,
    paint: tuple[int, int, int],
) -> None:
    """A frame with a dark rim, so that it shows on any ground, and its label above it or inside."""
    x, y, width, height = box
    line = max(2, round(min(picture_size) / 170))
    outer = (x, y, x + width - 1, y + height - 1)
    rim = (x - 1, y - 1, x + width, y + height)
    draw.rectangle(rim, outline=(0, 0, 0), width=line + 2)
    draw.rectangle(outer, outline=paint, width=line)

    font = ImageFont.load_default(size=max(12, round(min(picture_size) / 32)))
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = line + 1
    label_width, label_height = right - left + 2 * pad, bottom - top + 2 * pad
    label_x = max(0, min(x, picture_size[0] - label_width))
    label_y = y - label_height if y >= label_height else y
    draw.rectangle((label_x, label_y, label_x + label_width, label_y + label_height), fill=paint)
    draw.text((label_x + pad - left, label_y + pad - top), text, font=font, fill=readable_on(paint))


def readable_on(paint: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black on light paint, white on dark paint."""
    red, green, blue = paint
    return (0, 0, 0) if 299 * red + 587 * green + 114 * blue > 128_000 else (255, 255, 255)


def check_color(color: str) -> tuple[int, int, int]:
    try:
        red, green, blue = ImageColor.getrgb(color)[:3]
    except ValueError as error:
        raise InputError(f"`color` is no colour: {color!r}", fields_invalid=["color"]) from error
    return red, green, blue


def check_box(box: Any, picture_size: tuple[int, int], field: str) -> tuple[int, int, int, int]:
    """Four whole numbers that describe a part of the picture, or an error that names the field."""
    if not isinstance(box, (list, tuple)) or len(box) != 4:
        raise InputError(f"`{field}` needs four numbers: x, y, width, height", fields_invalid=[field])
    if not all(isinstance(side, int) and not isinstance(side, bool) for side in box):
        raise InputError(f"`{field}` holds something that is not a whole number", fields_invalid=[field])
    x, y, width, height = box
    if width < 1 or height < 1:
        raise InputError(f"`{field}` is empty: {width} x {height}", fields_invalid=[field])
    if x < 0 or y < 0 or x + width > picture_size[0] or y + height > picture_size[1]:
        raise InputError(
            f"`{field}` reaches outside the picture of {picture_size[0]} x {picture_size[1]}",
            fields_invalid=[field],
        )
    return x, y, width, height


def read_picture(image: bytes) -> Image.Image:
    """The picture as RGB, turned the way its camera says it was held."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(image)) as picture:
                if picture.width * picture.height > PIXELS_MAX:
                    raise InputError(
                        f"the picture has {picture.width} x {picture.height} pixels, more than {PIXELS_MAX}",
                        fields_invalid=["image"],
                    )
                return ImageOps.exif_transpose(picture).convert("RGB")
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError("`image` is not a picture of a known format", fields_invalid=["image"]) from error
    except Exception as error:  # Pillow raises a different type for nearly every kind of damage
        raise InputError(f"`image` is a damaged picture: {error}", fields_invalid=["image"]) from error


def as_png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()
