"""A dishonest dealer's workshop: dealings made by hand, each part of which may be other than the protocol says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from protocols.effects import Effect, Effects, Send
from protocols.encryption.degree import Challenge, Masks, draw_challenge, draw_masks, prove_degree
from protocols.encryption.scheme import Share
from protocols.encryption.sealing import DealingKey, seal
from protocols.rounds.contribution import Encrypted, encrypt_update
from protocols.rounds.dealing import Dealt, pack_dealt, sealed_digest
from protocols.types import Secret
from protocols.updates.chunks import update_root
from protocols.wire.messages import Dealing, Submission
from tests.protocols.playbook import (
    PEERS,
    PUBLIC_KEYS,
    ROUND,
    SCHEME,
    VIEW,
    Behaviour,
    Peer,
    Submitted,
    lanes_of,
    manifest_of,
)

T, N = VIEW.params.threshold, len(VIEW.committee)


def seed_of(peer: Peer) -> Secret:
    """That of the peer's machine in `whole_round`, so that ciphertexts made here are the ones it serves."""
    return Secret(hashlib.sha256(b"entropy" + peer.key).digest())


def honest_parts(peer: Peer, threshold: int = T) -> tuple[list[Share], list[Masks]]:
    return SCHEME.deal(seed_of(peer), threshold, N), draw_masks(seed_of(peer), threshold, N)


def craft(
    peer: Peer,
    shares: Sequence[Share],
    masks: Sequence[Masks],
    published: Sequence[Share] | None = None,
    beacon: Challenge | None = None,
) -> Submitted:
    """The peer's own ciphertexts, with a dealing of just these shares.

    `published` are those on whose polynomials it says that they lie, `beacon` is a challenge known beforehand.
    """
    cell = VIEW.cell_of(peer.key)
    assert cell is not None
    made = encrypt_update(SCHEME, VIEW, ROUND, cell, peer.key, lanes_of(peer), seed_of(peer), PUBLIC_KEYS)
    root, key = update_root(tuple(root for root, _ in made.chunks)), DealingKey(seed_of(peer))
    sealed = tuple(
        seal(
            key,
            PUBLIC_KEYS[member],
            pack_dealt(shares[member - 1], masks[member - 1]),
            VIEW.sealing_context(ROUND, cell, peer.key, member, root),
        )
        for member in range(1, N + 1)
    )
    context = VIEW.dealing_context(ROUND, cell, peer.key, root)
    challenge = beacon or draw_challenge(context, key.public, tuple(map(sealed_digest, sealed)))
    dealing = Dealing(key.public, key.prove(context), prove_degree(challenge, published or shares, masks, T))
    made = Encrypted(made.chunks, Dealt(sealed, dealing))
    return Submitted(peer.sign(manifest_of(cell, made)), made)


def tampered(share: Share, position: int = 0, by: int = 1) -> Share:
    changed = share.copy()
    changed[position] = (int(changed[position]) + by) % 65_537
    return changed


def starve(peer: Peer, member: int) -> Submitted:
    """A dealing in which one value of one member's share is wrong, and all else right."""
    shares, masks = honest_parts(peer)
    wrong = [tampered(share) if number == member else share for number, share in enumerate(shares, 1)]
    return craft(peer, wrong, masks, published=shares)


def submitting(crafted: Submitted) -> Behaviour:
    """A contributor whose machine is honest, but whose submissions are these."""
    sealed = dict(zip(VIEW.committee, crafted.encrypted.dealt.sealed, strict=True))

    def behaviour(effect: Effect) -> Effects:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Submission):
            return [effect]
        honest = effect.signed.message
        own = Submission(honest.slot, crafted.signed.encoded, sealed.get(effect.to, b""))
        return [Send(effect.to, PEERS[crafted.signed.signer].sign(own))]

    return behaviour
