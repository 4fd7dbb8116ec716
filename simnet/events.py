"""What happened, as lines of JSON: every event of every node, in the order in which simnet heard of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols.errors import LocalError


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a node (or simnet itself, as node "simnet") observed.

    Attributes:
        at: seconds since the run began (virtual seconds in virtual time).
        node: the member's name.
        name: the kind of event.
        fields: as the node's observer was given them; bytes are hex.
    """

    at: float
    node: str
    name: str
    fields: Mapping[str, Any]

    def line(self) -> str:
        """The event as one line of JSON, without the line's end."""
        head = {"at": round(self.at, 6), "node": self.node, "event": self.name}
        return json.dumps({**head, **self.fields}, separators=(",", ":"), default=_words)


def _words(value: object) -> str:
    """Nodes observe exceptions as they are; what cannot be JSON becomes words."""
    return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)


Sink = Callable[[Event], None]
"""Whoever wants to hear of events."""


def parse_event(line: str) -> Event:
    """Inverse of `Event.line`; raises ValueError, KeyError or TypeError for anything else."""
    fields = json.loads(line)
    return Event(fields.pop("at"), fields.pop("node"), fields.pop("event"), fields)


def read_events(path: Path) -> Iterator[Event]:
    """The events of a run; a torn last line, as a crash leaves it, is passed over.

    Raises:
        LocalError: the file is damaged or cannot be read.
    """
    try:
        content = path.read_text("utf-8")
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error
    whole, _, _torn = content.rpartition("\n")
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            yield parse_event(line)
        except (ValueError, KeyError, TypeError) as error:
            raise LocalError(f"{path}, line {number}: not an event ({error}); the file is damaged") from error
