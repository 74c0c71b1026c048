"""Tools for images and for videos, as clients of the forgesyte contract hand them in.

Promise: each says what it was given; `wait` is done when a file appears beside its video.
Expected exit reason: own stop.
"""
