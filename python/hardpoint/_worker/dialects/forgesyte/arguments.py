"""Arguments as plugins of this contract expect them.

Owns: bytes out of base64, the names that the old host's doors changed, the progress callback. Must not
know: schemas and results.
"""

from __future__ import annotations

from hardpoint.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardpoint._context import Context
    from hardpoint._worker.calls import Call

__all__ = ["InvalidArgument", "for_analyze", "for_tool"]

# A name of the host's; what a client gives under it is dropped.
_CALLBACK = "progress_callback"
_IMAGES = ("image_bytes", "image_base64", "image", "frame")


class InvalidArgument(InputError):
    """An argument that cannot be what it should be."""


def for_tool(call: Call, ctx: Context, args: dict[str, Any], binary: set[str]) -> dict[str, Any]:
    """The `args` of `run_tool`."""
    given = dict(args)
    given.pop(_CALLBACK, None)
    if call.job is None:
        # A direct call is what a tool run over REST was, with what that door did.
        if "frame_base64" in given:
            given["frame"] = given.pop("frame_base64")
        for name in ("device", "annotated"):
            if name in given and given[name] is None:
                del given[name]
    elif "video_path" in given:
        given[_CALLBACK] = _progress(ctx)
    for name in binary:
        if isinstance(given.get(name), str):
            given[name] = decoded(name, given[name])
    return given


def decoded(name: str, text: str) -> bytes:
    """The bytes of a base64 text; `InvalidArgument` names the argument."""
    import base64

    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise InvalidArgument(f"`{name}` is not valid base64: {error}", fields_invalid=[name]) from None


def _progress(ctx: Context) -> Any:
    def progress_callback(current: Any, total: Any = None, *_more: Any, **_named: Any) -> None:
        # Whatever it is given, it neither raises nor waits.
        try:
            known = total is not None and total > 0
            message = f"{int(current)}/{int(total)}" if known else f"{int(current)}"
            ctx.progress(current / total if known else None, message)
        except Exception:
            return

    return progress_callback


def for_analyze(given: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The image and the options of `analyze`."""
    image: Any = None
    for name in _IMAGES:
        image = given.get(name)
        if image is not None:
            image = decoded(name, image) if isinstance(image, str) else image
            break
    if not isinstance(image, bytes):
        listed = ", ".join(_IMAGES)
        raise InvalidArgument(f"an image is missing: give one of {listed}", fields_invalid=["image_bytes"])
    options = given.get("options")
    if options is None:
        options = {name: value for name, value in given.items() if name not in _IMAGES and name != "options"}
    if not isinstance(options, dict):
        raise InvalidArgument("`options` must be an object", fields_invalid=["options"])
    return image, options
