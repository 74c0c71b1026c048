"""What every report is made of: templates and the style beside this module, and pictures as addresses."""

from __future__ import annotations

import base64
from pathlib import Path
from string import Template

from hardpoint.errors import InputError

MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def template(name: str) -> Template:
    return Template(Path(__file__).with_name(name).read_text(encoding="utf-8"))


STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def address_of(picture: bytes, field: str) -> str:
    """The picture as an address that holds all of it."""
    for magic, media_type in MEDIA_TYPES.items():
        if picture.startswith(magic):
            return f"data:{media_type};base64,{base64.b64encode(picture).decode('ascii')}"
    raise InputError(f"`{field}` is neither PNG nor JPEG", fields_invalid=[field])
