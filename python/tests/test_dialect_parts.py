"""The pure parts of dialects: hashes, config checks, forms of schemas, versions."""

from __future__ import annotations

import json

import pytest

from hardpoint._worker.dialects.cjm.config import canonical_hash, defaults, mistakes, widened
from hardpoint._worker.dialects.forgesyte.preflight import _holds
from hardpoint._worker.dialects.forgesyte.schemas import (
    binary_names,
    input_types,
    open_schema,
    properties_of,
    type_words,
)

HASHES = [
    ("null", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ("{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ('{"b":1,"a":[1,2.0,null,true]}', "cad0b23918716709c31c4a177484dd1cce2f72c941ba5c3f5d35cd80b8c10d98"),
    ('{"x":"\\u2028","name":"caf\\u00e9"}', "7d9fb753f2d16c17f9d879c62680319debb26c70e5b9d45789455de892c6711c"),
    ('{"f":1.5e300,"g":0.1,"h":1e16,"i":100000000000000000000,"k":1e-7,"n":-0.0}',
     "e715935d5966a34247b0eef3b7c560dbbb84f87eee5163ec565a5115e2dd6e40"),
    ('{"ctl":"\\u0001\\n\\t\\"\\\\/\\u007f","emoji":"\\ud83d\\ude00"}',
     "24504bede6fbbc7f6f6a45e0cea62ea3c69a8d17074a6e3fd3f5f85ee242482b"),
    ('{"":0,"a":2,"z":{"a":1,"b":2},"\\u00c9":1,"\\ufffd":4,"\\ud83d\\ude00":3}',
     "09db803011714053d53d8207cf5ddd1e4c8ee0aec6fa0291fa7eef9b4e3d5db9"),
    ('{"init_sleep":0,"tag":"x"}', "a73f77508314ce85ff667a6108f9d3852e3c311172773a807c036a5036d064e4"),
    ('{"init_sleep":0.0,"tag":"x"}', "b5bffebab7fcb6bf097418101367f33a6cbbdc8c315dff1b14dc50690dce2042"),
    ('{"i":Infinity,"m":-Infinity,"n":NaN}', "95d375456607c10f29e29703638ee8a4fe661559266abbf7e18b6c20fb60c76a"),
]  # fmt: skip


@pytest.mark.parametrize("text,expected", HASHES)
def test_a_schema_is_hashed_as_manifests_do(text, expected):
    assert canonical_hash(json.loads(text)) == f"sha256:{expected}"


CONFIGS = [
    ({"type": "integer"}, 3, True), ({"type": "integer"}, 3.0, True), ({"type": "integer"}, 3.5, False),
    ({"type": "integer"}, True, False), ({"type": "number"}, 3, True), ({"type": "boolean"}, 0, False),
    ({"type": ["string", "null"]}, None, True), ({"type": "string"}, None, False), ({}, object, True),
    ({"type": "string", "default": {}}, {"a": 1}, True), ({"type": "string", "default": {}}, [], False),
    ({"type": "string", "default": None}, None, True), ({"type": "number", "default": 1}, 2.5, True),
    ({"type": "array", "items": {"type": "string"}}, ["a"], True),
    ({"type": "array", "items": {"type": "string"}}, ["a", 1], False),
    ({"enum": ["a"], "default": "b"}, "b", True), ({"enum": ["a"]}, "c", False),
    ({"minimum": 1}, 0.5, False), ({"maximum": 1}, 1, True), ({"minLength": 1}, "", False),
    ({"pattern": "a+"}, "aab", True), ({"pattern": "a+"}, "baa", False), ({"format": "date"}, "2026-13-01", False),
    ({"format": "date-time"}, "2026-01-02T03:04:05Z", True), ({"format": "uri"}, "https://a", True),
    ({"format": "uri"}, "not one", False), ({"format": "ipv4"}, "1.2.3.4", True), ({"format": "ipv4"}, "1.2.3", False),
    ({"format": "of another kind"}, "x", True),
]  # fmt: skip


@pytest.mark.parametrize("field,value,right", CONFIGS, ids=[str(number) for number in range(len(CONFIGS))])
def test_a_config_value_is_held_against_its_field(field, value, right):
    schema = widened({"properties": {"x": field}})
    assert (mistakes(schema, {"x": value}) == {}) is right
    assert mistakes(schema, {}) == {}


def test_defaults_are_those_that_are_given():
    assert defaults({"properties": {"a": {"default": 1}, "b": {}, "c": {"default": None}}}) == {
        "a": 1,
        "c": None,
    }
    assert defaults({}) == {} and widened({}) is None and widened({"properties": []}) is None


PYDANTIC = {
    "type": "object", "required": ["image_bytes"],
    "properties": {
        "image_bytes": {"type": "string", "format": "binary"}, "mode": {"$ref": "#/$defs/Mode"},
        "mask": {"anyOf": [{"type": "string", "format": "binary"}, {"type": "null"}]}, "n": {"type": "integer"},
    },
}  # fmt: skip
FLAT = {
    "image_base64": {"type": "string"},
    "mask": {"type": "bytes"},
    "device": {"type": "string", "default": "cpu"},
}
FORMS = [
    (PYDANTIC, {"image_bytes": "string", "mode": "object?", "mask": "string?", "n": "integer?"}, {"image_bytes", "mask"},
     ["image_bytes"]),
    (FLAT, {"image_base64": "string", "mask": "string", "device": "string?"}, {"image_bytes", "mask"}, ["image_bytes"]),
    ({"type": "object"}, {}, {"image_bytes"}, []), ({}, {}, {"image_bytes"}, []), ({"a": 1}, {}, {"image_bytes"}, []),
    ({"video_path": {}, "image_bytes": {}}, {"video_path": "object", "image_bytes": "object"}, {"image_bytes"},
     ["image_bytes", "video"]),
    ({"type": {"type": "string"}, "properties": {"type": "object"}}, {"type": "string", "properties": "object"},
     {"image_bytes"}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    "schema,words,binary,types", FORMS, ids=[str(number) for number in range(len(FORMS))]
)
def test_every_form_of_a_schema_is_read(schema, words, binary, types):
    assert type_words(schema) == words
    assert binary_names(schema) == binary
    assert input_types(schema) == types
    opened = open_schema(schema)
    assert set(opened["properties"]) == set(properties_of(schema))
    # Nothing in it refuses a value or points anywhere.
    assert not {"$ref", "required", "type", "format", "anyOf"} & {
        key for field in opened["properties"].values() for key in field
    }


VERSIONS = [
    ("1.2.3", ">=1.2", True), ("1.2.3", ">=1.3", False), ("1.10", ">1.9", True), ("1.0", "==1.0.0", True),
    ("1.0.1", "==1.0", False), ("1.2.3", "==1.2.*", True), ("1.20", "==1.2.*", False), ("1.2.3", "!=1.2.*", False),
    ("1.4.9", "~=1.4.2", True), ("1.5", "~=1.4.2", False), ("2.1", "~=1.4", False), ("1.9", "~=1.4", True),
    ("2", "<2", False), ("1.9", "<2", True), ("2.0", "<=2", True), ("1!1.0", ">=0.9", True), ("1.0", "=>1", False),
    ("1.0+local", "===1.0+local", True), ("4.10.0.84", ">=4.8.0", True),
]  # fmt: skip


@pytest.mark.parametrize("version,specifier,holds", VERSIONS)
def test_a_version_is_held_against_its_specifier(version, specifier, holds):
    assert _holds(version, specifier) is holds
