"""What any dishonest peer can do, whatever its office: be silent to some, be late, repeat what was said before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pnode.team import AnyMachine
from protocols.effects import Effect, Effects, Publish, Send
from protocols.events import Event, Received
from protocols.wire.messages import (
    Aggregate,
    Availability,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    Message,
    Proposal,
    Receipt,
    Release,
    Status,
    Submission,
    Vote,
)
from simnet.adversaries.stage import Scene, Strategy

STEPS: Final[tuple[type[Message], ...]] = (
    Aggregate,
    Availability,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    Proposal,
    Receipt,
    Release,
    Status,
    Submission,
    Vote,
)


class SilentAtSome(Strategy):
    """Leaves out messages of some types, to some peers."""

    kind = "silent-at-some"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._types = tuple(self.random.sample(STEPS, self.random.randint(1, 4)))
        self._receivers = scene.some(self.view.participants)

    def change(self, effect: Effect) -> Iterable[Effect]:
        if isinstance(effect, Publish) and isinstance(effect.signed.message, self._types):
            return []
        if isinstance(effect, Send) and isinstance(effect.signed.message, self._types) and effect.to in self._receivers:
            return []
        return [effect]


class Silent(Strategy):
    """Says nothing at all."""

    kind = "silent"

    def change(self, effect: Effect) -> Iterable[Effect]:
        if isinstance(effect, Publish) or (isinstance(effect, Send) and effect.to != self.scene.me):
            return []
        return [effect]


class Late(Strategy):
    """Everything that it sends leaves up to 15 seconds late."""

    kind = "late"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        scene.veil.delay_s = self.random.choice([0.5, 2.0, 4.0, 7.0, 15.0])


class Replay(Strategy):
    """Sends on what it and its accomplices heard, now and in earlier rounds, to whoever was not meant to have it."""

    kind = "replay"

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        heard = self.scene.ring.heard
        if not isinstance(event, Received) or not heard or self.random.random() < 0.8:
            return effects
        peers = sorted(self.scene.honest(self.view.participants))
        old = self.random.choice(heard)
        return [*effects, Send(self.random.choice(peers), old)]


KINDS = (SilentAtSome, Silent, Late, Replay)
