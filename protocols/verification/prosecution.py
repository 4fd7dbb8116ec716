"""From a wrong sum to its proof: fetch the one chunk of every contributor and of the aggregator, and find the leaf.

Whoever knows a sum to be wrong does this by itself; all come to the same proof, and the court takes the first.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from protocols.effects import Effects, Fetch, Job, Journal, Observe, Prosecute, SetTimer
from protocols.encryption.scheme import Scheme
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, Started
from protocols.machine import Key, Machine
from protocols.rounds.aggregate import CHUNK_MAX_BYTES
from protocols.rounds.epoch import EpochView
from protocols.types import PeerKey
from protocols.verification.proofs import KIND, SumProof, WrongSum, prove_wrong_sum
from protocols.wire.codec import encode

RETRY_S: Final = 1.0
TRIES_MAX: Final = 10
"""An aggregator that does not serve what it announced cannot be proven wrong; its sum is not used either."""


class State(enum.Enum):
    """There is but one: cases come and go."""

    OPEN = enum.auto()


@dataclass
class Case:
    """One accusation; `parts` by position, the aggregator's chunk last; `lost` is to be asked for again."""

    wrong: WrongSum
    parts: dict[int, bytes] = field(default_factory=dict)
    lost: list[Fetch] = field(default_factory=list)
    tries: int = 0


class Prosecution(Machine[State]):
    """One peer, one round."""

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.OPEN, WrongSum): "accuse",
        (State.OPEN, "fetched:evidence"): "part",
        (State.OPEN, "unfetched:evidence"): "lost",
        (State.OPEN, "timer:evidence"): "again",
        (State.OPEN, "done:prove"): "proven",
        (State.OPEN, "failed:prove"): "junk",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Started})

    def __init__(self, view: EpochView, height: int, scheme: Scheme) -> None:
        super().__init__(State.OPEN)
        self._view, self._height, self._scheme = view, height, scheme
        self._cases: dict[PeerKey, Case] = {}

    def accuse(self, event: WrongSum, _: float) -> Effects:
        """Asks for the chunk; one case for each culprit, since one proof is enough."""
        if event.culprit in self._cases:
            return []
        self._cases[event.culprit] = Case(event)
        return self._ask(event)

    def part(self, event: Fetched, _: float) -> Effects:
        culprit, position = event.fetch.subject
        case = self._cases[culprit]
        (case.parts[position],) = event.blobs
        if len(case.parts) <= len(case.wrong.contributors):
            return []
        packed = tuple(case.parts[each] for each in sorted(case.parts))
        return [Job("prove", prove_wrong_sum, (self._scheme, case.wrong, packed), subject=culprit)]

    def lost(self, event: FetchFailed, now: float) -> Effects:
        culprit, _ = event.fetch.subject
        case = self._cases[culprit]
        case.lost.append(event.fetch.elsewhere())
        return [SetTimer("evidence", now + RETRY_S)]

    def again(self, _: Event, __: float) -> Effects:
        effects: Effects = []
        for culprit, case in self._cases.items():
            lost, case.lost = case.lost, []
            case.tries += bool(lost)
            if lost and case.tries > TRIES_MAX:
                reason = "what it announced, or what it added, is not served any more"
                effects.append(Observe("unproven", {**self._about(culprit), "reason": reason}))
            else:
                effects += lost
        return effects

    def proven(self, event: JobDone, _: float) -> Effects:
        """Journalled first: a proof that was found is brought to the court, whatever happens to this node."""
        proof: SumProof = event.result
        journal = Journal(KIND, self._view.slot(self._height).height, proof.culprit, encode(proof))
        return [journal, Observe("proven", self._about(proof.culprit)), Prosecute(proof)]

    def junk(self, event: JobFailed, now: float) -> Effects:
        """Somebody served other bytes than were asked for: everything is fetched again, from others."""
        case = self._cases[event.job.subject]
        case.parts.clear()
        case.lost = [fetch.elsewhere() for fetch in self._ask(case.wrong) if isinstance(fetch, Fetch)]
        return [SetTimer("evidence", now + RETRY_S)]

    def _ask(self, wrong: WrongSum) -> Effects:
        """A contributor's chunk is with it, its cell's aggregators and the committee; the sum with who announced it."""
        others = (*self._view.cells[wrong.stated.cell], *self._view.committee)
        holders = [(each, *others) for each in wrong.contributors] + [(wrong.culprit, *self._view.committee)]
        return [
            Fetch("evidence", (wrong.culprit, position), (digest,), held, CHUNK_MAX_BYTES)
            for position, (digest, held) in enumerate(zip(wrong.digests, holders, strict=True))
        ]

    def _about(self, culprit: PeerKey) -> dict[str, object]:
        wrong = self._cases[culprit].wrong
        return {"height": self._height, "cell": wrong.stated.cell, "culprit": culprit.hex(), "chunk": wrong.chunk}
