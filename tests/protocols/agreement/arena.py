"""A committee in an arbitrary network: any order, losses, members killed between any two effects, and liars among them.

Everything is chosen by one random generator, so a seed is a whole run. What is checked does not depend on what anybody
happened to receive: all votes ever signed are kept, and no two lists may ever gather t precommits.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from protocols.agreement.certificate import list_digest, signatures
from protocols.agreement.evidence import Evidence, evidence_of
from protocols.agreement.machine import Agreement
from protocols.effects import Effect, Journal, Publish, Send, SetTimer, Tell
from protocols.events import Event, Received, Started, TimerFired
from protocols.params import Params
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.told import Certified, Ready
from protocols.types import NO_DIGEST, Digest, PeerKey, Role
from protocols.wire.envelope import Signed
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellSet,
    Contribution,
    Message,
    PrevoteCertificate,
    Proposal,
    SetList,
    Vote,
)
from tests.protocols.playbook import CONTRIBUTORS, ROUND, Peer, a_peer

CANDIDATES = [a_peer(number) for number in range(201, 217)]
WHO = {peer.key: peer for peer in CANDIDATES}


def a_committee(size: int, threshold: int) -> EpochView:
    """Two cells of four contributors, and a committee of this size."""
    params = Params(k_min=2, dropouts=2, committee=size, threshold=threshold)
    roster = [(peer.key, Role.DATA) for peer in CONTRIBUTORS]
    return draw_epoch(1, 1, 0, bytes(32), params, roster + [(peer.key, Role.COMPUTE) for peer in CANDIDATES[:size]])


def everything(view: EpochView) -> dict[int, frozenset[Contribution]]:
    return {cell: frozenset(Contribution(p, NO_DIGEST) for p in peers) for cell, peers in enumerate(view.cells)}


def list_without(view: EpochView, *left_out: PeerKey) -> SetList:
    cells = [
        CellSet(cell, tuple(Contribution(peer, NO_DIGEST) for peer in peers if peer not in left_out))
        for cell, peers in enumerate(view.cells)
    ]
    return SetList(view.slot(ROUND), tuple(cells))


def some_lists(view: EpochView) -> list[SetList]:
    """All contributions; without one; without another."""
    return [list_without(view), list_without(view, view.cells[0][0]), list_without(view, view.cells[1][0])]


def held_of(sets: SetList) -> dict[int, frozenset[Contribution]]:
    return {each.cell: frozenset(each.contributions) for each in sets.cells}


@dataclass
class Member:
    """An honest member, its disk, and what is on its way to it."""

    peer: Peer
    machine: Agreement
    journal: list[Journal] = field(default_factory=list)
    timers: set[str] = field(default_factory=set)
    inbox: list[Signed] = field(default_factory=list)


class Arena:
    """Honest members run `kind`; those of rank in `liars` are played by this class.

    Args:
        due: what everybody holds when it begins; any of the lists if None.
        kills: how often an event ends with the member killed.
    """

    def __init__(
        self,
        view: EpochView,
        liars: Iterable[int] = (),
        seed: int = 0,
        kind: type[Agreement] = Agreement,
        due: SetList | None = None,
        kills: float = 0.01,
    ) -> None:
        self.view, self.kind, self.random = view, kind, Random(seed)  # a test's choices
        self.lists, self.due, self.kills = some_lists(view), due, kills
        by_rank = sorted(view.committee, key=lambda key: view.proposer_rank(ROUND, view.committee.index(key) + 1))
        self.liars = [WHO[key] for rank, key in enumerate(by_rank) if rank in set(liars)]
        self.honest: dict[PeerKey, Member] = {}
        self.votes: dict[Vote, dict[int, Signed]] = defaultdict(dict)
        self.said: dict[PeerKey, list[Signed]] = defaultdict(list)
        self.certified: dict[PeerKey, Digest] = {}
        for key in by_rank:
            if WHO[key] not in self.liars:
                self.honest[key] = Member(WHO[key], self.born(WHO[key]))
        for member in self.honest.values():
            self.wake(member)

    def born(self, peer: Peer, journal: Sequence[Journal] = ()) -> Agreement:
        return self.kind(self.view, ROUND, peer.key, peer.sign, "subnet", journal)

    def wake(self, member: Member) -> None:
        self.handle(member, Started())
        self.handle(member, Ready(held_of(self.due or self.random.choice(self.lists)), final=True))
        self.handle(member, Ready(everything(self.view), final=True))

    def handle(self, member: Member, event: Event) -> None:
        """One event; its effects are performed in order, and now and then the member is killed between two."""
        effects = member.machine.handle(event, 0.0)
        killed = self.random.randrange(len(effects) + 1) if self.random.random() < self.kills else None
        for effect in effects[:killed]:
            self.perform(member, effect)
        if killed is not None:
            self.kill(member)

    def kill(self, member: Member) -> None:
        member.machine = self.born(member.peer, tuple(member.journal))
        member.timers.clear()
        member.inbox = [each for each in member.inbox if self.random.random() < 0.5]
        self.wake(member)

    def perform(self, member: Member, effect: Effect) -> None:
        match effect:
            case Journal():
                member.journal.append(effect)
            case Send(to=to, signed=signed):
                self.note(signed)
                if to in self.honest:
                    self.honest[to].inbox.append(signed)
            case Publish(signed=signed):
                for each in self.honest.values():
                    each.inbox.append(signed)
            case SetTimer(name=name):
                member.timers.add(name)
            case Tell(event=Certified(certificate=certificate)):
                self.certified[member.peer.key] = list_digest(certificate.sets)

    def note(self, signed: Signed) -> None:
        """Remembers a vote or proposal for ever: whoever wants to may show it to whomever."""
        if isinstance(signed.message, Vote):
            self.votes[signed.message][self.view.committee.index(signed.signer) + 1] = signed
        if isinstance(signed.message, Vote | Proposal) and signed not in self.said[signed.signer]:
            self.said[signed.signer].append(signed)

    # ------------------------------------------------------------------------------------------------ what happens

    def walk(self, steps: int) -> Arena:
        """So many arbitrary things."""
        for _ in range(steps):
            self.step()
        return self

    def step(self) -> None:
        member = self.random.choice(list(self.honest.values()))
        dice = self.random.random()
        if dice < 0.12 and self.liars:
            self.lie(member)
        elif dice < 0.22 and member.timers:
            self.handle(member, TimerFired(self.random.choice(sorted(member.timers))))
        elif dice < 0.25 and member.inbox:
            member.inbox.pop(self.random.randrange(len(member.inbox)))
        elif dice < 0.27:
            self.handle(member, Ready(held_of(self.random.choice(self.lists)), final=True))
        elif member.inbox:
            self.receive(member, member.inbox.pop(self.random.randrange(len(member.inbox))))

    def receive(self, member: Member, signed: Signed) -> None:
        self.handle(member, Received(signed))

    def lie(self, member: Member) -> None:
        """Something that may bring the victim nearer to another list than others."""
        number = member.machine._number  # a liar guesses well
        sets = self.random.choice(self.lists)
        proposer = WHO[self.view.committee[(ROUND + number) % len(self.view.committee)]]
        if proposer in self.liars and self.random.random() < 0.7:
            self.show(member, proposer, Proposal(number, sets, self.reason(sets, number)))
        justified = self.random.choice([None, *range(number)]) if self.random.random() < 0.5 else None
        for liar in self.liars:
            self.show(member, liar, Vote(self.view.slot(ROUND), number, PREVOTE, list_digest(sets), justified))
            if self.random.random() < 0.5:
                self.show(member, liar, Vote(self.view.slot(ROUND), number, PRECOMMIT, list_digest(sets), None))

    def reason(self, sets: SetList, before: int) -> PrevoteCertificate | None:
        """Prevotes for a list from an earlier view, if t can be had: honest ones, and whatever liars sign."""
        found = []
        for vote in list(self.votes):
            if vote.phase == PREVOTE and vote.sets == list_digest(sets) and vote.view < before:
                backing = self.backing(vote)
                if len(backing) >= self.view.params.threshold:
                    found.append(
                        PrevoteCertificate(vote.view, vote.justified, signatures(backing, self.view.params.threshold))
                    )
        return self.random.choice([None, *found])

    def backing(self, vote: Vote) -> dict[int, Signed]:
        liars = {self.view.committee.index(liar.key) + 1: liar.sign(vote) for liar in self.liars}
        return {**self.votes[vote], **liars}

    def show(self, member: Member, liar: Peer, message: Message) -> None:
        signed = liar.sign(message)
        self.note(signed)
        self.handle(member, Received(signed))

    # ---------------------------------------------------------------------------------------------- what must hold

    def certifiable(self) -> set[Digest]:
        """Lists for which anybody could ever show t precommits of one view."""
        votes = [vote for vote in list(self.votes) if vote.phase == PRECOMMIT and vote.sets is not None]
        return {
            vote.sets for vote in votes if vote.sets and len(self.backing(vote)) >= self.view.params.threshold
        } | set(self.certified.values())

    def faults_of_honest(self) -> list[Evidence]:
        """Evidence that somebody could make against an honest member."""
        return self.faults_of(self.honest)

    def faults_of(self, peers: Iterable[PeerKey]) -> list[Evidence]:
        """Evidence that somebody who has seen everything has against these."""
        pairs = (pair for key in peers for pair in itertools.combinations(self.said[key], 2))
        return [found for pair in pairs if (found := evidence_of(*pair)) is not None]
