"""Plugins of the forgesyte contract that need nothing besides the standard library.

Promise: each of them runs unmodified, in an environment without pydantic too. Expected exit reason: own stop.
"""
