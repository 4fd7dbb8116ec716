"""Dishonest contributors: what they encrypt, deal, submit and serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Final, Protocol

import numpy as np

from p2pnode.team import AnyMachine
from protocols.effects import Effect, Effects, Job, Send, Store
from protocols.encryption.degree import draw_challenge, draw_masks, prove_degree
from protocols.encryption.layout import Layout
from protocols.encryption.packing import pack_bits
from protocols.encryption.ring import DEGREE, PRIME_BITS
from protocols.encryption.scheme import Lanes, PublicContext, Scheme, Share
from protocols.encryption.sealing import DealingKey, seal
from protocols.encryption.sharing import FIELD
from protocols.errors import RemoteError
from protocols.events import Event, JobDone, Received
from protocols.hashing import tagged
from protocols.rounds.contribution import Contribution, encrypt_update
from protocols.rounds.dealing import Dealt, deal_key, pack_dealt, sealed_digest
from protocols.rounds.epoch import EpochView
from protocols.types import Digest, PeerKey, Secret
from protocols.updates.chunks import chunk_roots, update_root
from protocols.wire.envelope import Signed, open_envelope
from protocols.wire.messages import Dealing, Manifest, Submission
from simnet.adversaries.crafted import Crafted
from simnet.adversaries.stage import Scene, Strategy

VALUE_MAX: Final = 2**15 - 1


@dataclass(frozen=True)
class Deal:
    """All that an encryption is asked for, in the order of `encrypt_update`."""

    scheme: Scheme
    view: EpochView
    height: int
    cell: int
    dealer: PeerKey
    lanes: Lanes
    seed: Secret
    keys: Mapping[int, bytes]
    layout: Layout

    def honestly(self) -> Crafted:
        made = encrypt_update(*(getattr(self, field.name) for field in fields(self)))
        return Crafted(made.chunks, made.dealt, self.lanes)

    def other(self, name: str) -> Secret:
        """Another seed, which follows from this one."""
        return Secret(tagged("crafted", self.seed.reveal(), name.encode()))

    def dealt(self, root: Digest, shares: list[Share], published: list[Share]) -> Dealt:
        """A dealing by hand: these shares are sealed, on the polynomials of those it says that they lie."""
        threshold, members = self.view.params.threshold, len(self.view.committee)
        masks, key = draw_masks(self.seed, threshold, members), DealingKey(self.other("dealing"))
        sealed = tuple(
            seal(
                key,
                self.keys[member],
                pack_dealt(shares[member - 1], masks[member - 1]),
                self.view.sealing_context(self.height, self.cell, self.dealer, member, root),
            )
            if member in self.keys
            else b""
            for member in range(1, members + 1)
        )
        context = self.view.dealing_context(self.height, self.cell, self.dealer, root)
        challenge = draw_challenge(context, key.public, tuple(map(sealed_digest, sealed)))
        proof = prove_degree(challenge, published, masks, threshold)
        return Dealt(sealed, Dealing(key.public, key.prove(context), proof))


def overflowing(deal: Deal, how: float) -> Crafted:
    """Values far beyond what the norm's bound allows, as many as fit the lanes."""
    sign = 1 if how < 0.5 else -1
    lanes = np.full_like(deal.lanes, sign * VALUE_MAX) if how < 0.7 else deal.lanes + 1500
    return replace(deal, lanes=np.clip(lanes, -VALUE_MAX, VALUE_MAX)).honestly()


def misfitting(deal: Deal, how: float) -> Crafted:  # noqa: ARG001  # one way only
    """A key that is not its ciphertexts'."""
    made = deal.honestly()
    root = update_root([root for root, _ in made.chunks])
    place = (deal.view, deal.height, deal.cell, deal.dealer, root)
    return Crafted(made.chunks, deal_key(deal.scheme, *place, deal.other("key"), deal.keys), None)


