"""Dishonest committee members: what they propose, vote, release, dispute and sign."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from p2pnode.team import AnyMachine
from protocols.agreement.acceptance import fullest_list
from protocols.agreement.certificate import list_digest
from protocols.agreement.machine import Agreement
from protocols.effects import Effect, Effects, Publish, Send
from protocols.encryption.packing import pack_share, unpack_share
from protocols.encryption.sealing import find_opening
from protocols.encryption.sharing import FIELD
from protocols.errors import RemoteError
from protocols.events import Event, Received
from protocols.rounds.conclusion import Conclusion
from protocols.rounds.custody import Custody
from protocols.rounds.dealing import share_context
from protocols.told import Ready
from protocols.types import Digest, PeerKey
from protocols.updates.gossip import SUBNET
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellSet,
    Dispute,
    Header,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    Manifest,
    MemberSignature,
    Proposal,
    Release,
    SetList,
    Status,
    Submission,
    Vote,
)
from simnet.adversaries.stage import Scene, Strategy, sends


class Member(Strategy):
    """What they have in common."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.victims = scene.some(scene.honest(self.view.committee))
        """Who is told something else."""

    def noise(self) -> Digest:
        return Digest(self.random.randbytes(32))

    def smaller(self, sets: SetList) -> SetList | None:
        """The list without one contribution of one cell; None where no set can spare any."""
        spare = [each for each in sets.cells if len(each.contributions) > self.view.cell_quorum(each.cell)]
        if not spare:
            return None
        chosen = self.random.choice(spare)
        left_out = self.random.choice(chosen.contributions)
        fewer = CellSet(chosen.cell, tuple(each for each in chosen.contributions if each != left_out))
        return replace(sets, cells=tuple(fewer if each is chosen else each for each in sets.cells))


class EquivocalProposals(Member):
    """Shows some members a list that leaves a contributor out; now and then one of them both."""

    kind = "equivocal-proposals"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._other: dict[Digest, SetList | None] = {}

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or effect.to not in self.victims:
            return [effect]
        proposal = effect.signed.message
        if not isinstance(proposal, Proposal) or effect.signed.signer != self.scene.me:
            return [effect]
        digest = list_digest(proposal.sets)
        if digest not in self._other:
            self._other[digest] = self.smaller(proposal.sets)
        other = self._other[digest]
        if other is None:
            return [effect]
        lie = Send(effect.to, self.scene.sign(replace(proposal, sets=other, valid=None)))
        if self.random.random() < 0.3:
            return [effect, lie] if self.random.random() < 0.5 else [lie, effect]
        return [lie]


class DoubleVotes(Member):
    """Votes for a list, and tells some members that it voted for nil or another list; now and then one of them both."""

    kind = "double-votes"

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or effect.to not in self.victims:
            return [effect]
        vote = effect.signed.message
        if not isinstance(vote, Vote) or effect.signed.signer != self.scene.me:
            return [effect]
        sets = None if vote.sets is not None and self.random.random() < 0.5 else self.noise()
        lie = Send(effect.to, self.scene.sign(replace(vote, sets=sets, justified=None)))
        if self.random.random() < 0.5:
            return [effect, lie] if self.random.random() < 0.5 else [lie, effect]
        return [lie]


class VotesForAll(Member):
    """Prevotes, precommits and signs whatever is proposed, against every lock: any of two may get through."""

    kind = "votes-for-all"

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        if isinstance(machine, Conclusion) and isinstance(event, Received) and isinstance(event.message, HeaderVote):
            return [*effects, *self._also_sign(event.message)]
        if not isinstance(machine, Agreement) or not isinstance(event, Received):
            return effects
        proposal = event.message
        if not isinstance(proposal, Proposal):
            return effects
        sets = list_digest(proposal.sets)
        slot = self.view.slot(self.height)
        votes = [self.scene.sign(Vote(slot, proposal.view, phase, sets, None)) for phase in (PREVOTE, PRECOMMIT)]
        return [*effects, *(Send(to, vote) for to in self.view.committee if to != self.scene.me for vote in votes)]

    def _also_sign(self, header: HeaderVote) -> Effects:
        signed = self.scene.sign(header)
        return [Send(to, signed) for to in self.scene.honest(self.view.committee)]


