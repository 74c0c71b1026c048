"""Finds faces in a picture with the cascade that scikit-image carries in its own package.

Owns the decision which windows are faces. Knows nothing about drawing or reports: a face leaves here
as four numbers in pixels. The reading of a picture stands below the plugin, the geometry in `boxes`.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path
from typing import Any, Optional

import numpy
from PIL import Image, ImageOps, UnidentifiedImageError
from skimage.feature import Cascade

from boxes import Box, Sighting, settle
from hardpoint import Context, Plugin, tool
from hardpoint.errors import InputError, ModelMissing

MODEL_PATH_IN_PACKAGE = "data/lbpcascade_frontalface_opencv.xml"
MODEL_BYTES_MIN = 10_000
MODEL_BYTES_MAX = 1_000_000
MODEL_MAGIC = b"<?xml"

# A scan at one step width sees faces that are not there. Windows that most scans agree on are faces.
SCANS = [(scale, step) for scale in (1.1, 1.15, 1.2, 1.25) for step in (1.0, 1.5)]
NEIGHBOURS_MIN = 4
AGREEMENT_MIN = 0.8

WINDOW_SIDE_MIN = 24  # the cascade was trained on windows of 24 x 24 pixels
PIXELS_MAX = 40_000_000  # 120 MB as RGB: what one call may hold within the memory limit


class FacesPlugin(Plugin):
    """Finds upright, frontal faces."""

    name = "faces"
    version = "1.0.0"
    description = "Finds faces in a picture."

    def initialize(self, config: dict[str, Any]) -> None:
        self._model_path = locate_model()

    def validate(self) -> None:
        """Refuses to serve without a usable model, so that a caller hears it before the first call."""
        check_model(self._model_path)
        self._cascade = Cascade(str(self._model_path))

    @tool
    def detect(
        self,
        image: bytes,
        min_size: int = 48,
        max_size: Optional[int] = None,
        *,
        ctx: Context,
    ) -> dict[str, Any]:
        """Find the faces in a picture (PNG, JPEG or anything else that Pillow reads).

        `min_size` and `max_size` bound the width of a face in pixels; without `max_size` a face may
        fill the picture. Faces come from left to right, each with the share of scans that saw it.
        """
        pixels = read_pixels(image)
        height, width = pixels.shape[:2]
        side_min, side_max = window_sides(min_size, max_size, shorter_side=min(width, height))
        faces: list[Sighting] = []
        if side_min <= side_max:
            faces = settle(self._scan(pixels, side_min, side_max, ctx), AGREEMENT_MIN)
        ctx.info(f"{len(faces)} face(s) in a picture of {width} x {height}")
        return {
            "faces": [face.box.as_dict() | {"agreement": face.agreement} for face in faces],
            "count": len(faces),
            "image_width": width,
            "image_height": height,
        }

    def _scan(self, pixels: Any, side_min: int, side_max: int, ctx: Context) -> list[list[Box]]:
        """One list of windows for each scan; asks between scans whether the caller still wants them."""
        scans: list[list[Box]] = []
        for number, (scale_factor, step_ratio) in enumerate(SCANS, start=1):
            ctx.check_cancel()
            windows = self._cascade.detect_multi_scale(
                img=pixels,
                scale_factor=scale_factor,
                step_ratio=step_ratio,
                min_size=(side_min, side_min),
                max_size=(side_max, side_max),
                min_neighbor_number=NEIGHBOURS_MIN,
            )
            scans.append([Box(int(w["c"]), int(w["r"]), int(w["width"]), int(w["height"])) for w in windows])
            ctx.progress(number / len(SCANS), f"scan {number} of {len(SCANS)}")
        return scans


def read_pixels(image: bytes) -> Any:
    """The picture as RGB rows, turned the way its camera says it was held."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(image)) as picture:
                if picture.width * picture.height > PIXELS_MAX:
                    raise InputError(
                        f"the picture has {picture.width} x {picture.height} pixels, more than {PIXELS_MAX}",
                        fields_invalid=["image"],
                    )
                upright = ImageOps.exif_transpose(picture).convert("RGB")
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError("`image` is not a picture of a known format", fields_invalid=["image"]) from error
    except Exception as error:  # Pillow raises a different type for nearly every kind of damage
        raise InputError(f"`image` is a damaged picture: {error}", fields_invalid=["image"]) from error
    return numpy.asarray(upright)


def window_sides(min_size: int, max_size: Optional[int], shorter_side: int) -> tuple[int, int]:
    """The smallest and the largest window to look for in a picture with this shorter side."""
    if min_size < WINDOW_SIDE_MIN:
        raise InputError(f"`min_size` is below {WINDOW_SIDE_MIN} pixels", fields_invalid=["min_size"])
    if max_size is not None and max_size < min_size:
        raise InputError("`max_size` is below `min_size`", fields_invalid=["min_size", "max_size"])
    return min_size, min(max_size or shorter_side, shorter_side)


def locate_model() -> Path:
    """Where the cascade lies in this environment. Looks the package up without importing it again."""
    spec = importlib.util.find_spec("skimage")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise ModelMissing("the package scikit-image, which carries the face model, is not installed")
    return Path(folders[0]) / MODEL_PATH_IN_PACKAGE


def check_model(path: Path) -> None:
    """Tells a real cascade from a missing, truncated or placeholder file. Reads only its first bytes."""
    if not path.is_file():
        raise ModelMissing(f"the face model is not there: {path}")
    size_bytes = path.stat().st_size
    if not MODEL_BYTES_MIN <= size_bytes <= MODEL_BYTES_MAX:
        raise ModelMissing(f"the face model has an implausible size of {size_bytes} bytes: {path}")
    with path.open("rb") as file:
        if file.read(len(MODEL_MAGIC)) != MODEL_MAGIC:
            raise ModelMissing(f"the face model is not an XML file: {path}")
