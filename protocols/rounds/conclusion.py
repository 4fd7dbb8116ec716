"""A committee member's last part of a round: add the opened cells, take the outer step, sign the header."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import ClassVar

from protocols.agreement.certificate import check_header, list_digest, signatures
from protocols.agreement.evidence import accusation, evidence_of
from protocols.effects import (
    Anchor,
    Blame,
    Conclude,
    Effects,
    Job,
    Journal,
    Observe,
    Publish,
    Send,
    SetTimer,
    Step,
    Store,
    Tell,
)
from protocols.encryption.scheme import Lanes
from protocols.errors import RemoteError
from protocols.events import Event, JobDone, Received, Started, StepFailed, Stepped
from protocols.machine import Key, Machine
from protocols.privacy.promise import Privacy
from protocols.rounds.epoch import EpochView
from protocols.rounds.suspects import after, spoiled_sets
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.totals import total_of
from protocols.wire.envelope import Signed, Signer, digest_of
from protocols.wire.messages import (
    NO_SUSPECTS,
    CellResult,
    Header,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    Suspects,
)

KIND = "header"
STAND_IN_S = 2.0
"""Seconds by which each further member waits for the one before it to publish and to anchor."""


class State(enum.Enum):
    """Where the conclusion of a round stands."""

    WAITING = enum.auto()
    ADDING = enum.auto()  # a job makes the total
    STEPPING = enum.auto()  # the learner computes the new parameters
    SIGNED = enum.auto()
    DONE = enum.auto()


class Conclusion(Machine[State]):
    """One committee member, one round.

    Args:
        privacy: what the task promises: a header says what it has cost so far.
        model: digest of the parameters that the round starts from; they stay where no cell counts.
        suspects: what the parent's header carries.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.WAITING, Certified): "certified",
        (State.WAITING, CellOpened): "cell",
        (State.WAITING, HeaderVote): "vote",
        (State.ADDING, "done:total"): "added",
        (State.ADDING, HeaderVote): "vote",
        (State.STEPPING, Stepped): "stepped",
        (State.STEPPING, StepFailed): "step_failed",
        (State.STEPPING, HeaderVote): "vote",
        (State.SIGNED, HeaderVote): "vote",
        (State.DONE, HeaderVote): "vote",  # can still be evidence
        (State.WAITING, HeaderCertificate): "seen",
        (State.ADDING, HeaderCertificate): "seen",
        (State.STEPPING, HeaderCertificate): "seen",
        (State.SIGNED, HeaderCertificate): "seen",
        (State.DONE, HeaderCertificate): "seen",
        (State.DONE, "timer:republish"): "republish",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Started, Ready, Certified, CellOpened, Shortfall})

    def __init__(
        self,
        view: EpochView,
        height: Height,
        parent: Digest,
        me: PeerKey,
        sign: Signer,
        topic: str,
        journal: Iterable[Journal] = (),
        privacy: Privacy | None = None,
        model: Digest = NO_DIGEST,
        suspects: Suspects = NO_SUSPECTS,
    ) -> None:
        super().__init__(State.WAITING)
        index = view.member_index(me)
        assert index is not None, "only committee members conclude a round"
        self._view, self._height, self._parent, self._index = view, height, parent, index
        self._sign, self._topic, self._privacy = sign, topic, privacy
        self._journalled = next((Digest(record.payload) for record in journal if record.kind == KIND), None)
        self._model, self._suspects = model, suspects
        self._certificate: ListCertificate | None = None
        self._results: dict[int, CellResult] = {}
        self._sum: Lanes | None = None  # of the cells that count; they are not kept one by one
        self._total, self._total_digest = b"", NO_DIGEST
        self._votes: dict[Digest, dict[int, Signed]] = {}
        self._voters: dict[int, Signed] = {}
        self._certified: Signed | None = None
        self._seen = False

    def certified(self, event: Certified, now: float) -> Effects:
        self._certificate = event.certificate
        return self._try_step(now)

    def cell(self, event: CellOpened, now: float) -> Effects:
        self._results[event.result.cell] = event.result
        if event.lanes is not None:
            self._sum = event.lanes if self._sum is None else self._sum + event.lanes
        return self._try_step(now)

    def stepped(self, event: Stepped, now: float) -> Effects:
        return self._vote(event.params_digest, now)

    def _vote(self, params_digest: Digest, now: float) -> Effects:
        """Signs what this member computed itself; at most one header for each height, also across a restart."""
        header = self._header(params_digest)
        vote = HeaderVote(header)
        digest = digest_of(vote)
        if self._journalled is not None and self._journalled != digest:
            reason = "this member signed another header before its restart"
            return [Tell(Shortfall(reason))]
        self.state = State.SIGNED
        signed = self._sign(vote)
        sends = [Send(member, signed) for member in self._view.committee]
        total: Effects = [] if header.total == NO_DIGEST else [Store(((header.total, self._total),))]
        known = {each.peer for each in self._suspects.excluded}
        found = [each.peer.hex() for each in header.suspects.excluded if each.peer not in known]
        told: Effects = [Observe("excluded", {"height": self._height, "peers": found})] if found else []
        return [*total, Journal(KIND, self._height, b"", digest), *sends, *told, *self._try_certify(now)]

    def step_failed(self, event: StepFailed, _: float) -> Effects:
        """This member signs nothing in this round; the others may do without it."""
        return [Tell(Shortfall(event.reason))]

    def vote(self, event: Received, now: float) -> Effects:
        vote, member = event.message, self._view.member_index(event.sender)
        assert isinstance(vote, HeaderVote)
        if member is None:
            return [Blame(event.sender, "signs a header but is not in the committee")]
        digest = event.signed.digest
        evidence = evidence_of(self._voters.setdefault(member, event.signed), event.signed)
        if evidence is not None:
            return accusation(self._height, evidence)
        self._votes.setdefault(digest, {})[member] = event.signed
        return self._try_certify(now)

    def seen(self, event: Received, _: float) -> Effects:
        """Somebody has published a certificate (a true one): this member need not."""
        assert isinstance(event.message, HeaderCertificate)
        try:
            check_header(event.message, self._view)
        except RemoteError as error:
            return [Blame(event.sender, f"header refused: {error}")]
        self._seen = True
        return []

    def republish(self, _: Event, __: float) -> Effects:
        return [] if self._seen or self._certified is None else [Publish(self._topic, self._certified)]

    def _try_step(self, now: float) -> Effects:
        if self._certificate is None or len(self._results) < len(self._certificate.sets.cells):
            return []
        if self._sum is None:  # every cell was spoiled: the parameters stay, but what was spoiled is remembered
            return self._vote(self._model, now)
        contributors = sum(result.contributors for result in self._results.values())
        self.state, lanes, self._sum = State.ADDING, self._sum, None
        return [Job("total", total_of, (lanes, contributors))]

    def added(self, event: JobDone, _: float) -> Effects:
        self.state = State.STEPPING
        self._total, self._total_digest = event.result
        return [Step(self._parent, self._total)]

    def _header(self, params_digest: Digest) -> Header:
        assert self._certificate is not None
        sets = self._certificate.sets
        return Header(
            slot=self._view.slot(self._height),
            parent=self._parent,
            params_digest=params_digest,
            sets=list_digest(sets),
            total=self._total_digest,
            cells=tuple(result for _, result in sorted(self._results.items())),
            epsilon_micro=None if self._privacy is None else self._privacy.header_epsilon_micro(self._height),
            suspects=after(self._suspects, self._view.epoch, self._height, spoiled_sets(sets, self._results.values())),
        )

    def _try_certify(self, now: float) -> Effects:
        """Hands the certificate to this node's ledger; the first member in rank publishes and anchors it."""
        if self.state is not State.SIGNED:
            return []
        digest = next((digest for digest, votes in self._votes.items() if self._enough(votes)), NO_DIGEST)
        if digest not in self._votes:
            return []
        vote = next(iter(self._votes[digest].values())).message
        assert isinstance(vote, HeaderVote)
        certificate = HeaderCertificate(vote.header, signatures(self._votes[digest], self._view.params.threshold))
        self.state, self._certified = State.DONE, self._sign(certificate)
        rank = self._view.proposer_rank(self._height, self._index)
        effects: Effects = [Conclude(certificate), *self._anchor(vote.header, rank)]
        if rank == 0:
            return [*effects, Publish(self._topic, self._certified)]
        return [*effects, SetTimer("republish", now + STAND_IN_S * rank)]

    def _enough(self, votes: dict[int, Signed]) -> bool:
        return len(votes) >= self._view.params.threshold

    def _anchor(self, header: Header, rank: int) -> Effects:
        if not self._view.params.anchored(self._height):
            return []
        return [Anchor(header, STAND_IN_S * rank)]
