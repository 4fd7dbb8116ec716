"""Agreement on the one question of a round: which sets are opened.

Tendermint (arXiv 1807.04938, Algorithm 1; the comments name its lines): views with a rotating proposer, prevotes,
precommits, and a lock that survives a change of proposer. While fewer than 2t - n members lie, no two lists are ever
certified; whatever the network does, and wherever a member is killed, since it journals before it signs. In come
`Ready` (what this member holds) and messages, out goes `Certified`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from protocols.agreement.acceptance import (
    Held,
    fullest_list,
    is_well_formed,
    lacking,
    leaves_out,
    missed_by,
    shortfall,
    without,
)
from protocols.agreement.certificate import check_list, check_prevotes, list_digest
from protocols.agreement.evidence import Evidence, double_votes
from protocols.agreement.knowledge import Knowledge
from protocols.agreement.memory import Lock, Memory
from protocols.agreement.tally import is_sound
from protocols.effects import Blame, Effects, Journal, Observe, Publish, Send, SetTimer, Tell
from protocols.errors import RemoteError
from protocols.events import Event, Received, Started
from protocols.machine import Key, Machine
from protocols.rounds.epoch import EpochView
from protocols.told import CellOpened, Certified, Ready, Shortfall
from protocols.types import Digest, Height, PeerKey
from protocols.wire.envelope import Signed, Signer
from protocols.wire.messages import (
    MISSING_MAX,
    PRECOMMIT,
    PREVOTE,
    ListCertificate,
    PrevoteCertificate,
    Proposal,
    SetList,
    Status,
    Vote,
)

PROPOSE_S = 4.0
"""Seconds for which a view waits for its proposal, and for the contributions in it."""
VOTE_S = 2.0
"""Seconds for which it waits, with t votes that do not agree, for the rest."""
GROW_S = 1.0
"""Seconds by which each view waits longer than the one before: sooner or later longer than messages take."""
ASK_S = 5.0
"""Seconds in one view after which a member says where it stands, so that others send what it missed."""
ANSWERS_MAX = 16
"""Answers to one peer in a round."""
REPUBLISH_S = 2.0
"""Seconds after which a member publishes a certificate that its proposer should have published."""
VIEW_MAX = 255
EVIDENCE = "evidence"


class State(enum.Enum):
    """Where the agreement of one round stands for this node."""

    IDLE = enum.auto()
    WATCHING = enum.auto()  # not a member: waits for the certificate
    OPEN = enum.auto()  # a member that still gathers
    PROPOSING = enum.auto()  # waits for the view's proposal
    PREVOTED = enum.auto()
    PRECOMMITTED = enum.auto()
    CERTIFIED = enum.auto()
    VOID = enum.auto()  # the epoch closed over it


MEMBER_STATES: Final = (State.OPEN, State.PROPOSING, State.PREVOTED, State.PRECOMMITTED)
WHILE_OPEN: Final[dict[Key, str]] = {
    Ready: "ready",
    Proposal: "proposal",
    Vote: "vote",
    Status: "status",
    ListCertificate: "certificate",
    "timer:over": "over",
    "timer:ask": "ask",
}


class Agreement(Machine[State]):
    """One node, one round; only members of the committee propose and vote.

    Args:
        journal: this height's records, if it was begun before a crash.
        announce: tell everybody that a member is in this round, since the one before was abandoned.
    """

    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.IDLE, Started): "start",
        **{(state, key): method for state in MEMBER_STATES for key, method in WHILE_OPEN.items()},
        (State.PROPOSING, "timer:propose"): "no_proposal",
        (State.PREVOTED, "timer:prevote"): "no_list",
        (State.WATCHING, ListCertificate): "certificate",
        (State.WATCHING, "timer:ask"): "ask",
        (State.CERTIFIED, ListCertificate): "seen",
        (State.CERTIFIED, Status): "answer",
        (State.CERTIFIED, Vote): "late_vote",  # can still be evidence
        (State.CERTIFIED, Proposal): "proposal",  # so can a second proposal of one view, even if both come late
        (State.CERTIFIED, "timer:republish"): "republish",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset({Started, Ready, Certified, CellOpened, Shortfall})

    def __init__(
        self,
        view: EpochView,
        height: Height,
        me: PeerKey,
        sign: Signer,
        topic: str,
        journal: Iterable[Journal] = (),
        announce: bool = False,
    ) -> None:
        super().__init__(State.IDLE)
        self._view, self._height, self._me, self._sign, self._topic = view, height, me, sign, topic
        self._announce = announce
        self._slot = view.slot(height)
        self._index = view.member_index(me)
        self._faulty = len(view.committee) - view.params.threshold  # f: so many may be missing
        self._memory = Memory(height, journal)
        self._known = Knowledge(self._slot, len(view.committee), view.params.threshold, self._memory.lock)
        self._number = 0  # of the view (Tendermint's round)
        self._held: Held = {}
        self._due: Held = {}  # held when the view began
        self._armed: dict[str, int] = {}  # timers, by the view that they are for
        self._answered: dict[PeerKey, int] = {}
        self._asked = 0
        self._accused: set[PeerKey] = set()
        self._certificate: Signed | None = None
        self._seen = False

    def erase(self) -> None:
        """The epoch has closed: a round that is not agreed by now is void, and nothing more is signed in it."""
        if self.state is not State.CERTIFIED:
            self.state = State.VOID

    # ------------------------------------------------------------------------------------------------------ events

    def start(self, _: Event, now: float) -> Effects:
        """Who only watches asks for the certificate if it has not come in time."""
        if self._index is not None:
            self.state = State.OPEN
            return [Publish(self._topic, self._sign(Status(self._slot, None, ())))] if self._announce else []
        self.state = State.WATCHING
        if self._me not in self._view.participants:
            return []
        params = self._view.params
        return [SetTimer("ask", now + params.submit_s + params.agree_s)]

    def ready(self, event: Ready, now: float) -> Effects:
        self._held = event.contributions
        if self.state is State.OPEN and event.final:
            return [*self._enter(self._memory.view, now), *self._advance(now)]
        return self._advance(now)

    def proposal(self, event: Received, now: float) -> Effects:
        proposal = event.message
        assert isinstance(proposal, Proposal)
        if event.sender != self._proposer(proposal.view):
            return [Blame(event.sender, "proposes out of its turn")]
        if not is_well_formed(proposal.sets, self._view, self._height):
            return [Blame(event.sender, "proposes a list that no member may vote for")]
        if proposal.view > self._number + len(self._view.committee):
            return []  # far ahead; should it be right, its votes bring us there
        try:
            self._check_valid(proposal)
        except RemoteError as error:
            return [Blame(event.sender, f"proposes a list again without a reason: {error}")]
        return [*self._accuse(self._known.propose(event.signed)), *self._advance(now)]

    def vote(self, event: Received, now: float) -> Effects:
        vote, member = event.message, self._view.member_index(event.sender)
        assert isinstance(vote, Vote)
        if member is None:
            return [Blame(event.sender, "votes but is not in the committee")]
        if not is_sound(vote):
            return [Blame(event.sender, "casts a vote that no member may cast")]
        self._known.came_to(member, vote.view)
        if vote.view > self._number + len(self._view.committee):
            return self._advance(now)
        return [*self._accuse(self._known.vote(member, event.signed)), *self._advance(now)]

    def late_vote(self, event: Received, _: float) -> Effects:
        """What comes after the certificate can still be evidence."""
        vote, member = event.message, self._view.member_index(event.sender)
        assert isinstance(vote, Vote)
        if member is None or not is_sound(vote) or vote.view > self._number + len(self._view.committee):
            return []
        return self._accuse(self._known.vote(member, event.signed))

    def status(self, event: Received, now: float) -> Effects:
        """Notes where another member stands, and sends it what it may have missed of its view."""
        status, member = event.message, self._view.member_index(event.sender)
        assert isinstance(status, Status)
        if member is None:
            return []  # a contributor asks for the certificate: there is none yet
        self._known.missing[member] = frozenset(status.missing)
        effects: Effects = []
        if status.view is not None:
            self._known.came_to(member, status.view)
            if event.sender != self._me and self._may_answer(event.sender):
                said = self._known.said_in(sorted({status.view, self._number}))
                effects = [Send(event.sender, signed) for signed in said]
        return [*effects, *self._advance(now)]

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
        return self._compare(event.message)

    def answer(self, event: Received, _: float) -> Effects:
        """Somebody is late: the certificate is all it needs."""
        if self._index is None or self._certificate is None or event.sender == self._me:
            return []
        return [Send(event.sender, self._certificate)] if self._may_answer(event.sender) else []

    # ------------------------------------------------------------------------------------------------------ timers

    def no_proposal(self, _: Event, now: float) -> Effects:
        """Line 57; where the proposal came but contributions did not, the next proposers are told which."""
        told = self._tell_status() if self._known.lacking(self._held) else []
        return [*self._cast(PREVOTE, None), *told, *self._advance(now)]

    def no_list(self, _: Event, now: float) -> Effects:
        """Line 61."""
        if self._armed.get("prevote") != self._number:
            return []
        return [*self._cast(PRECOMMIT, None), *self._advance(now)]

    def over(self, _: Event, now: float) -> Effects:
        """Line 65."""
        if self._armed.get("over") != self._number or self.state is State.OPEN:
            return []
        return [*self._enter(self._number + 1, now), *self._advance(now)]

    def ask(self, _: Event, now: float) -> Effects:
        """Something got lost, or others are late: says where this node stands."""
        return [*self._tell_status(), SetTimer("ask", now + ASK_S)]

    def republish(self, _: Event, __: float) -> Effects:
        return [] if self._seen or self._certificate is None else [Publish(self._topic, self._certificate)]

    # ------------------------------------------------------------------------------------------------------- rules

    def _advance(self, now: float) -> Effects:
        """Applies the rules until none has anything to do."""
        effects: Effects = []
        while self.state in MEMBER_STATES and (step := self._rule(now)):
            effects += step
        return effects

    def _rule(self, now: float) -> Effects:
        decided = self._try_certify(now) or self._try_skip(now)
        if decided or self.state is State.OPEN:
            return decided
        return self._try_prevote() or self._try_precommit(now) or self._try_end(now)

    def _try_certify(self, now: float) -> Effects:
        """Line 49: t precommits for a list, of whatever view."""
        certificate = self._known.certificate()
        return [] if certificate is None else self._certified(certificate, now)

    def _try_skip(self, now: float) -> Effects:
        """Line 55: more members than can lie are in a later view."""
        target = self._known.reached_by(self._faulty + 1)
        if target <= self._number:
            return []
        return self._enter(max(target, self._memory.view), now)

    def _try_prevote(self) -> Effects:
        """Lines 22 and 28: once it is clear what to say of the view's proposal."""
        if self.state is not State.PROPOSING or self._number not in self._known.proposals:
            return []
        proposal = self._known.proposals[self._number].message
        assert isinstance(proposal, Proposal)
        verdict = self._verdict(proposal)
        if verdict is None:
            return []
        justified = proposal.valid.view if proposal.valid is not None else None
        return self._cast(PREVOTE, list_digest(proposal.sets), justified) if verdict else self._cast(PREVOTE, None)

    def _try_precommit(self, now: float) -> Effects:
        """Lines 34 to 46: with t prevotes for a list it is locked, without the prospect of them there is none."""
        if self.state is not State.PREVOTED:
            return []
        valid, tally = self._known.valid, self._known.tally
        if valid is not None and valid[1].view == self._number:
            return self._lock(*valid)
        if tally.is_hopeless(self._number, PREVOTE):
            return self._cast(PRECOMMIT, None)
        if tally.is_complete(self._number, PREVOTE):
            return self._arm("prevote", now)
        return []

    def _try_end(self, now: float) -> Effects:
        """Line 47; at once where no list can be certified in this view any more."""
        if self._known.tally.is_hopeless(self._number, PRECOMMIT):
            return self._enter(self._number + 1, now)
        if self._known.tally.is_complete(self._number, PRECOMMIT):
            return self._arm("over", now)
        return []

    def _verdict(self, proposal: Proposal) -> bool | None:
        """Whether to prevote for a proposal; None while it lacks contributions that may still come.

        Lists of the first f + 1 proposers, one of whom is honest, must leave nothing out that is due. Those behind
        them may: else who sends its contribution to some members and not to others would stop every round.
        """
        lock = self._memory.lock
        if lock is not None and lock.digest == list_digest(proposal.sets):
            return True
        if proposal.valid is not None:  # t members hold all of it
            return lock is None or lock.vote.view <= proposal.valid.view
        if lock is not None:
            return False
        due = without(self._due, missed_by(self._known.missing, self._faulty + 1))
        if self._number <= self._faulty and leaves_out(proposal.sets, due, self._view):
            return False
        return None if lacking(proposal.sets, self._held) else True

    # ----------------------------------------------------------------------------------------------------- actions

    def _enter(self, number: int, now: float) -> Effects:
        """Line 11. A member that has signed in this view before a crash says the same again and goes on from there."""
        if number > VIEW_MAX:
            self.state = State.VOID
            return [Tell(Shortfall(f"no list found {self._view.params.threshold} votes in {VIEW_MAX + 1} views"))]
        self.state, self._number, self._due = State.PROPOSING, number, self._held
        patience = GROW_S * number
        timers: Effects = [SetTimer("propose", now + PROPOSE_S + patience), SetTimer("ask", now + ASK_S + patience)]
        proposed = self._propose() if self._proposer(number) == self._me else []
        return [*timers, *proposed, *self._say_again(), *self._forward()]

    def _propose(self) -> Effects:
        """Line 14: the list that had t prevotes, else all that this member holds (and, later on, nobody misses)."""
        known = self._memory.proposals.get(self._number)
        proposal = known or self._proposal()
        if proposal is None:
            return [Tell(Shortfall(shortfall(self._held, self._view)))]
        journal = [self._memory.propose(proposal)] if known is None else []
        return [*journal, *self._tell_all(proposal)]

    def _proposal(self) -> Proposal | None:
        valid = self._known.valid
        if valid is not None and valid[1].view < self._number:
            return Proposal(self._number, *valid)
        misses = self._faulty + 1 if self._number <= self._faulty else 1
        sets = fullest_list(without(self._held, missed_by(self._known.missing, misses)), self._view, self._height)
        return None if sets is None else Proposal(self._number, sets, None)

    def _say_again(self) -> Effects:
        effects: Effects = []
        for phase, state in ((PREVOTE, State.PREVOTED), (PRECOMMIT, State.PRECOMMITTED)):
            vote = self._memory.votes.get((self._number, phase))
            if vote is not None:
                self.state = state
                effects += self._tell_all(vote)
        return effects

    def _forward(self) -> Effects:
        """What was nearly agreed goes to this view's and the next one's proposer, in case they alone did not see it."""
        known = self._known.nearly_agreed() if self._number else []
        proposers = {self._proposer(self._number), self._proposer(self._number + 1)} - {self._me}
        return [Send(proposer, signed) for proposer in sorted(proposers) for signed in known]

    def _cast(self, phase: int, sets: Digest | None, justified: int | None = None) -> Effects:
        vote = Vote(self._slot, self._number, phase, sets, justified)
        self.state = State.PREVOTED if phase == PREVOTE else State.PRECOMMITTED
        return [self._memory.vote(vote), *self._tell_all(vote)]

    def _lock(self, sets: SetList, prevotes: PrevoteCertificate) -> Effects:
        """Line 38."""
        vote = Vote(self._slot, self._number, PRECOMMIT, list_digest(sets), None)
        self.state = State.PRECOMMITTED
        return [self._memory.precommit(Lock(vote, sets, prevotes)), *self._tell_all(vote)]

    def _tell_all(self, message: Vote | Proposal) -> Effects:
        signed = self._sign(message)
        return [Send(member, signed) for member in self._view.committee]

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

    def _tell_status(self) -> Effects:
        """A member tells all members; who watches asks f + 1 of them, others each time."""
        status = Status(self._slot, None, ())
        if self._index is not None:
            missing = tuple(self._known.lacking(self._held)[:MISSING_MAX])
            status = Status(self._slot, None if self.state is State.OPEN else self._number, missing)
        committee, signed = self._view.committee, self._sign(status)
        asked = [committee[(self._asked + step) % len(committee)] for step in range(self._faulty + 1)]
        self._asked += 1
        return [Send(member, signed) for member in (committee if self._index else asked) if member != self._me]

    def _compare(self, other: ListCertificate) -> Effects:
        """Two lists are certified: more members lie than this committee stands, and people should know who."""
        known = self._certificate.message if self._certificate is not None else None
        if not isinstance(known, ListCertificate) or known.sets == other.sets:
            return []
        accused = [effect for each in double_votes(known, other, self._view) for effect in self._accuse(each)]
        return [Observe("forked", {"height": self._height}), *accused]

    def _accuse(self, evidence: Evidence | None) -> Effects:
        """Once a round, with evidence that stays."""
        if evidence is None or evidence.culprit in self._accused:
            return []
        self._accused.add(evidence.culprit)
        record = Journal(EVIDENCE, self._height, evidence.culprit, evidence.encode())
        return [record, Blame(evidence.culprit, evidence.reason)]

    # ----------------------------------------------------------------------------------------------------- details

    def _proposer(self, number: int) -> PeerKey:
        committee = self._view.committee
        return committee[(self._height + number) % len(committee)]

    def _check_valid(self, proposal: Proposal) -> None:
        if proposal.valid is None:
            return
        if proposal.valid.view >= proposal.view:
            raise RemoteError("its prevotes are not of an earlier view")
        check_prevotes(proposal.valid, proposal.sets, self._view)

    def _arm(self, timer: str, now: float) -> Effects:
        """Sets a timer, once a view."""
        if self._armed.get(timer) == self._number:
            return []
        self._armed[timer] = self._number
        return [SetTimer(timer, now + VOTE_S + GROW_S * self._number)]

    def _may_answer(self, peer: PeerKey) -> bool:
        self._answered[peer] = self._answered.get(peer, 0) + 1
        return self._answered[peer] <= ANSWERS_MAX
