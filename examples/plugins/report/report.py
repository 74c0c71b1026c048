"""Writes reports: a page that needs no other file, the same facts as JSON, one sentence.

Owns the tools and the report about faces; the one about a page that was read stands in `scanned`. Knows
nothing about pictures beyond their first bytes. Everything that comes from outside is escaped.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from hardpoint import Plugin, tool
from hardpoint.errors import InputError
from parts import STYLE, address_of, template
from scanned import Line, Report, Statistics, report_on

PAGE = template("page.html")
BOX_SIDES = ("x", "y", "width", "height")


class ReportPlugin(Plugin):
    """Writes a self-contained report about what was found."""

    name = "report"
    version = "1.0.0"
    description = "Writes a self-contained report about what was found."

    @tool
    def render(
        self, annotated: bytes, faces: list[dict[str, Any]], count: int, title: str = "Faces found"
    ) -> dict[str, Any]:
        """Write the report: `html` (bytes), `json` (text) and `summary` (one sentence)."""
        picture = address_of(annotated, field="annotated")
        if count != len(faces):
            raise InputError(
                f"`count` says {count}, but there are {len(faces)} faces", fields_invalid=["count"]
            )
        rows = [row_of(number, face) for number, face in enumerate(faces, start=1)]
        summary = summarise(faces)
        page = PAGE.substitute(
            title=escape(title),
            summary=escape(summary),
            style=STYLE,
            picture=picture,
            rows="\n".join(rows) or '<tr><td colspan="4" class="none">No face in this picture.</td></tr>',
        )
        facts = {"title": title, "summary": summary, "count": count, "faces": faces}
        return {
            "html": page.encode("utf-8"),
            "json": json.dumps(facts, indent=2, sort_keys=True, allow_nan=False),
            "summary": summary,
        }

    @tool
    def render_text(
        self,
        image: bytes,
        image_width: int,
        image_height: int,
        lines: list[Line],
        paragraphs: list[str],
        statistics: Statistics,
        title: str = "What the page says",
    ) -> Report:
        """Write the report about a page that was read: the picture with its lines outlined, and the text."""
        return report_on(image, (image_width, image_height), lines, paragraphs, statistics, title)


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
