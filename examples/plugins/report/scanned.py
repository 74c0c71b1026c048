"""Writes the report about a page that was read: the picture with its lines outlined, beside what they say."""

from __future__ import annotations

import json
from html import escape
from typing import TypedDict

from hardpoint.errors import InputError
from parts import STYLE, address_of, template

PAGE = template("scanned.html")
# Below this score somebody should look at the picture.
SURE = 0.9


class Line(TypedDict):
    """A line of text. `x` and `y` are its upper left corner; it falls by `slope` pixels per pixel."""

    x: int
    y: int
    width: int
    height: int
    slope: float
    text: str
    score: float


class Statistics(TypedDict):
    """Figures about a text."""

    lines: int
    paragraphs: int
    words: int
    characters: int
    words_joined: int
    score_mean: float


class Report(TypedDict):
    """A page for people, the same facts for programs, one sentence for a terminal."""

    html: bytes
    json: str
    summary: str


def report_on(
    image: bytes,
    size: tuple[int, int],
    lines: list[Line],
    paragraphs: list[str],
    statistics: Statistics,
    title: str,
) -> Report:
    """The whole report. `size` is that of the picture in which the lines were found."""
    if min(size) < 1:
        fields = ["image_width", "image_height"]
        raise InputError(f"the picture is empty: {size[0]} x {size[1]}", fields_invalid=fields)
    picture = address_of(image, field="image")
    summary = summarise(lines, statistics)
    page = PAGE.substitute(
        title=escape(title),
        summary=escape(summary),
        style=STYLE,
        picture=picture,
        width=size[0],
        height=size[1],
        outlines="\n".join(outline_of(line) for line in lines),
        paragraphs="\n".join(f"<p>{escape(text)}</p>" for text in paragraphs) or "<p>Nothing.</p>",
        rows="\n".join(row_of(number, line) for number, line in enumerate(lines, start=1))
        or '<tr><td colspan="4" class="none">No line of text on this page.</td></tr>',
    )
    facts = {
        "title": title,
        "summary": summary,
        "paragraphs": paragraphs,
        "lines": lines,
        "statistics": statistics,
    }
    return {
        "html": page.encode("utf-8"),
        "json": json.dumps(facts, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False),
        "summary": summary,
    }


def outline_of(line: Line) -> str:
    """The parallelogram around a line; a pointer on it shows what was read."""
    left, right, fall = line["x"], line["x"] + line["width"], line["slope"] * line["width"]
    top, bottom = line["y"], line["y"] + line["height"]
    corners = [(left, top), (right, top + fall), (right, bottom + fall), (left, bottom)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    text = f"<title>{escape(line['text'])}</title>"
    return f'<polygon class="{kind_of(line)}" points="{points}">{text}</polygon>'


def row_of(number: int, line: Line) -> str:
    place = f'<td class="place">{line["x"]}, {line["y"]}</td>'
    score = f'<td class="{kind_of(line)}">{line["score"]:.0%}</td>'
    return f"<tr><td>{number}</td><td>{escape(line['text'])}</td>{place}{score}</tr>"


def kind_of(line: Line) -> str:
    return "sure" if line["score"] >= SURE else "unsure"


def summarise(lines: list[Line], statistics: Statistics) -> str:
    """One sentence, for a terminal or the subject of a mail."""
    if not lines:
        return "no text found"
    words, unsure = statistics["words"], sum(kind_of(line) == "unsure" for line in lines)
    found = f"{words} word{'s' * (words != 1)} in {len(lines)} line{'s' * (len(lines) != 1)}"
    doubt = f", {unsure} of them unsure" if unsure else ""
    return f"{found} read{doubt}, mean score {statistics['score_mean']:.0%}"
