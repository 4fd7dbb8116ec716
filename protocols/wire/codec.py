"""Strict, bounded msgpack for dataclasses: a message is an array of its fields in order, nested dataclasses likewise.

Bounds stand in the annotations, so that a message's definition is its whole specification. There is one encoding for a
value: what does not encode back to the very same bytes is refused (msgpack has several ways to write a number).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgpack

from protocols.errors import MalformedError

M = TypeVar("M")
Check = Callable[[Any], Any]


class _MisfitError(Exception):
    """A value that its annotation does not allow; whoever passes it on adds where it stood."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said
        self.path: list[str] = []


@dataclass(frozen=True, slots=True)
class Size:
    """Bounds on a length: bytes of `bytes` and (UTF-8) `str`, items of a tuple; both inclusive."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds on an integer, both inclusive."""

    least: int
    most: int


U8 = Annotated[int, Range(0, 2**8 - 1)]
U16 = Annotated[int, Range(0, 2**16 - 1)]
U32 = Annotated[int, Range(0, 2**32 - 1)]
U64 = Annotated[int, Range(0, 2**64 - 1)]
Bytes32 = Annotated[bytes, Size(32, 32)]
Bytes64 = Annotated[bytes, Size(64, 64)]

NEWTYPE_BOUNDS: dict[str, Size | Range] = {
    "PeerKey": Size(32, 32),
    "Digest": Size(32, 32),
    "Address": Size(20, 20),
    "Height": Range(0, 2**32 - 1),
}


def encode(value: object) -> bytes:
    """Canonical bytes of a dataclass instance."""
    packed: bytes = msgpack.packb(_plain(value), use_bin_type=True)
    return packed


def decode(data: bytes, kind: type[M], max_bytes: int) -> M:
    """Inverse of `encode` for bytes from outside.

    Raises:
        MalformedError: too long, not msgpack, wrong types or bounds, or not canonical; the text names the field.
    """
    value = build(unpack(data, max_bytes), kind)
    if encode(value) != data:
        raise MalformedError(f"{kind.__name__}: not in canonical encoding")
    return value


def unpack(data: bytes, max_bytes: int) -> Any:
    """Plain msgpack values, bounded: no maps, no extensions, no floats survive `build`.

    Raises:
        MalformedError: too long or not msgpack.
    """
    if len(data) > max_bytes:
        raise MalformedError(f"message of {len(data)} bytes, at most {max_bytes} allowed")
    try:
        return msgpack.unpackb(data, raw=False, max_map_len=0, max_ext_len=0, max_array_len=65536)
    except (ValueError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise MalformedError(f"not msgpack: {type(error).__name__}") from error


def build(plain: Any, kind: type[M]) -> M:
    """A dataclass from unpacked values, every field checked against its annotation.

    Raises:
        MalformedError: a field has the wrong type or is out of bounds; the text names it.
    """
    try:
        value: M = _checker(cast("Hashable", kind))(plain)
    except _MisfitError as misfit:
        raise MalformedError(f"{kind.__name__}{''.join(reversed(misfit.path))}: {misfit.said}") from None
    return value


def _plain(value: object) -> object:
    kind = type(value)
    if value is None or kind in (int, bytes, str, bool):
        return value
    if kind is tuple:
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    return [_plain(item) for item in _values(cast("Hashable", kind))(value)]


@cache
def _values(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The function that takes a message's fields out of it, in order."""
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} cannot be encoded")
    names = [field.name for field in fields(kind)]
    if len(names) < 2:  # of one name, attrgetter gives no tuple
        return lambda value: tuple(getattr(value, name) for name in names)
    return attrgetter(*names)


@cache
def _checker(kind: Any) -> Check:
    """The function that checks and builds values of an annotation; made once for each annotation."""
    origin = get_origin(kind)
    if isinstance(kind, NewType):
        return _checker(Annotated[kind.__supertype__, NEWTYPE_BOUNDS[kind.__name__]])
    if origin is Annotated:
        base, *bounds = get_args(kind)
        return _bounded(_checker(base), bounds)
    if origin is tuple:
        return _items(_checker(get_args(kind)[0]))
    if origin in (Union, types.UnionType):
        inner = next(option for option in get_args(kind) if option is not type(None))
        return _optional(_checker(inner))
    if is_dataclass(kind):
        return _record(kind)
    return _exactly(kind)


def _exactly(kind: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:  # bool is an int to isinstance, but not to us
            raise _MisfitError(f"{type(value).__name__} instead of {kind.__name__}")
        return value

    return check


def _bounded(inner: Check, bounds: list[Any]) -> Check:
    (bound,) = bounds
    least, most = bound.least, bound.most

    def check_size(value: Any) -> Any:
        if isinstance(value, bytes | str | list):
            measure = len(value.encode()) if isinstance(value, str) else len(value)
            if not least <= measure <= most:
                raise _MisfitError(f"length {measure}, allowed {least} to {most}")
        return inner(value)

    def check_range(value: Any) -> Any:
        value = inner(value)
        if not least <= value <= most:
            raise _MisfitError(f"{value} is outside {least} to {most}")
        return value

    return check_size if isinstance(bound, Size) else check_range


def _items(inner: Check) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not list:
            raise _MisfitError(f"{type(value).__name__} instead of an array")
        done: list[Any] = []
        try:
            for item in value:
                done.append(inner(item))  # noqa: PERF401  how far it came is where the misfit stands
        except _MisfitError as misfit:
            misfit.path.append(f"[{len(done)}]")
            raise
        return tuple(done)

    return check


def _optional(inner: Check) -> Check:
    return lambda value: None if value is None else inner(value)


def _record(kind: Any) -> Check:
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    checks = [_checker(hints[name]) for name in names]

    def check(value: Any) -> Any:
        if type(value) is not list or len(value) != len(checks):
            raise _MisfitError(f"needs an array of {len(checks)} fields")
        done: list[Any] = []
        try:
            for inner, item in zip(checks, value, strict=True):
                done.append(inner(item))
        except _MisfitError as misfit:
            misfit.path.append(f".{names[len(done)]}")
            raise
        return kind(*done)

    return check
