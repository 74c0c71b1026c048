"""Schemas in the forms that plugins use."""

from __future__ import annotations

SCHEMA = {
    "image_bytes": {"type": "string", "format": "binary"},
    "mask": {"type": "bytes"},
    "device": {"type": "string", "default": "cpu"},
}
VIDEO = {"type": "object", "properties": {"video_path": {"type": "string"}}, "required": ["video_path"]}
