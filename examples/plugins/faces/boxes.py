"""Boxes in a picture: how much two overlap, and which of many overlapping ones stand for a face.

Pure arithmetic on pixels; knows no picture and no model.
"""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

# Two windows around the same face overlap by more than this (shared area / covered area).
OVERLAP_SAME = 0.35


class Box(NamedTuple):
    """A rectangle in pixels; x and y are its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def area(self) -> int:
        return self.width * self.height

    def overlap(self, other: Box) -> float:
        """Shared area divided by covered area: 1 for equal boxes, 0 for boxes apart."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def contains_centre_of(self, other: Box) -> bool:
        centre_x, centre_y = other.x + other.width / 2, other.y + other.height / 2
        return self.x <= centre_x < self.x + self.width and self.y <= centre_y < self.y + self.height

    def as_dict(self) -> dict[str, int]:
        return self._asdict()


class Sighting(NamedTuple):
    """A box and the share of scans that saw it."""

    box: Box
    agreement: float


def settle(scans: list[list[Box]], agreement_min: float) -> list[Sighting]:
    """The faces that enough scans agree on, one box each, from left to right."""
    candidates = [sighting for sighting in gather(scans) if sighting.agreement >= agreement_min]
    return sorted(suppress(candidates), key=lambda sighting: sighting.box)


def gather(scans: list[list[Box]]) -> list[Sighting]:
    """Puts the windows of all scans into groups that lie over each other; a group becomes its median box."""
    groups: list[list[tuple[int, Box]]] = []
    # Sorted, because the scanner works in parallel and returns its windows in any order.
    for scan, box in sorted((scan, box) for scan, boxes in enumerate(scans) for box in boxes):
        home = max(groups, key=lambda group: group[0][1].overlap(box), default=None)
        if home is not None and home[0][1].overlap(box) > OVERLAP_SAME:
            home.append((scan, box))
        else:
            groups.append([(scan, box)])
    return [
        Sighting(
            Box(*(round(median(box[side] for _, box in group)) for side in range(4))),
            len({scan for scan, _ in group}) / len(scans),
        )
        for group in groups
    ]


def suppress(candidates: list[Sighting]) -> list[Sighting]:
    """Non-maximum suppression: the best of every bundle stays, whatever lies over it goes."""
    kept: list[Sighting] = []
    best_first = sorted(
        candidates, key=lambda sighting: (-sighting.agreement, -sighting.box.area, sighting.box)
    )
    for candidate in best_first:
        rivals = (rival.box for rival in kept)
        if not any(
            rival.overlap(candidate.box) > OVERLAP_SAME or rival.contains_centre_of(candidate.box)
            for rival in rivals
        ):
            kept.append(candidate)
    return kept
