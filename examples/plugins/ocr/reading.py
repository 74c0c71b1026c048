"""Reads one line of text: a network says for every step along the line which letter it sees.

Knows nothing about pages: a line comes in cut out and level.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy
from PIL import Image

from finding import as_input
from hardpoint.errors import ModelMissing

# The network has seen lines of this height.
HEIGHT = 48
WIDTH_MIN = 16
WIDTH_MAX = 4800  # a hundred letters; a longer line is squeezed


class Reading(NamedTuple):
    """What a line says, and how sure the network is on average, 0 to 1."""

    text: str
    score: float


class Reader:
    """Reads lines with a network that was loaded before."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._input = network.get_inputs()[0].name
        alphabet = network.get_modelmeta().custom_metadata_map.get("character", "").split("\n")
        # The first sign means that there is none; the last is the space.
        self._signs = ["", *alphabet, " "]

    def check(self) -> None:
        """The network must have a sign for everything it can answer."""
        answers = self._answers(Image.new("L", (WIDTH_MIN, HEIGHT), 255)).shape[1]
        if answers != len(self._signs):
            raise ModelMissing(f"the network that reads has {answers} answers for {len(self._signs)} signs")

    def read(self, line: Image.Image) -> Reading:
        width = round(line.width * HEIGHT / line.height)
        size = min(max(width, WIDTH_MIN), WIDTH_MAX), HEIGHT
        answers = self._answers(line.resize(size, Image.Resampling.BILINEAR))
        best = answers.argmax(axis=1)
        # A sign that goes on over several steps is one sign; the same sign twice has a gap between.
        begins = numpy.append(True, best[1:] != best[:-1]) & (best != 0)
        text = "".join(self._signs[sign] for sign in best[begins])
        score = float(answers.max(axis=1)[begins].mean()) if text else 0.0
        return Reading(text.strip(), score)

    def _answers(self, picture: Image.Image) -> Any:
        """One row for each step along the line, one column for each sign."""
        return self._network.run(None, {self._input: as_input(picture)})[0][0]