def noisy(deal: Deal, how: float) -> Crafted:
    """Ciphertexts with an error far over its bound, in one coefficient or in all."""
    context = PublicContext(deal.view.round_beacon(deal.height), deal.height, deal.cell)
    residues = deal.scheme.encrypt(deal.lanes, deal.seed, context, deal.layout)
    error = np.zeros_like(residues)
    error[0, :, : 1 if how < 0.5 else None] = 900
    residues = deal.scheme.add([residues, error])
    chunks = tuple(zip(chunk_roots(residues, 0), deal.scheme.pack(residues), strict=True))
    root = update_root([root for root, _ in chunks])
    place = (deal.view, deal.height, deal.cell, deal.dealer, root)
    return Crafted(chunks, deal_key(deal.scheme, *place, deal.seed, deal.keys), None)


def starving(deal: Deal, how: float) -> Crafted:
    """One member's share is wrong in one value, all else right."""
    made = deal.honestly()
    shares = deal.scheme.deal(deal.seed, deal.view.params.threshold, len(deal.view.committee))
    victim = int(how * len(shares))
    wrong = [_shifted(share) if number == victim else share for number, share in enumerate(shares)]
    root = update_root([root for root, _ in made.chunks])
    return Crafted(made.chunks, deal.dealt(root, wrong, shares), made.truth, frozenset({victim + 1}))


