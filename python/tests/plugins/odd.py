"""A plugin whose exceptions are as odd as exceptions can be."""

import builtins
from typing import Any, Callable, Iterator

from hardpoint import FatalError, InputError, Plugin, ResourceError, ResourceShortfall, TransientError, tool


class Liar(Exception):
    """Nothing can be asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Property(InputError):
    """A typed error whose fields are code."""

    @property
    def fields_invalid(self) -> Any:
        raise RuntimeError("no fields")

    @fields_invalid.setter
    def fields_invalid(self, value: Any) -> None: ...

    @property
    def category(self) -> Any:
        raise RuntimeError("no category")


class Text(str):
    def encode(self, *_: Any) -> bytes:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return -1


class Texty(Exception):
    def __str__(self) -> str:
        return Text("fine")

    def __repr__(self) -> str:
        return Text("Texty()")


def of_torch(module: str) -> BaseException:
    """What torch raises, without torch."""
    kind = type("OutOfMemoryError", (RuntimeError,), {"__module__": module})
    return kind("CUDA out of memory. Tried to allocate 20.00 MiB")


def group(*exceptions: BaseException) -> BaseException:
    # Python 3.11 has it, older ones do not.
    return getattr(builtins, "BaseExceptionGroup")("several", list(exceptions))


def deep_group() -> BaseException:
    made: BaseException = TransientError("deep")
    for _ in range(5000):
        made = group(made)
    return made


def chained(length: int) -> BaseException:
    first = last = ValueError("link 0")
    for number in range(1, length):
        following = ValueError(f"link {number}")
        last.__cause__ = following
        last = following
    return first


def in_a_circle() -> BaseException:
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__context__ = other, one
    return one


def shortfall(*values: Any) -> BaseException:
    return ResourceError("short", resource_shortfall=ResourceShortfall(*values))


class Custom(TransientError):
    """Of a plugin's own making."""


ERRORS: "dict[str, Callable[[], BaseException]]" = {
    "liar": lambda: Liar(),
    "property": lambda: Property("odd"),
    "texty": lambda: Texty(),
    "long_name": lambda: type("E" * 5000, (ValueError,), {})("x"),
    "torch": lambda: of_torch("torch"),
    "torch_cuda": lambda: of_torch("torch.cuda"),
    "no_torch": lambda: of_torch("notorch"),
    "group_of_one": lambda: group(TransientError("a")),
    "group_of_one_kind": lambda: group(TransientError("a"), group(TimeoutError("b"), Custom("c"))),
    "group_of_many_kinds": lambda: group(TransientError("a"), ValueError("b")),
    "deep_group": deep_group,
    "chained": lambda: chained(3),
    "long_chain": lambda: chained(20_000),
    "circle": in_a_circle,
    "one_field": lambda: InputError("bad", fields_invalid="page"),  # type: ignore[arg-type]
    "many_fields": lambda: InputError("bad", fields_invalid=["f" * 1000] * 1000),
    "odd_fields": lambda: InputError("bad", fields_invalid=[1, None, Liar()]),  # type: ignore[list-item]
    "huge_number": lambda: shortfall("disk_mb", 10**400, 1),
    "no_number": lambda: shortfall("disk_mb", "much", 1),
    "negative": lambda: TransientError("later", retry_after_seconds=-1.0),
    "not_a_number": lambda: TransientError("later", retry_after_seconds=float("nan")),
    "custom": lambda: Custom("mine", retry_after_seconds=1.25),
    "fatal": lambda: FatalError("broken"),
}


class Odd(Plugin):
    name = "odd"
    version = "1.0.0"

    @tool
    def fail(self, kind: str) -> None:
        raise ERRORS[kind]()

    @tool
    def stream(self, kind: str) -> Iterator[int]:
        yield 1
        raise ERRORS[kind]()

    @tool
    def cause(self) -> None:
        try:
            {}["key"]
        except KeyError as error:
            raise FatalError("broken") from error
