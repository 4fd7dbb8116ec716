"""A task's identity: its name, the digest of its source, and the options that all peers must share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgpack

from protocols.errors import MalformedError
from protocols.types import Digest

Option = str | int | float

MAX_SPEC_BYTES: Final = 4096
MAX_NAME_CHARS: Final = 128


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What the chain stores of a task.

    Attributes:
        name: one of our tasks, or the name of the founder's module, for people to read.
        source_digest: SHA-256 of the module's source.
        options: every hyperparameter by name, defaults included.
    """

    name: str
    source_digest: Digest
    options: Mapping[str, Option]

    def encode(self) -> bytes:
        """Canonical bytes: msgpack [name, source_digest, [[option, value], ...] sorted by option]."""
        packed: bytes = msgpack.packb([self.name, self.source_digest, sorted(self.options.items())])
        return packed


def decode_spec(data: bytes) -> TaskSpec:
    """Inverse of `TaskSpec.encode`.

    Raises:
        MalformedError: too long, or not the canonical encoding of a task's identity.
    """
    if len(data) > MAX_SPEC_BYTES:
        raise MalformedError(f"task: {len(data)} bytes exceed the limit of {MAX_SPEC_BYTES}")
    try:
        name, digest, pairs = msgpack.unpackb(data)
        spec = TaskSpec(_name(name), _digest(digest), dict(_option(*pair) for pair in pairs))
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise MalformedError(f"task cannot be read: {error}") from error
    if spec.encode() != data:
        raise MalformedError("task: not in canonical encoding")
    return spec


def _name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise MalformedError(f"task: a name is printable text of 1 to {MAX_NAME_CHARS} characters")
    return name


def _digest(digest: object) -> Digest:
    if not isinstance(digest, bytes) or len(digest) != 32:
        raise MalformedError("task: the source's digest is 32 bytes")
    return Digest(digest)


def _option(name: object, value: object) -> tuple[str, Option]:
    if type(value) not in (str, int, float):
        raise MalformedError(f"task: option {name!r} is text or a number, not {type(value).__name__}")
    return _name(name), value  # type: ignore[return-value]  # mypy does not narrow by `type(value) in`