def too_high(deal: Deal, how: float) -> Crafted:  # noqa: ARG001  # one way only
    """Shares on polynomials of a degree that is one too high."""
    made = deal.honestly()
    shares = deal.scheme.deal(deal.seed, deal.view.params.threshold, len(deal.view.committee))
    width = len(shares[0])
    top = np.frombuffer(deal.other("degree").reveal() * (width // 16), "<u2")[:width].astype(np.int64)
    threshold = deal.view.params.threshold
    high = [
        ((share + top * pow(member, threshold, FIELD)) % FIELD).astype(np.uint32)
        for member, share in enumerate(shares, 1)
    ]
    root = update_root([root for root, _ in made.chunks])
    return Crafted(
        made.chunks, deal.dealt(root, high, high), made.truth, frozenset(range(threshold + 1, len(high) + 1))
    )


def beyond_prime(deal: Deal, how: float) -> Crafted:  # noqa: ARG001  # one way only
    """Residues that are not below their prime, under digests that name just these bytes."""
    made = deal.honestly()
    residues = np.full((1, len(PRIME_BITS), DEGREE), 2**46 - 1, dtype=np.uint64)
    packed = b"".join(pack_bits(each, bits) for each, bits in zip(residues[0], PRIME_BITS, strict=True))
    root = chunk_roots(residues, 0)[0]
    chunks = ((root, packed), *made.chunks[1:])
    whole = update_root([root for root, _ in chunks])
    place = (deal.view, deal.height, deal.cell, deal.dealer, whole)
    return Crafted(chunks, deal_key(deal.scheme, *place, deal.seed, deal.keys), None)


def _shifted(share: Share) -> Share:
    changed = share.copy()
    changed[0] = (int(changed[0]) + 1) % FIELD
    return changed


class Craft(Protocol):
    """Makes an update, in one of its ways (0 to 1)."""

    def __call__(self, deal: Deal, how: float) -> Crafted: ...


class Crafting(Strategy):
    """Encrypts and deals in its own way."""

    craft: ClassVar[Craft]

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Job) or effect.function is not encrypt_update:
            return [effect]
        arguments = (*effect.arguments, type(self).craft, self.random.random())
        return [replace(effect, function=_crafted, arguments=arguments)]


def _crafted(*arguments: Any) -> Crafted:
    *asked, craft, how = arguments
    made: Crafted = craft(Deal(*asked), how)
    return made


class Overflow(Crafting):
    """See `overflowing`."""

    kind = "overflow"
    craft = staticmethod(overflowing)


class MisfitKey(Crafting):
    """See `misfitting`."""

    kind = "misfit-key"
    craft = staticmethod(misfitting)


class HugeErrors(Crafting):
    """See `noisy`."""

    kind = "huge-errors"
    craft = staticmethod(noisy)


class Starve(Crafting):
    """See `starving`."""

    kind = "starve-a-member"
    craft = staticmethod(starving)


class BadDegree(Crafting):
    """See `too_high`."""

    kind = "bad-degree"
    craft = staticmethod(too_high)


class BigResidues(Crafting):
    """See `beyond_prime`."""

    kind = "big-residues"
    craft = staticmethod(beyond_prime)


class Submitting(Strategy):
    """Changes what is submitted, and to whom."""

    def change(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Submission):
            return [effect]
        return self.submit(effect, effect.signed.message)

    def submit(self, effect: Send, submission: Submission) -> Iterable[Effect]:
        """What goes out in place of one submission."""
        raise NotImplementedError


class TwoManifests(Submitting):
    """Makes two updates for one slot, and shows one or the other, or both."""

    kind = "two-manifests"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._other: Crafted | None = None
        self._manifest = b""

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        done = isinstance(machine, Contribution) and isinstance(event, JobDone) and event.job.purpose == "encrypt"
        if done and isinstance(event, JobDone):
            deal = Deal(*event.job.arguments[:9])
            self._other = replace(deal, seed=deal.other("second"), lanes=-deal.lanes).honestly()
            self.scene.ring.truths[update_root([root for root, _ in self._other.chunks])] = -deal.lanes
            return [Store(self._other.chunks), *super().does(machine, event, effects, now)]
        return super().does(machine, event, effects, now)

    def submit(self, effect: Send, submission: Submission) -> Iterable[Effect]:
        if self._other is None or effect.to in self.scene.ring.peers:
            return [effect]
        if not self._manifest:
            first = open_envelope(submission.manifest).message
            assert isinstance(first, Manifest)
            roots, dealt = tuple(root for root, _ in self._other.chunks), self._other.dealt
            second = replace(
                first, chunk_roots=roots, shares=tuple(map(sealed_digest, dealt.sealed)), dealing=dealt.dealing
            )
            self._manifest = self.scene.sign(second).encoded
        member = self.view.member_index(effect.to)
        sealed = self._other.dealt.sealed[member - 1] if member else b""
        lie = Send(effect.to, self.scene.sign(Submission(submission.slot, self._manifest, sealed)))
        dice = self.random.random()
        if dice < 0.3:
            return [effect]
        if dice < 0.6:
            return [lie]
        return [effect, lie] if dice < 0.8 else [lie, effect]


class SubmitToSome(Submitting):
    """Submits to a few members and aggregators only."""

    kind = "submit-to-some"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._chosen = scene.some(self.view.participants, 0)

    def submit(self, effect: Send, submission: Submission) -> Iterable[Effect]:
        return [effect] if effect.to in self._chosen else []


class SealJunk(Submitting):
    """Sends some members other bytes than the sealed share that its manifest names."""

    kind = "seal-junk"

    def submit(self, effect: Send, submission: Submission) -> Iterable[Effect]:
        if self.random.random() < 0.5 or not submission.sealed:
            return [effect]
        junk = self.random.randbytes(len(submission.sealed))
        return [Send(effect.to, self.scene.sign(replace(submission, sealed=junk)))]


class WrongManifest(Submitting):
    """Manifests with a wrong number of ciphertexts, another cell, no dealing, or trained from another head."""

    kind = "wrong-manifest"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._how = self.random.randrange(5)

    def submit(self, effect: Send, submission: Submission) -> Iterable[Effect]:
        first = open_envelope(submission.manifest).message
        assert isinstance(first, Manifest)
        match self._how:
            case 0:
                wrong = replace(first, chunk_roots=first.chunk_roots * 2)
            case 1:
                wrong = replace(first, cell=first.cell + 1)
            case 2:
                wrong = replace(first, dealing=None)
            case 3:
                wrong = replace(first, parent=Digest(self.random.randbytes(32)))
            case _:
                wrong = replace(first, shares=tuple(reversed(first.shares)))
        return [Send(effect.to, self.scene.sign(replace(submission, manifest=self.scene.sign(wrong).encoded)))]


class Copying(Submitting):
    """Copies a victim's ciphertexts, or its whole dealing, into a manifest of its own, of this or an older round."""

    kind = "copied-dealing"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._whole = self.random.random() < 0.5
        self._manifest = b""

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        """It is quick: it sends as soon as it has heard of a victim."""
        effects = super().does(machine, event, effects, now)
        if not isinstance(event, Received) or not isinstance(event.message, Submission) or self._manifest:
            return effects
        return effects if event.sender in self.scene.ring.peers else [*effects, *self._copies(event.message)]

    def submit(self, effect: Send, submission: Submission) -> Iterable[Effect]:
        return []

    def _copies(self, of: Submission) -> Effects:
        cell = self.view.cell_of(self.scene.me)
        copied = self._victims(of)
        if cell is None or copied is None:
            return []
        manifest = replace(copied, slot=self.view.slot(self.height), cell=cell, parent=self.scene.context.parent)
        sealed: tuple[bytes, ...] = (b"",) * len(self.view.committee)
        keys, scheme = self.scene.context.keys(), self.scene.context.scheme
        if not self._whole and len(manifest.chunk_roots) == 1:
            seed, root = Secret(self.random.randbytes(32)), update_root(manifest.chunk_roots)
            dealt = deal_key(scheme, self.view, self.height, cell, self.scene.me, root, seed, keys)
            manifest = replace(manifest, shares=tuple(map(sealed_digest, dealt.sealed)), dealing=dealt.dealing)
            sealed = dealt.sealed
        self._manifest = self.scene.sign(manifest).encoded
        slot = self.view.slot(self.height)
        by_member = dict(zip(self.view.committee, sealed, strict=True))
        receivers = {**dict.fromkeys(self.view.duties(self.height, cell, self.scene.context.chunks), b""), **by_member}
        return [
            Send(to, self.scene.sign(Submission(slot, self._manifest, share)))
            for to, share in receivers.items()
            if to != self.scene.me
        ]

    def _victims(self, of: Submission) -> Manifest | None:
        old = [each for each in self.scene.ring.heard if isinstance(each.message, Submission)]
        chosen: Signed | None = self.random.choice(old) if old and self.random.random() < 0.3 else None
        encoded = chosen.message.manifest if chosen and isinstance(chosen.message, Submission) else of.manifest
        try:
            manifest = open_envelope(encoded).message
        except RemoteError:
            return None
        return manifest if isinstance(manifest, Manifest) else None


class WrongChunks(Strategy):
    """Keeps and serves other bytes than its manifest's, or none."""

    kind = "wrong-chunks"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._none = self.random.random() < 0.5

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        if not isinstance(machine, Contribution):
            return effects
        return [changed for effect in effects for changed in self._kept(effect)]

    def _kept(self, effect: Effect) -> Iterable[Effect]:
        if not isinstance(effect, Store):
            return [effect]
        if self._none:
            return []
        return [replace(effect, blobs=tuple((root, blob[:-1] + bytes([blob[-1] ^ 1])) for root, blob in effect.blobs))]


class ServeSome(Strategy):
    """Answers the requests of some peers only, and serves junk to some."""

    kind = "serve-some"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        scene.veil.shut = scene.some(scene.honest(self.view.participants))
        scene.veil.junk = scene.some(scene.honest(self.view.participants))


KINDS = (
    Overflow,
    MisfitKey,
    HugeErrors,
    Starve,
    BadDegree,
    BigResidues,
    TwoManifests,
    SubmitToSome,
    SealJunk,
    WrongManifest,
    Copying,
    WrongChunks,
    ServeSome,
)
