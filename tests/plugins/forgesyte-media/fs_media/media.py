"""Looks at images and counts the frames of videos."""

from __future__ import annotations

import os
import time
from typing import Any

IMAGE = {"image_bytes": {"type": "string", "format": "binary"}}
VIDEO = {"video_path": {"type": "string"}}


def tool(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "", "input_schema": schema, "output_schema": {}, "handler": "run_tool"}


class Plugin:
    name = "media"
    description = "Looks."
    tools = {
        "detect": tool(IMAGE),
        "detect_fine": tool(IMAGE),
        "refuse": tool(IMAGE),
        "die": tool(IMAGE),
        "hold": tool(IMAGE),
        "track": tool(VIDEO),
        "pose": tool(VIDEO),
        "wait": tool(VIDEO),
        "say": tool({"text": {"type": "string"}}),
    }

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return getattr(self, tool_name)(**args)

    def detect(self, **args: Any) -> Any:
        kinds = {name: type(value).__name__ for name, value in args.items()}
        return {"size": len(args["image_bytes"]), "kinds": kinds, "options": args.get("options")}

    def detect_fine(self, **args: Any) -> Any:
        return {"boxes": [[0, 0, 1, float("nan")]]}

    def refuse(self, **args: Any) -> Any:
        raise ValueError("there is nothing to be seen")

    def hold(self, image_bytes: bytes, options: dict[str, Any]) -> Any:
        """Holds everybody up until a file is there."""
        while not os.path.exists(options["until"]):
            time.sleep(0.01)
        return {"held": True}

    def die(self, **args: Any) -> Any:
        os._exit(7)

    def say(self, text: str) -> Any:
        return {"text": text}

    def track(self, video_path: str, progress_callback: Any = None) -> Any:
        frames = []
        for frame in range(1, 4):
            frames.append({"frame_idx": frame, "boxes": [frame]})
            if progress_callback:
                progress_callback(frame, 3)
        return {"frames": frames, "total_frames": 3, "size": os.path.getsize(video_path)}

    def pose(self, video_path: str, progress_callback: Any = None) -> Any:
        frames = [{"frame_index": frame, "points": [frame]} for frame in range(2, 5)]
        return {"success": True, "result": {"frames": frames}}

    def wait(self, video_path: str, progress_callback: Any = None) -> Any:
        progress_callback(1, 4)
        while not os.path.exists(video_path + ".go"):
            time.sleep(0.01)
        progress_callback(4, 4)
        return {"frames": []}
