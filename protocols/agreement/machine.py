"""Agreement on the one question of a round: which sets are opened. Here by one vote.

A member votes once for the first valid list that it is shown; t votes are a certificate; without one the round is
abandoned. The two-phase vote with locks (Tendermint, arXiv 1807.04938) will fill the same interface: in come `Ready`
(what this member holds) and messages, out goes `Certified`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import ClassVar

from protocols.agreement.certificate import check_list, list_digest, signatures
from protocols.effects import Blame, Effects, Journal, Publish, Send, SetTimer, Tell
from protocols.errors import RemoteError
from protocols.events import Event, Received, Started
from protocols.machine import Key, Machine
from protocols.rounds.epoch import EpochView
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signed, Signer
from protocols.wire.messages import CellSet, Contribution, ListCertificate, Proposal, SetList, Vote

KIND = "vote"
VIEW_S = 4.0
"""Seconds after which the next member stands in for a silent proposer."""
REPUBLISH_S = 2.0
"""Seconds after which a member publishes a certificate that its proposer should have published."""


class State(enum.Enum):
    """Where the agreement of one round stands for this node."""

    IDLE = enum.auto()
    WATCHING = enum.auto()  # not a member: waits for the certificate
    OPEN = enum.auto()  # has not voted
    VOTED = enum.auto()
    CERTIFIED = enum.auto()


class Agreement(Machine[State]):
    """One node, one round; only members of the committee propose and vote."""

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.IDLE, Started): "start",
        (State.OPEN, Ready): "ready",
        (State.OPEN, Proposal): "proposal",
        (State.OPEN, "timer:view"): "propose",
        (State.OPEN, Vote): "vote",
        (State.VOTED, Vote): "vote",
        (State.WATCHING, ListCertificate): "certificate",
        (State.OPEN, ListCertificate): "certificate",
        (State.VOTED, ListCertificate): "certificate",
        (State.CERTIFIED, ListCertificate): "seen",
        (State.CERTIFIED, "timer:republish"): "republish",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Ready, Certified, CellOpened, Shortfall})

    def __init__(
        self, view: EpochView, height: Height, me: PeerKey, sign: Signer, topic: str, journal: Iterable[Journal] = ()
    ) -> None:
        super().__init__(State.IDLE)
        self._view, self._height, self._me, self._sign, self._topic = view, height, me, sign, topic
        self._index = view.member_index(me)
        self._voted = next((Digest(record.payload) for record in journal if record.kind == KIND), None)
        self._held: Mapping[int, frozenset[Contribution]] = {}
        self._final = False
        self._proposed: dict[int, Digest] = {}
        self._lists: dict[Digest, SetList] = {}  # in the order in which they were proposed
        self._votes: dict[Digest, dict[int, Signed]] = {}
        self._voters: dict[int, Digest] = {}
        self._certificate: Signed | None = None
        self._seen = False
        self._ready_at = 0.0

    def start(self, _: Event, __: float) -> Effects:
        self.state = State.WATCHING if self._index is None else State.OPEN
        return []

    def ready(self, event: Ready, now: float) -> Effects:
        assert self._index is not None
        self._held = event.contributions
        effects = self._try_vote()
        if event.final and not self._final and self.state is State.OPEN:
            self._final, self._ready_at = True, now
            effects.append(SetTimer("view", now + VIEW_S * self._view.proposer_rank(self._height, self._index)))
        return effects

    def propose(self, _: Event, __: float) -> Effects:
        """Every cell that has its quorum; the rest of the cells sit this round out."""
        assert self._index is not None
        cells = tuple(
            CellSet(cell, tuple(sorted(held, key=lambda each: each.contributor)))
            for cell, held in sorted(self._held.items())
            if len(held) >= self._view.cell_quorum(cell)
        )
        if not cells:
            return [Tell(Shortfall(self._shortfall()))]
        proposal = Proposal(
            self._view.proposer_rank(self._height, self._index), SetList(self._view.slot(self._height), cells)
        )
        signed = self._sign(proposal)
        return [Send(member, signed) for member in self._view.committee]

    def proposal(self, event: Received, now: float) -> Effects:
        proposal, proposer = event.message, self._view.member_index(event.sender)
        assert isinstance(proposal, Proposal)
        if proposer is None or self._view.proposer_rank(self._height, proposer) != proposal.view:
            return [Blame(event.sender, "proposes out of its turn")]
        if not self._well_formed(proposal.sets):
            return [Blame(event.sender, "proposes a list that no member may vote for")]
        digest = list_digest(proposal.sets)
        if self._proposed.setdefault(proposer, digest) != digest:
            return []  # one list of each; it may have restarted and hold others now, so nobody is to blame
        self._lists[digest] = proposal.sets
        return [*self._try_vote(), *self._try_certify(now)]

    def vote(self, event: Received, now: float) -> Effects:
        vote, member = event.message, self._view.member_index(event.sender)
        assert isinstance(vote, Vote)
        if member is None:
            return [Blame(event.sender, "votes but is not in the committee")]
        if self._voters.setdefault(member, vote.sets) != vote.sets:
            return [Blame(event.sender, "votes twice in one round")]
        self._votes.setdefault(vote.sets, {})[member] = event.signed
        return self._try_certify(now)

    def certificate(self, event: Received, now: float) -> Effects:
        certificate = event.message
        assert isinstance(certificate, ListCertificate)
        return self.seen(event, now) or self._certified(certificate, now)

    def seen(self, event: Received, _: float) -> Effects:
        """Somebody has published the certificate (a true one): this member need not."""
        assert isinstance(event.message, ListCertificate)
        try:
            check_list(event.message, self._view)
        except RemoteError as error:
            return [Blame(event.sender, f"certificate refused: {error}")]
        self._seen = True
        return []

    def republish(self, _: Event, __: float) -> Effects:
        return [] if self._seen or self._certificate is None else [Publish(self._topic, self._certificate)]

    def _well_formed(self, sets: SetList) -> bool:
        """What can be told from the list alone: this round, cells in order, sets that may be opened."""
        cells = [cell_set.cell for cell_set in sets.cells]
        return (
            sets.slot == self._view.slot(self._height)
            and cells == sorted(set(cells))
            and all(map(self._view.admits, sets.cells))
        )

    def _try_vote(self) -> Effects:
        """Votes for the first proposed list of which all contributions are held and available.

        A member that voted before a restart votes for no other list than then.
        """
        held = (digest for digest, sets in self._lists.items() if all(map(self._holds, sets.cells)))
        digest = next((digest for digest in held if self._voted in (None, digest)), None)
        if digest is None or self.state is not State.OPEN:
            return []
        self.state, self._voted = State.VOTED, digest
        signed = self._sign(Vote(self._view.slot(self._height), digest))
        return [Journal(KIND, self._height, b"", digest), *(Send(member, signed) for member in self._view.committee)]

    def _holds(self, cell_set: CellSet) -> bool:
        return set(cell_set.contributions) <= self._held.get(cell_set.cell, frozenset())

    def _try_certify(self, now: float) -> Effects:
        for digest, votes in self._votes.items():
            if len(votes) >= self._view.params.threshold and digest in self._lists:
                certificate = ListCertificate(self._lists[digest], signatures(votes, self._view.params.threshold))
                return self._certified(certificate, now)
        return []

    def _certified(self, certificate: ListCertificate, now: float) -> Effects:
        self.state = State.CERTIFIED
        self._certificate = self._sign(certificate)
        effects: Effects = [Tell(Certified(certificate))]
        if self._index is None or self._seen:
            return effects
        rank = self._view.proposer_rank(self._height, self._index)
        if rank == 0:
            return [*effects, Publish(self._topic, self._certificate)]
        return [*effects, SetTimer("republish", now + REPUBLISH_S * rank)]

    def _shortfall(self) -> str:
        """Why there is nothing to propose, for people."""
        counts = [
            f"cell {cell}: {len(held)} of at least {self._view.cell_quorum(cell)}"
            for cell, held in sorted(self._held.items())
        ]
        return "too few contributions (" + ", ".join(counts or ["none"]) + ")"
