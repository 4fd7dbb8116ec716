"""A protocol is a machine without I/O: events come in with the time, effects go out, and one driver performs them.

After h11's transition tables and mitmproxy's events and commands: a machine never sleeps, sends or draws randomness, so
the same code runs in production, in virtual time and in a table test.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, cast

from protocols.effects import Effects
from protocols.errors import TransitionError
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, Received, TimerFired
from protocols.told import Told
from protocols.wire.messages import Message

S = TypeVar("S", bound=enum.Enum)
Key = type[Any] | str
"""An event's type; for `Received` the message's type; for jobs, timers and fetches `type.name:purpose`."""


class Machine(Generic[S]):
    """State plus one table (state, what happened) -> name of the method that answers.

    A subclass fills TABLE; `IGNORED` names what may arrive in any state without meaning anything there.
    """

    TABLE: ClassVar[Mapping[tuple[Any, Key], str]]
    IGNORED: ClassVar[frozenset[Key]] = frozenset()

    def __init__(self, state: S) -> None:
        self.state = state

    @classmethod
    def accepts(cls, message: type[Message]) -> bool:
        """Whether any state of this machine has a use for a message of this type."""
        return message in _keys(cast("Hashable", cls))

    def erase(self) -> None:
        """Forgets what must not outlive the round: its time is over, for this node or for all. Nothing, in general."""

    def handle(self, event: Event, now: float) -> Effects:
        """Answers one event.

        Raises:
            TransitionError: the table does not allow this event in this state.
        """
        key = event_key(event)
        method = self.TABLE.get((self.state, key))
        if method is not None:
            effects: Effects = getattr(self, method)(event, now)
            return effects
        if key in self.IGNORED or isinstance(event, Received | TimerFired | Fetched | FetchFailed | Told):
            return []  # peers and timers may always be late, and what is told concerns some; our own jobs may not
        raise TransitionError(f"{type(self).__name__} in state {self.state.name} does not allow {key}")


@cache
def _keys(machine: Any) -> frozenset[Key]:
    """All that any of its states has a use for."""
    return frozenset(key for _, key in machine.TABLE)


def event_key(event: Event) -> Key:
    """Under which key a table lists this event."""
    match event:
        case Received():
            return type(event.message)
        case TimerFired(name=name):
            return f"timer:{name}"
        case JobDone(job=job):
            return f"done:{job.purpose}"
        case JobFailed(job=job):
            return f"failed:{job.purpose}"
        case Fetched(fetch=fetch):
            return f"fetched:{fetch.purpose}"
        case FetchFailed(fetch=fetch):
            return f"unfetched:{fetch.purpose}"
        case _:
            return type(event)
