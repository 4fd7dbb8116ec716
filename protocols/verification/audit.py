"""A validator's part of a round: fetch what the proofs name, recompute every cell's sum, judge, attest.

It believes nobody: manifests carry their contributors' signatures, ciphertexts their digests, the list and the header
their certificates, the sum is added again from the ciphertexts themselves, and opened again with the summed key that
the header binds; the total of all cells must be the header's.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from protocols.agreement.certificate import check_header, list_digest
from protocols.agreement.evidence import accusation, evidence_of
from protocols.effects import Attest, Blame, Differ, Effects, Fetch, Job, Observe, SetTimer, Tell
from protocols.encryption.layout import Layout
from protocols.encryption.scheme import Lanes, PublicContext, Scheme
from protocols.errors import RemoteError
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, Received, Started
from protocols.hashing import tagged
from protocols.machine import Key, Machine
from protocols.privacy.promise import Privacy
from protocols.rounds.cells import indices, stripes
from protocols.rounds.epoch import EpochView
from protocols.rounds.gatherer import EVENTS, JOBS, REFETCH_S, Gatherer, Part
from protocols.rounds.summing import Announced, Roots
from protocols.rounds.suspects import after, spoiled_sets
from protocols.told import Certified
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.chunks import update_root
from protocols.updates.totals import total_of
from protocols.verification.contradiction import Announcements, accuse, contradiction
from protocols.verification.proofs import Statements, SumStatement, WrongSum, sum_statement
from protocols.wire.messages import (
    NO_SUSPECTS,
    Aggregate,
    CellResult,
    Contribution,
    Header,
    HeaderCertificate,
    SetList,
    Suspects,
)

KEY_MAX_BYTES = 16_384
STATEMENT_BYTES = 64


class State(enum.Enum):
    """Where a validator stands with one round."""

    WAITING = enum.auto()  # for the certified list
    AUDITING = enum.auto()
    ADDING = enum.auto()  # a job makes the total of the cells that were opened again
    ATTESTED = enum.auto()  # or refused; still judges aggregates that come late


class Audit(Machine[State]):
    """One validator, one round. A verdict names the aggregator, and the first chunk in which its sum is wrong.

    Args:
        suspects: what the header carries on which the round began.
        statements: reads what operators sign; None where they have no stake.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.WAITING, Aggregate): "early",
        (State.WAITING, HeaderCertificate): "header",
        (State.WAITING, Certified): "certified",
        (State.AUDITING, Aggregate): "aggregate",
        (State.AUDITING, HeaderCertificate): "header",
        **{(State.AUDITING, key): "gathered" for key in EVENTS},
        (State.AUDITING, "done:seal"): "sealed",
        (State.AUDITING, "fetched:key"): "key",
        (State.AUDITING, "unfetched:key"): "keyless",
        (State.AUDITING, "timer:key"): "ask_again",
        (State.AUDITING, "done:reopen"): "reopened",
        (State.AUDITING, "failed:reopen"): "misfit",
        (State.ADDING, Aggregate): "aggregate",
        (State.ADDING, "done:total"): "added",
        (State.ATTESTED, Aggregate): "aggregate",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Started, *JOBS, "done:seal", "done:reopen", "failed:reopen"})

    def __init__(
        self,
        view: EpochView,
        height: Height,
        scheme: Scheme,
        chunks: int,
        layout: Layout,
        privacy: Privacy | None = None,
        suspects: Suspects = NO_SUSPECTS,
        statements: Statements | None = None,
    ) -> None:
        super().__init__(State.WAITING)
        self._statements = statements
        self._privacy = privacy
        self._view, self._height = view, height
        self._scheme, self._chunks, self._layout = scheme, chunks, layout
        self._suspects = suspects
        self._sets: SetList | None = None
        self._early: dict[tuple[int, PeerKey], Received] = {}
        self._gatherer = Gatherer(view, height, scheme, chunks, keep=False, anywhere=True)
        self._announced: dict[int, Announced] = {}
        self._unjudged: dict[tuple[int, PeerKey], Aggregate] = {}
        self._said = Announcements()
        self._roots: dict[int, dict[int, Roots]] = {}  # of our own sums, by cell and stripe
        self._sealing: set[tuple[int, int]] = set()
        self._opening: set[int] = set()
        self._opened: dict[int, int] = {}  # contributors of the cells that were opened again
        self._total: Lanes | None = None  # the sum of these cells
        self._header: Header | None = None
        self._lost: list[Fetch] = []

    def early(self, event: Received, _: float) -> Effects:
        """Kept for the certificate, of each aggregator the first; a second one is evidence already."""
        assert isinstance(event.message, Aggregate)
        cell, cells = event.message.cell, len(self._view.cells)
        if cell >= cells or event.sender not in self._view.duties(self._height, cell, self._chunks):
            return [Blame(event.sender, f"is no aggregator of cell {cell}")]
        first = self._early.setdefault((cell, event.sender), event)
        evidence = evidence_of(first.signed, event.signed)
        self._said.note(event.sender, event.message)
        return [] if evidence is None else accusation(self._height, evidence)

    def certified(self, event: Certified, now: float) -> Effects:
        self.state, self._sets = State.AUDITING, event.certificate.sets
        effects: Effects = []
        for cell_set in self._sets.cells:
            self._roots[cell_set.cell] = {}
            for contribution in cell_set.contributions:
                effects += self._gatherer.want(contribution, stripes(self._chunks))
        early, self._early = list(self._early.values()), {}
        return [*effects, *(effect for each in early for effect in self.aggregate(each, now))]

    def aggregate(self, event: Received, _: float) -> Effects:
        """Judged at once, or as soon as its stripes are added here."""
        aggregate = event.message
        assert isinstance(aggregate, Aggregate)
        assert self._sets is not None
        cell = aggregate.cell
        if cell >= len(self._view.cells):
            return [Blame(event.sender, f"is no aggregator of cell {cell}")]
        if cell not in self._announced:
            self._announced[cell] = Announced(self._view, self._height, cell, self._chunks)
        refused = self._announced[cell].accept(event.signed)
        if event.sender in self._view.duties(self._height, cell, self._chunks):
            self._said.note(event.sender, aggregate)
        if refused:
            return [*refused, *self._contradictions(cell)]
        if aggregate.sets != list_digest(self._sets):
            return self._verdict(cell, event.sender, None, "another list")
        self._unjudged[cell, event.sender] = aggregate
        return self._judge(cell)

    def header(self, event: Received, _: float) -> Effects:
        certificate = event.message
        assert isinstance(certificate, HeaderCertificate)
        try:
            check_header(certificate, self._view)
        except RemoteError as error:
            return [Blame(event.sender, f"header refused: {error}")]
        self._header = certificate.header
        return self._try_attest()

    def gathered(self, event: Event, now: float) -> Effects:
        effects = self._gatherer.handle(event, now)
        return [*effects, *self._try_seal(event.job.subject)] if isinstance(event, JobDone) else effects

    def _try_seal(self, fetch: Fetch) -> Effects:
        """The digests of a stripe's sum, once the last part is in it."""
        assert self._sets is not None
        part: Part = fetch.subject
        cell = self._view.cell_of(part.contribution.contributor)
        cell_set = next(each for each in self._sets.cells if each.cell == cell)
        place = cell_set.cell, part.stripe
        total = self._gatherer.total(*place, cell_set.contributions)
        if total is None or place in self._sealing:
            return []
        self._sealing.add(place)
        first = indices(part.stripe, self._chunks).start
        return [Job("seal", self._scheme.roots, (total, first), subject=place)]

    def sealed(self, event: JobDone, _: float) -> Effects:
        cell, stripe = event.job.subject
        self._roots[cell][stripe] = event.result
        return [*self._judge(cell), *self._try_attest()]

    def key(self, event: Fetched, now: float) -> Effects:
        """Opens a cell again, with the very key that the header binds."""
        result: CellResult = event.fetch.subject
        (key,) = event.blobs
        if tagged("summed-key", key) != result.key_digest:
            return self.keyless(event, now)
        return [self._reopen(result, key)]

    def keyless(self, event: Fetched | FetchFailed, now: float) -> Effects:
        self._lost.append(event.fetch.elsewhere())
        return [SetTimer("key", now + REFETCH_S)]

    def ask_again(self, _: Event, __: float) -> Effects:
        lost, self._lost = self._lost, []
        return list(lost)

    def reopened(self, event: JobDone, _: float) -> Effects:
        """Adds a cell to the total; its sum is not needed any more."""
        result: CellResult = event.job.subject
        lanes: Lanes = event.result
        self._opened[result.cell] = result.contributors
        self._total = lanes if self._total is None else self._total + lanes
        for stripe in stripes(self._chunks):
            self._gatherer.forget(result.cell, stripe)
        return self._try_attest()

    def misfit(self, event: JobFailed, _: float) -> Effects:
        return self._refuse(f"cell {event.job.subject.cell}: {event.error}")

    def _judge(self, cell: int) -> Effects:
        """Verdicts on the announcements whose stripes are all recomputed."""
        roots = self._roots.get(cell, {})
        effects = self._contradictions(cell)
        for (at, aggregator), aggregate in list(self._unjudged.items()):
            if at != cell or not roots.keys() >= set(aggregate.stripes):
                continue
            del self._unjudged[at, aggregator]
            found = [self._announced[cell].wrong(stripe, roots[stripe]) for stripe in aggregate.stripes]
            wrong = next((each[aggregator] for each in found if aggregator in each), None)
            stated = self._answered_for(cell, aggregator, aggregate)
            if wrong is not None:
                effects += self._verdict(cell, aggregator, wrong, f"chunk {wrong} is not the sum")
                if stated is not None:
                    effects.append(Tell(self._accusation(cell, aggregator, aggregate, stated, wrong)))
            else:
                unsaid = self._statements is not None and stated is None
                reason = "its operator does not answer for it" if unsaid else ""
                effects += self._verdict(cell, aggregator, None, reason)
        return effects

    def _contradictions(self, cell: int) -> Effects:
        """What operators stated of this cell's certified set in two ways, once its manifests are here."""
        if cell not in self._roots:
            return []
        effects: Effects = []
        for sender in self._view.duties(self._height, cell, self._chunks):
            pair = self._said.doubled(cell, sender)
            said = [] if pair is None else [(each, self._answered_for(cell, sender, each)) for each in pair]
            signed = [(self._statements.of_sum(of), each.statement) for each, of in said if self._statements and of]
            found = contradiction(self._view.accounts[sender], *signed) if len(signed) == 2 else None
            if found is not None:
                self._said.prove(cell, sender)
                effects += accuse(found)
        return effects

    def _answered_for(self, cell: int, aggregator: PeerKey, aggregate: Aggregate) -> SumStatement | None:
        """What the aggregator's operator signed for it; None if it signed nothing, or something else."""
        if self._statements is None or len(aggregate.statement) != STATEMENT_BYTES:
            return None
        manifests = [self._gatherer.manifest(each.manifest) for each in self._contributions(cell)]
        known = tuple(each for each in manifests if each is not None)
        if len(known) < len(manifests):
            return None
        stated = sum_statement(self._view, self._height, aggregate, self._chunks, known)
        signer = self._statements.signer_of_sum(stated, aggregate.statement)
        return stated if signer is not None and signer == self._view.accounts.get(aggregator) else None

    def _accusation(
        self, cell: int, aggregator: PeerKey, aggregate: Aggregate, stated: SumStatement, chunk: int
    ) -> WrongSum:
        contributions = self._contributions(cell)
        manifests = tuple(self._gatherer.manifest(each.manifest) for each in contributions)
        known = tuple(each for each in manifests if each is not None)
        return WrongSum(aggregator, aggregate, stated, chunk, tuple(each.contributor for each in contributions), known)

    def _contributions(self, cell: int) -> tuple[Contribution, ...]:
        assert self._sets is not None
        return next(each.contributions for each in self._sets.cells if each.cell == cell)

    def _verdict(self, cell: int, aggregator: PeerKey, chunk: int | None, reason: str) -> Effects:
        fields: dict[str, object] = {"height": self._height, "cell": cell, "aggregator": aggregator.hex()}
        verdict = Observe("verdict", fields | {"chunk": chunk, "ok": not reason, "reason": reason})
        return [verdict, Blame(aggregator, f"wrong sum of cell {cell}: {reason}")] if reason else [verdict]

    def _try_attest(self) -> Effects:
        """Attests a certified header whose cells are the sums that this validator computed, and open to its total."""
        wanted = len(stripes(self._chunks))
        if self._header is None or self._sets is None or any(len(each) < wanted for each in self._roots.values()):
            return []
        counted = [result for result in self._header.cells if result.contributors]
        if self._header.sets != list_digest(self._sets) or not all(self._binds(result) for result in counted):
            return self._refuse("it binds other sums than ours")
        spoiled = spoiled_sets(self._sets, self._header.cells)
        if self._header.suspects != after(self._suspects, self._view.epoch, self._height, spoiled):
            return self._refuse("it suspects others than its results and its parent's give")
        if len(self._opened) < len(counted):
            missing = [result for result in counted if result.cell not in self._opening]
            self._opening.update(result.cell for result in missing)
            if not self._scheme.needs_keys:
                return [self._reopen(result, b"") for result in missing]
            holders = self._view.committee
            return [Fetch("key", result, (result.key_digest,), holders, KEY_MAX_BYTES) for result in missing]
        cost = None if self._privacy is None else self._privacy.header_epsilon_micro(self._height)
        if self._header.epsilon_micro != cost:
            return self._refuse("its epsilon is not what so many rounds cost")
        if self._total is None:
            return self._compare(NO_DIGEST)
        lanes, self._total = self._total, None
        self.state = State.ADDING
        return [Job("total", total_of, (lanes, sum(self._opened.values())))]

    def added(self, event: JobDone, _: float) -> Effects:
        return self._compare(event.result[1])

    def _compare(self, total: Digest) -> Effects:
        assert self._header is not None
        if total != self._header.total:
            return self._refuse("its total is not the sum of its cells")
        self.state = State.ATTESTED
        return [Attest(self._header)]

    def _binds(self, result: CellResult) -> bool:
        """Whether a counted cell of the header is the sum of the certified set that we computed."""
        assert self._sets is not None
        sizes = {each.cell: len(each.contributions) for each in self._sets.cells}
        roots = self._roots.get(result.cell)
        return (
            roots is not None
            and update_root([root for stripe in sorted(roots) for root in roots[stripe]]) == result.sum_root
            and sizes[result.cell] == result.contributors
        )

    def _reopen(self, result: CellResult, key: bytes) -> Job:
        assert self._sets is not None
        cell_set = next(each for each in self._sets.cells if each.cell == result.cell)
        totals = [self._gatherer.total(result.cell, each, cell_set.contributions) for each in stripes(self._chunks)]
        residues = np.concatenate([total for total in totals if total is not None])
        context = PublicContext(self._view.round_beacon(self._height), self._height, result.cell)
        arguments = (residues, context, key, result.contributors, self._layout)
        return Job("reopen", self._scheme.reopen, arguments, subject=result)

    def _refuse(self, reason: str) -> Effects:
        self.state = State.ATTESTED
        assert self._header is not None
        return [Observe("refused-header", {"height": self._height, "reason": reason}), Differ(self._header, "sums")]