class NilVotes(Member):
    """Votes for nothing, ever."""

    kind = "nil-votes"

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Vote):
            return [effect]
        if effect.signed.signer != self.scene.me or effect.to == self.scene.me:
            return [effect]
        return [Send(effect.to, self.scene.sign(replace(effect.signed.message, sets=None, justified=None)))]


class OutOfTurn(Member):
    """Proposes in others' views, with less than is due, and with junk in it."""

    kind = "out-of-turn"

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        if not isinstance(machine, Agreement) or not isinstance(event, Ready) or not event.final:
            return effects
        sets = fullest_list(event.contributions, self.view, self.height)
        if sets is None:
            return effects
        shorter = self.smaller(sets) or sets
        made = [
            Proposal(view, self.random.choice([sets, shorter, replace(sets, cells=sets.cells[:1])]), None)
            for view in range(3)
        ]
        signed = [self.scene.sign(each) for each in made]
        return [*effects, *(Send(to, each) for to in sorted(self.victims) for each in signed)]


class WrongShares(Member):
    """Releases a share that is wrong in one value, wholly random, of another length, or another one for each member."""

    kind = "wrong-shares"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._how = self.random.choice(["value", "random", "length", "each"])
        self._made: dict[int, Signed] = {}

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Release):
            return [effect]
        release = effect.signed.message
        if release.cell not in self._made or self._how == "each":
            wrong = self._wrong(release.share)
            self._made[release.cell] = self.scene.sign(replace(release, share=wrong))
            self.scene.did("wrong-share", wrong)
        return [Send(effect.to, self._made[release.cell])]

    def _wrong(self, packed: bytes) -> bytes:
        if self._how == "length":
            return packed[:-1]
        share = unpack_share(packed)
        if self._how == "value":
            share[self.random.randrange(share.size)] ^= 1
            share %= FIELD
        else:
            share = np.frombuffer(self.random.randbytes(2 * share.size), "<u2").astype(np.uint32)
        return pack_share(share)


class AdaptiveShares(Member):
    """Waits for the shares of others, and answers theirs with one that fits them in part: theirs plus a shift."""

    kind = "adaptive-shares"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._held: dict[int, list[Send]] = {}
        self._heard: dict[int, list[Release]] = {}

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        kept: Effects = []
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.signed.message, Release):
                self._held.setdefault(effect.signed.message.cell, []).append(effect)
            else:
                kept.append(effect)
        if isinstance(event, Received) and isinstance(event.message, Release) and event.sender != self.scene.me:
            heard = self._heard.setdefault(event.message.cell, [])
            if event.message not in heard:
                heard.append(event.message)
            if len(heard) >= self.view.params.threshold - 1:
                kept += self._answer(event.message.cell, heard)
        return kept

    def _answer(self, cell: int, heard: list[Release]) -> Effects:
        """Now and then the very share of another member, or its own shifted by the difference of two others."""
        answers: Effects = []
        one, other = (unpack_share(each.share) for each in self.random.sample(heard, 2))
        for effect in self._held.pop(cell, []):
            release = effect.signed.message
            assert isinstance(release, Release)
            own = unpack_share(release.share).astype(np.int64)
            crafted = ((own + one - other.astype(np.int64)) % FIELD).astype(np.uint32)
            signed = self.scene.sign(replace(release, share=pack_share(crafted)))
            answers.append(Send(effect.to, signed))
        return answers


class NoRelease(Member):
    """Votes, and then releases nothing."""

    kind = "no-release"

    def change(self, effect: Effect) -> Iterable[Effect]:
        return [] if sends(effect, Release) else [effect]


class SecondRelease(Member):
    """Releases for the certified set, and for another one as well."""

    kind = "second-release"

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Release):
            return [effect]
        lie = replace(effect.signed.message, cell_set=self.noise())
        if effect.to in self.scene.ring.peers:
            return [effect]
        return [effect, Send(effect.to, self.scene.sign(lie))]


