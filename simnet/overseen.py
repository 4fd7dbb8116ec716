"""What honest machines were told and answered: the checkers ask whether they named whom they could name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from p2pnode.team import AnyMachine
from protocols.effects import Blame, Effects
from protocols.events import Event
from protocols.machine import Machine, event_key
from protocols.types import Height, PeerKey
from protocols.wire.messages import Message


@dataclass(frozen=True)
class Answer:
    """One event for which an honest machine had a use.

    Attributes:
        node: its name; `me` its key.
        machine, state: the machine's class and its state when it was told.
        blamed: whom it named for what in its answer.
    """

    node: str
    me: PeerKey
    height: Height
    machine: str
    state: str
    event: Event
    blamed: tuple[Blame, ...]


class Overseen(Machine[Any]):
    """An honest machine whose answers are noted; it is not changed by it."""

    TABLE: ClassVar = {}

    def __init__(
        self, inner: AnyMachine, node: str, me: PeerKey, height: Height, note: Callable[[Answer], None]
    ) -> None:
        super().__init__(inner.state)
        self.inner, self._node, self._me, self._height, self._note = inner, node, me, height, note

    def accepts(self, message: type[Message]) -> bool:  # type: ignore[override]  # the inner machine decides
        return self.inner.accepts(message)

    def erase(self) -> None:
        self.inner.erase()

    def handle(self, event: Event, now: float) -> Effects:
        state = self.inner.state
        effects = self.inner.handle(event, now)
        blamed = tuple(effect for effect in effects if isinstance(effect, Blame))
        if blamed or (state, event_key(event)) in self.inner.TABLE:
            name = type(self.inner).__name__
            self._note(Answer(self._node, self._me, self._height, name, state.name, event, blamed))
        return effects
