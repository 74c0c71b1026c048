"""Teaches schemathesis to read NDJSON: the event that it validates is the last one, the answer."""

import json
from typing import Any

import schemathesis


@schemathesis.deserializer("application/x-ndjson")
def last_event(_context: Any, response: Any) -> Any:
    lines = response.content.splitlines()
    return json.loads(lines[-1])
