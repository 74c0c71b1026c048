"""Writes a report about found faces: a page that needs no other file, the same facts as JSON, one sentence.

Knows nothing about pictures beyond their first bytes. Everything that comes from outside is escaped.
"""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from hardpoint import Plugin, tool
from hardpoint.errors import InputError

PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
BOX_SIDES = ("x", "y", "width", "height")


class ReportPlugin(Plugin):
    """Writes a self-contained report about found faces."""

    name = "report"
    version = "1.0.0"
    description = "Writes a self-contained report about found faces."

    @tool
    def render(
        self, annotated: bytes, faces: list[dict[str, Any]], count: int, title: str = "Faces found"
    ) -> dict[str, Any]:
        """Write the report: `html` (bytes), `json` (text) and `summary` (one sentence)."""
        media_type = media_type_of(annotated)
        if count != len(faces):
            raise InputError(
                f"`count` says {count}, but there are {len(faces)} faces", fields_invalid=["count"]
            )
        rows = [row_of(number, face) for number, face in enumerate(faces, start=1)]
        summary = summarise(faces)
        page = PAGE.substitute(
            title=escape(title),
            summary=escape(summary),
            media_type=media_type,
            picture=base64.b64encode(annotated).decode("ascii"),
            rows="\n".join(rows) or '<tr><td colspan="4" class="none">No face in this picture.</td></tr>',
        )
        facts = {"title": title, "summary": summary, "count": count, "faces": faces}
        return {
            "html": page.encode("utf-8"),
            "json": json.dumps(facts, indent=2, sort_keys=True, allow_nan=False),
            "summary": summary,
        }


def media_type_of(picture: bytes) -> str:
    for magic, media_type in MEDIA_TYPES.items():
        if picture.startswith(magic):
            return media_type
    raise InputError("`annotated` is neither PNG nor JPEG", fields_invalid=["annotated"])


def row_of(number: int, face: dict[str, Any]) -> str:
    """One line of the table; a face without all four sides is the caller's mistake."""
    missing = [side for side in BOX_SIDES if not isinstance(face.get(side), int)]
    if missing:
        field = f"faces[{number - 1}]"
        raise InputError(f"`{field}` lacks {', '.join(missing)}", fields_invalid=[field])
    agreement = face.get("agreement")
    share = f"{agreement:.0%}" if isinstance(agreement, (int, float)) else "–"
    where = f"{face['x']}, {face['y']}"
    size = f"{face['width']} × {face['height']}"
    return f"<tr><td>{number}</td><td>{where}</td><td>{size}</td><td>{share}</td></tr>"


def summarise(faces: list[dict[str, Any]]) -> str:
    """One sentence, for a terminal or the subject of a mail."""
    if not faces:
        return "no face found"
    first = faces[0]
    noun = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
    place = f"{first['width']} x {first['height']} pixels at ({first['x']}, {first['y']})"
    return f"{noun} found: {place}" if len(faces) == 1 else f"{noun} found, the leftmost {place}"
