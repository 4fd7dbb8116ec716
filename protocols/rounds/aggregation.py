"""An aggregator's part of a round: gather its stripes of the cell's ciphertexts, say what is there, announce sums."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from protocols.agreement.certificate import list_digest
from protocols.effects import Effects, Job, Observe, Publish, Send, SetTimer, Store
from protocols.encryption.scheme import Scheme
from protocols.errors import RemoteError
from protocols.events import Event, JobDone, Received, Started
from protocols.machine import Key, Machine
from protocols.rounds.aggregate import Summed, seal_sum
from protocols.rounds.cells import indices
from protocols.rounds.custody import HOLDS_CIPHERTEXTS
from protocols.rounds.epoch import EpochView
from protocols.rounds.gatherer import EVENTS, JOBS, Gatherer, Part
from protocols.rounds.manifests import Manifests, refusal
from protocols.told import Certified
from protocols.types import Digest, Height, PeerKey
from protocols.verification.proofs import Statements, sum_statement
from protocols.wire.envelope import Signer
from protocols.wire.messages import Aggregate, Availability, CellSet, Contribution, Manifest, Receipt, Submission

REPORT_S = 0.25
"""Availability is reported at most so often: one message for several contributions."""


class State(enum.Enum):
    """Where an aggregator stands."""

    IDLE = enum.auto()
    GATHERING = enum.auto()
    CERTIFIED = enum.auto()  # gathers what the certified set still lacks
    DONE = enum.auto()


class Aggregation(Machine[State]):
    """One aggregator of one cell, one round.

    The sums run along while contributions arrive. Where all that came is certified, as a rule, they stand at once.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.IDLE, Started): "start",
        (State.GATHERING, Submission): "submission",
        (State.CERTIFIED, Submission): "late_submission",
        (State.DONE, Submission): "late_submission",
        (State.GATHERING, "timer:report"): "report",
        (State.GATHERING, Certified): "certified",
        (State.CERTIFIED, "done:seal"): "sealed",
        **{(state, key): "gathered" for state in (State.GATHERING, State.CERTIFIED) for key in EVENTS},
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Started, *JOBS})

    def __init__(
        self,
        view: EpochView,
        height: Height,
        parent: Digest,
        me: PeerKey,
        sign: Signer,
        scheme: Scheme,
        chunks: int,
        proof_topic: str,
        statements: Statements | None = None,
    ) -> None:
        super().__init__(State.IDLE)
        cell = view.cell_of(me)
        assert cell is not None, "only members of a cell add it"
        self._view, self._height, self._cell, self._chunks = view, height, cell, chunks
        self._sign, self._scheme, self._topic = sign, scheme, proof_topic
        self._statements = statements
        self._stripes = view.duties(height, cell, chunks)[me]
        self._manifests = Manifests(view, height, parent, chunks)
        self._gatherer = Gatherer(view, height, scheme, chunks, keep=True, anywhere=False)
        self._waiting: list[Contribution] = []
        self._verified: set[Digest] = set()
        self._reported: frozenset[Digest] = frozenset()
        self._set: CellSet | None = None
        self._sets = Digest(bytes(32))
        self._sealed: dict[int, tuple[Digest, ...] | None] = {}  # by stripe; None while it is being done

    def start(self, _: Event, __: float) -> Effects:
        self.state = State.GATHERING
        return []

    def submission(self, event: Received, _: float) -> Effects:
        submission = event.message
        assert isinstance(submission, Submission)
        try:
            signed = self._manifests.accept(submission, event.sender)
        except RemoteError as error:
            return refusal(error, event.sender, self._height)
        if self._view.cell_of(signed.signer) != self._cell:
            return []  # this peer also sits in the committee: the submission is for its custody
        assert isinstance(signed.message, Manifest)
        contribution = Contribution(signed.signer, signed.digest)
        if contribution not in self._waiting and signed.digest not in self._verified:
            self._waiting.append(contribution)
        self._gatherer.learn(signed.digest, signed.message)
        store = Store(((signed.digest, submission.manifest),))
        return [store, *self._gatherer.want(contribution, self._stripes)]

    def late_submission(self, event: Received, _: float) -> Effects:
        """Nothing more is gathered; but a second manifest is evidence whenever it comes."""
        assert isinstance(event.message, Submission)
        return self._manifests.compare(event.message, event.sender)

    def gathered(self, event: Event, now: float) -> Effects:
        effects = self._gatherer.handle(event, now)
        if self.state is State.CERTIFIED:
            return [*effects, *self._try_seal()]
        complete = [each for each in self._waiting if self._has(each)]
        for contribution in complete:
            self._waiting.remove(contribution)
            self._verified.add(contribution.manifest)
            receipt = Receipt(self._view.slot(self._height), contribution.manifest, HOLDS_CIPHERTEXTS)
            effects.append(Send(contribution.contributor, self._sign(receipt)))
        if complete and len(self._verified) == len(self._view.cells[self._cell]):
            return [*effects, *self.report(event, now)]
        return [*effects, SetTimer("report", now + REPORT_S)] if complete else effects

    def report(self, _: Event, __: float) -> Effects:
        """Tells the committee which contributions are available; nothing if it knows already."""
        available = frozenset(self._verified)
        if available == self._reported:
            return []
        self._reported = available
        said = Availability(self._view.slot(self._height), self._cell, tuple(sorted(available)))
        signed = self._sign(said)
        return [Send(member, signed) for member in self._view.committee]

    def certified(self, event: Certified, _: float) -> Effects:
        self.state, self._sets = State.CERTIFIED, list_digest(event.certificate.sets)
        self._set = next((each for each in event.certificate.sets.cells if each.cell == self._cell), None)
        if self._set is None:
            self.state = State.DONE
            return []
        self._gatherer.anywhere = True
        self._gatherer.restrict(self._set.contributions)
        wanted = [self._gatherer.want(each, self._stripes) for each in self._set.contributions]
        return [*(effect for effects in wanted for effect in effects), *self._try_seal()]

    def sealed(self, event: JobDone, _: float) -> Effects:
        """One stripe's sum is served at once; the signed aggregate comes with the last one."""
        summed: Summed = event.result
        self._sealed[event.job.subject] = summed.roots
        self._gatherer.forget(self._cell, event.job.subject)
        effects: Effects = [Store(tuple(zip(summed.roots, summed.packed, strict=True)))]
        roots = [self._sealed.get(stripe) for stripe in self._stripes]
        if None in roots:
            return effects
        self.state = State.DONE
        flat = tuple(root for each in roots if each for root in each)
        signed = self._sign(self._stated(flat))
        sends = [Send(member, signed) for member in self._view.committee]
        observe = Observe("aggregated", {"height": self._height, "cell": self._cell})
        return [*effects, *sends, Publish(self._topic, signed), observe]

    def _stated(self, roots: tuple[Digest, ...]) -> Aggregate:
        """The announcement, with the operator's word for it: for what it adds wrongly it loses its stake."""
        assert self._set is not None
        aggregate = Aggregate(self._view.slot(self._height), self._cell, self._sets, self._stripes, roots)
        manifests = [self._gatherer.manifest(each.manifest) for each in self._set.contributions]
        known = [each for each in manifests if each is not None]
        assert len(known) == len(manifests), "what was added has a manifest"
        if self._statements is None:
            return aggregate
        stated = sum_statement(self._view, self._height, aggregate, self._chunks, known)
        return replace(aggregate, statement=self._statements.sign_sum(stated))

    def _has(self, contribution: Contribution) -> bool:
        return all(self._gatherer.holds(Part(contribution, stripe), self._cell) for stripe in self._stripes)

    def _try_seal(self) -> Effects:
        assert self._set is not None
        effects: Effects = []
        for stripe in self._stripes:
            total = self._gatherer.total(self._cell, stripe, self._set.contributions)
            if total is None or stripe in self._sealed:
                continue
            self._sealed[stripe] = None
            first = indices(stripe, self._chunks).start
            effects.append(Job("seal", seal_sum, (self._scheme, total, first), subject=stripe))
        return effects