class LyingDisputes(Member):
    """Disputes right shares: with their true opening, or with an invented one."""

    kind = "lying-disputes"

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        if not isinstance(machine, Custody) or not isinstance(event, Received):
            return effects
        submission = event.message
        if not isinstance(submission, Submission) or self.random.random() < 0.5:
            return effects
        try:
            dealt = open_envelope(submission.manifest)
            opening = self._opening(dealt, submission.sealed)
        except RemoteError:
            return effects
        dispute = Dispute(self.view.slot(self.height), submission.manifest, submission.sealed, opening)
        signed = self.scene.sign(dispute)
        self.scene.did("false-dispute", signed.digest)
        return [*effects, *(Send(to, signed) for to in self.scene.honest(self.view.committee))]

    def _opening(self, dealt: Signed, sealed: bytes) -> bytes:
        key, manifest = self.scene.context.epoch_key, dealt.message
        member = self.view.member_index(self.scene.me)
        if dealt.signer in self.scene.ring.peers or not sealed:
            raise RemoteError("an accomplice, or nothing to open")
        if key is None or key.erased or not isinstance(manifest, Manifest) or manifest.dealing is None or not member:
            raise RemoteError("nothing to open it with")
        if self.random.random() < 0.5:
            return bytes(self.noise())
        context = share_context(self.view, manifest, dealt.signer, member)
        return find_opening(key, manifest.dealing.public, sealed, context)


class LackingLies(Member):
    """Says that it holds none of what honest contributors submitted."""

    kind = "lacking-lies"

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        if not isinstance(machine, Agreement) or not isinstance(event, Ready):
            return effects
        every = sorted(each.manifest for held in event.contributions.values() for each in held)
        missing = tuple(self.random.sample(every, self.random.randint(0, len(every))))
        status = self.scene.sign(Status(self.view.slot(self.height), 0, missing))
        return [*effects, *(Send(to, status) for to in sorted(self.victims))]


class FalseHeaders(Member):
    """Signs a header with other parameters, results or suspects for some members; now and then for one both."""

    kind = "false-headers"

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or effect.to not in self.victims:
            return [effect]
        vote = effect.signed.message
        if not isinstance(vote, HeaderVote):
            return [effect]
        lie = Send(effect.to, self.scene.sign(HeaderVote(self._false(vote.header))))
        if self.random.random() < 0.5:
            return [effect, lie]
        return [lie]

    def _false(self, header: Header) -> Header:
        match self.random.randrange(3):
            case 0:
                return replace(header, params_digest=self.noise())
            case 1:
                return replace(header, total=self.noise())
            case _:
                first, *rest = header.cells
                return replace(header, cells=(replace(first, contributors=0), *rest))


class ForgedCertificates(Member):
    """Publishes certificates with too few, repeated or invented signatures, for lists and headers of its own."""

    kind = "forged-certificates"

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        if not isinstance(event, Received) or self.random.random() < 0.7:
            return effects
        message = event.message
        if isinstance(message, Proposal) and isinstance(machine, Agreement):
            other = self.smaller(message.sets) or message.sets
            return [*effects, self._publish(ListCertificate(other, message.view, self._signatures()))]
        if isinstance(message, HeaderVote):
            other_header = replace(message.header, params_digest=self.noise())
            return [*effects, self._publish(HeaderCertificate(other_header, self._signatures()))]
        return effects

    def _publish(self, message: ListCertificate | HeaderCertificate) -> Effect:
        return Publish(SUBNET, self.scene.sign(message))

    def _signatures(self) -> tuple[MemberSignature, ...]:
        count = self.view.params.threshold - self.random.randint(0, 1)
        return tuple(MemberSignature(member + 1, self.random.randbytes(64)) for member in range(count))


class BlindToSome(Member):
    """Acts as if a few honest contributors had submitted nothing."""

    kind = "blind-to-some"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        contributors = scene.honest(peer for cell in self.view.cells for peer in cell)
        self._unseen: frozenset[PeerKey] = frozenset(
            self.random.sample(sorted(contributors), min(2, len(contributors)))
        )

    def hears(self, machine: AnyMachine, event: Event) -> Event | None:
        if isinstance(event, Received) and isinstance(event.message, Submission) and event.sender in self._unseen:
            return None
        return event


KINDS = (
    EquivocalProposals,
    DoubleVotes,
    VotesForAll,
    NilVotes,
    OutOfTurn,
    WrongShares,
    AdaptiveShares,
    NoRelease,
    SecondRelease,
    LyingDisputes,
    LackingLies,
    FalseHeaders,
    ForgedCertificates,
    BlindToSome,
)
