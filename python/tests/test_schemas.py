"""Annotations to schemas, on every Python."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import pathlib
import typing
from typing import (  # noqa: F401, I001 (the annotations below are strings)
    Annotated,
    Any,
    Dict,
    Iterator,
    List,
    Literal,
    NewType,
    Optional,
    Sequence,
    Tuple,
    TypedDict,
    Union,
)  # fmt: skip

import pytest

from hardpoint import Context, InputError, Plugin, tool
from hardpoint._worker.calls import Call
from hardpoint._worker.tools import ToolError, tools_of

BYTES = {
    "type": "object", "format": "bytes", "minProperties": 1, "maxProperties": 1,
    "patternProperties": {"^\\$(bytes|blob)$": {}}, "additionalProperties": False,
}  # fmt: skip


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Box:
    left: int
    label: str = "x"
    color: Color = Color.RED


class Row(TypedDict, total=False):
    name: str
    count: int


UserId = NewType("UserId", int)

SCHEMAS: list[tuple[Any, dict]] = [
    ("str", {"type": "string"}), ("int", {"type": "integer"}), ("float", {"type": "number"}),
    ("bool", {"type": "boolean"}), ("None", {"type": "null"}), ("Any", {}), ("object", {}),
    ("bytes", BYTES), ("bytearray", BYTES), ("memoryview", BYTES),
    ("list", {"type": "array"}), ("list[int]", {"type": "array", "items": {"type": "integer"}}),
    ("List[str]", {"type": "array", "items": {"type": "string"}}), ("Sequence[int]", {"type": "array", "items": {"type": "integer"}}),
    ("dict", {"type": "object"}), ("dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
    ("Dict[str, Any]", {"type": "object"}), ("tuple", {"type": "array"}),
    ("tuple[int, str]", {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2}),
    ("Tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
    ("Optional[int]", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    ("Union[int, str]", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    ("int | None", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    ("list[int | None]", {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}),
    ("Literal['a', 2]", {"enum": ["a", 2]}), ("Color", {"enum": ["red", "blue"]}), ("UserId", {"type": "integer"}),
    ("Annotated[int, 'how many']", {"type": "integer", "description": "how many"}),
    ("Box", {"type": "object", "properties": {"left": {"type": "integer"}, "label": {"type": "string", "default": "x"},
             "color": {"enum": ["red", "blue"]}}, "required": ["left"], "additionalProperties": False}),
    ("Row", {"type": "object", "properties": {"name": {"type": "string"}, "count": {"type": "integer"}}, "additionalProperties": False}),
    ("datetime.date", {"type": "string", "format": "date"}), ("pathlib.Path", {"type": "string", "format": "path"}),
    ("set[str]", {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
    ("typing.Mapping[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
]  # fmt: skip

VALUES: list[tuple[str, Any, Any]] = [
    ("int", 1, 1), ("int", 1.0, 1), ("float", 1, 1), ("bytearray", b"a", bytearray(b"a")), ("tuple[int, str]", [1, "a"], (1, "a")),
    ("Optional[int]", None, None), ("Color", "red", Color.RED), ("list[Color]", ["blue"], [Color.BLUE]),
    ("Box", {"left": 1, "color": "blue"}, Box(1, "x", Color.BLUE)), ("dict[str, Box]", {"a": {"left": 2}}, {"a": Box(2)}),
    ("Optional[Box]", {"left": 3}, Box(3)), ("Optional[Box]", None, None), ("Row", {"name": "a"}, {"name": "a"}),
    ("datetime.date", "2025-01-02", datetime.date(2025, 1, 2)), ("pathlib.Path", "/a", pathlib.Path("/a")),
    ("Union[Box, str]", "a", "a"), ("Literal['a', 2]", 2, 2), ("set[str]", ["a", "a"], {"a"}),
]  # fmt: skip

REFUSED: list[tuple[str, Any]] = [
    ("int", "1"), ("int", 1.5), ("int", True), ("str", 1), ("Color", "green"), ("Box", {"label": "a"}), ("Box", {"left": 1, "z": 2}),
    ("Box", {"left": "a"}), ("tuple[int, str]", [1]), ("Optional[int]", "a"), ("bytes", "a"), ("datetime.date", "soon"), ("list[int]", "a"),
]  # fmt: skip


def tool_with(annotation: str) -> Any:
    def run(self, value):
        return value

    run.__annotations__ = {"value": annotation, "return": annotation}
    return tools_of(type("P", (Plugin,), {"run": tool(run)}))["run"]


def arguments(annotation: str, value: Any) -> Any:
    return tool_with(annotation).arguments(Call(1, None, {"value": value}), lambda call: call)["value"]


@pytest.mark.parametrize("annotation,schema", SCHEMAS)
def test_annotations_become_schemas(annotation, schema):
    made = tool_with(annotation)
    assert made.input_schema["properties"]["value"] == schema
    assert made.output_schema == schema
    json.dumps(made.describe())


@pytest.mark.parametrize("annotation,value,expected", VALUES)
def test_arguments_are_built(annotation, value, expected):
    got = arguments(annotation, value)
    assert got == expected and type(got) is type(expected)


@pytest.mark.parametrize("annotation,value", REFUSED)
def test_arguments_that_do_not_fit_are_named(annotation, value):
    with pytest.raises(InputError) as caught:
        arguments(annotation, value)
    assert caught.value.fields_invalid == ["value"]


def test_a_tool_is_described():
    class P(Plugin):
        @tool(timeout_seconds=5, name="cut")
        async def crop(
            self, image: bytes, ctx: Context, size: Annotated[int, "pixels"] = 3, *, color: Color = Color.RED
        ) -> str:
            """Cut a piece out.

            With care.
            """

        @tool
        def free(self, a, **rest): ...

        @tool
        def stream(
            self, n: int = 1, m: Optional[typing.List[int]] = None, c: Optional[Context] = None
        ) -> Iterator[str]:
            yield ""

    tools = tools_of(P)
    cut = tools["cut"].describe()
    assert cut["description"] == "Cut a piece out.\n\nWith care."
    assert cut["timeout_seconds"] == 5.0 and cut["streaming"] is False
    assert cut["input_schema"]["required"] == ["image"]
    assert list(cut["input_schema"]["properties"]) == ["image", "size", "color"]
    assert cut["input_schema"]["properties"]["size"] == {
        "type": "integer",
        "description": "pixels",
        "default": 3,
    }
    assert cut["input_schema"]["properties"]["color"]["default"] == "red"
    assert tools["free"].input_schema == {"type": "object", "properties": {"a": {}}, "required": ["a"]}
    stream = tools["stream"]
    assert stream.describe()["streaming"] and stream.output_schema == {"type": "string"}
    assert list(stream.input_schema["properties"]) == ["n", "m"] and "required" not in stream.input_schema


def test_an_overridden_method_without_the_mark_is_no_tool():
    class A(Plugin):
        @tool
        def one(self): ...

        @tool
        def two(self): ...

    class B(A):
        def one(self): ...

    assert list(tools_of(B)) == ["two"]


def test_annotations_without_a_schema_are_refused():
    for annotation in ("complex", "dict[int, str]", "typing.Callable[[], int]", "Nowhere"):
        with pytest.raises(ToolError, match="parameter `value`"):
            tool_with(annotation)
