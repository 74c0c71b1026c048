"""Makes running text out of lines that were read from a page: order, paragraphs, words without hyphens.

Pure standard library. Knows where lines lie and what they say, and nothing of pictures and networks.
"""

from __future__ import annotations

import re
import unicodedata
from statistics import fmean, median
from typing import Any, TypedDict

from hardpoint import Plugin, tool
from hardpoint.errors import InputError

# A gap of more than this share of a line's height begins a paragraph.
GAP_SHARE = 0.5
HYPHENS = "-\u00ad\u00ac\u2010"
ENDS_IN_HYPHEN = re.compile(rf"\w[{HYPHENS}]$")
# What readers write although the page has the plain sign: full width, and ligatures.
LOOKS_DIFFERENT = re.compile("[\u3000\uff01-\uff5e\ufb00-\ufb06]")
WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
SIDES = ("x", "y", "width", "height")


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


class Tidied(TypedDict):
    """A text that can be read in one go."""

    text: str
    paragraphs: list[str]
    statistics: Statistics


class TextPlugin(Plugin):
    """Makes running text out of lines."""

    name = "text"
    version = "1.0.0"
    description = "Makes running text out of lines that were read."

    @tool
    def tidy(self, lines: list[Line]) -> Tidied:
        """Order the lines of a page in one column, join them to paragraphs and mend hyphenated words.

        Signs that only look different (full width, ligatures) become the usual ones.
        """
        for number, line in enumerate(lines):
            check(line, f"lines[{number}]")
        paragraphs, words_joined = [], 0
        for rows in split(rows_of(lines)):
            text, joined = run_on([clean(" ".join(line["text"] for line in row)) for row in rows])
            words_joined += joined
            if text:
                paragraphs.append(text)
        text = "\n\n".join(paragraphs)
        return {
            "text": text,
            "paragraphs": paragraphs,
            "statistics": {
                "lines": len(lines),
                "paragraphs": len(paragraphs),
                "words": len(WORD.findall(text)),
                "characters": len(text),
                "words_joined": words_joined,
                "score_mean": round(fmean(line["score"] for line in lines), 3) if lines else 0.0,
            },
        }


def check(line: Any, field: str) -> None:
    if line["width"] < 1 or line["height"] < 1:
        raise InputError(f"`{field}` is empty: {line['width']} x {line['height']}", fields_invalid=[field])
    if not 0 <= line["score"] <= 1:
        raise InputError(f"`{field}` has a score that is not between 0 and 1", fields_invalid=[field])


def middle_of(line: Line) -> float:
    """How far down the page the middle of a line is."""
    return line["y"] + (line["height"] + line["slope"] * line["width"]) / 2


def rows_of(lines: list[Line]) -> list[list[Line]]:
    """Pieces beside each other are one row, from left to right; rows go from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (middle_of(line), line["x"])):
        above = rows[-1][0] if rows else None
        if above and middle_of(line) - middle_of(above) < min(line["height"], above["height"]) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line["x"]) for row in rows]


def split(rows: list[list[Line]]) -> list[list[list[Line]]]:
    """Rows with a larger gap above them begin a paragraph."""
    if not rows:
        return []
    height = median(height_of(row) for row in rows)
    paragraphs = [[rows[0]]]
    for above, row in zip(rows, rows[1:]):
        heights = (height_of(above) + height_of(row)) / 2
        gap = middle_of(row[0]) - middle_of(above[0]) - heights
        if gap > GAP_SHARE * height:
            paragraphs.append([])
        paragraphs[-1].append(row)
    return paragraphs


def height_of(row: list[Line]) -> int:
    return max(line["height"] for line in row)


def clean(text: str) -> str:
    plain = LOOKS_DIFFERENT.sub(lambda sign: unicodedata.normalize("NFKC", sign[0]), text)
    return " ".join(plain.split())


def run_on(rows: list[str]) -> tuple[str, int]:
    """One text out of rows, and how many words were divided between two of them."""
    text, joined = "", 0
    for row in rows:
        if ENDS_IN_HYPHEN.search(text) and row[:1].islower():
            text, joined = text[:-1] + row, joined + 1
        else:
            text = f"{text} {row}".strip()
    return text, joined
