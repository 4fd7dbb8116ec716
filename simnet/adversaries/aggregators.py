"""Dishonest aggregators, one of a stripe's two: what they add, announce, vouch for and refuse.

A wrong sum that both aggregators announce is beyond what is assumed: where the other one is an accomplice, they add
honestly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from p2pnode.team import AnyMachine
from protocols.effects import Effect, Publish, Send
from protocols.errors import RemoteError
from protocols.events import Event, JobDone, Received
from protocols.rounds.aggregate import Summed, seal_sum
from protocols.rounds.aggregation import Aggregation
from protocols.rounds.cells import indices
from protocols.types import Digest, PeerKey
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import Aggregate, Availability, Submission
from simnet.adversaries.stage import Scene, Strategy


class WrongSum(Strategy):
    """Adds something to its stripes' sums, and announces and serves that."""

    kind = "wrong-sum"

    def hears(self, machine: AnyMachine, event: Event) -> Event | None:
        sealed = isinstance(machine, Aggregation) and isinstance(event, JobDone) and event.job.purpose == "seal"
        if not sealed or not isinstance(event, JobDone):
            return event
        cell, stripe = self.view.cell_of(self.scene.me), event.job.subject
        assert cell is not None
        others = set(self.view.aggregators(self.height, cell, stripe)) - {self.scene.me}
        if others & self.scene.ring.peers:
            return event
        summed: Summed = event.result
        delta = np.zeros_like(summed.residues)
        delta[0] = 1 << 11  # one in a lowest lane: a constant is the same in every slot of the NTT form
        scheme = self.scene.context.scheme
        first = indices(stripe, self.scene.context.chunks).start
        wrong = seal_sum(scheme, scheme.add([summed.residues, delta]), first)
        self.scene.did("wrong-sum", *wrong.roots)
        return replace(event, result=wrong)


class TwoSums(Strategy):
    """Announces other sums to some members; now and then to one both."""

    kind = "two-sums"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._victims = scene.some(scene.honest(self.view.committee))
        self._other: Signed | None = None

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send | Publish) or not isinstance(effect.signed.message, Aggregate):
            return [effect]
        aggregate = effect.signed.message
        if self._other is None:
            roots = tuple(Digest(self.random.randbytes(32)) for _ in aggregate.chunk_roots)
            self._other = self.scene.sign(replace(aggregate, chunk_roots=roots))
        if isinstance(effect, Publish):
            return [replace(effect, signed=self._other)] if self.random.random() < 0.5 else [effect]
        if effect.to not in self._victims:
            return [effect]
        return [replace(effect, signed=self._other)]


class RefuseVictim(Strategy):
    """Acts, as an aggregator, as if a few honest contributors had submitted nothing."""

    kind = "refuse-victim"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        contributors = sorted(scene.honest(peer for cell in self.view.cells for peer in cell))
        self._refused: frozenset[PeerKey] = frozenset(self.random.sample(contributors, min(2, len(contributors))))

    def hears(self, machine: AnyMachine, event: Event) -> Event | None:
        if isinstance(machine, Aggregation) and isinstance(event, Received) and event.sender in self._refused:
            return None
        return event


class VouchForAll(Strategy):
    """Vouches for everything that was submitted, whether it can be had or not, and for what nobody submitted."""

    kind = "vouch-for-all"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._named: set[Digest] = set()

    def hears(self, machine: AnyMachine, event: Event) -> Event | None:
        if isinstance(event, Received) and isinstance(event.message, Submission):
            self._named.add(Digest(_manifest_digest(event.message)))
        return event

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Availability):
            return [effect]
        said = effect.signed.message
        every = sorted({*said.manifests, *self._named, Digest(self.random.randbytes(32))})[:16]
        return [replace(effect, signed=self.scene.sign(replace(said, manifests=tuple(every))))]


class NoSums(Strategy):
    """Says nothing as an aggregator."""

    kind = "no-sums"

    def change(self, effect: Effect) -> Iterable[Effect]:
        quiet = isinstance(effect, Send | Publish) and isinstance(effect.signed.message, Aggregate | Availability)
        return [] if quiet else [effect]


def _manifest_digest(submission: Submission) -> bytes:
    try:
        return open_envelope(submission.manifest).digest
    except RemoteError:
        return bytes(32)


KINDS = (WrongSum, TwoSums, RefuseVictim, VouchForAll, NoSums)
