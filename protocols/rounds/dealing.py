"""A contributor's dealing of its key: shares, each sealed to one member and bound to all that it belongs to, checked.

A dealing is bound to (chain, subnet, epoch, committee) by the committee's root, to height, cell and dealer, and to the
root of its ciphertexts; each share to its member as well. A member believes nothing: it checks the proof that the
dealer knows the dealing's key, opens its own share, and sees that it lies on the polynomials that the manifest fixes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from protocols.encryption.degree import (
    COMBINATIONS,
    MASKS_BYTES,
    Masks,
    check_degree,
    draw_challenge,
    draw_masks,
    prove_degree,
    read_proof,
)
from protocols.encryption.packing import SHARE_BITS, pack_bits, pack_share, unpack_bits, unpack_share
from protocols.encryption.scheme import Scheme, Share
from protocols.encryption.sealing import (
    DealingKey,
    EpochKeyPair,
    check_proof,
    exchange_key,
    find_opening,
    seal,
    unseal,
)
from protocols.encryption.sharing import FIELD
from protocols.errors import MalformedError
from protocols.hashing import tagged
from protocols.rounds.epoch import EpochView
from protocols.types import NO_DIGEST, Digest, PeerKey, Secret
from protocols.updates.chunks import update_root
from protocols.wire.messages import Dealing, Manifest


@dataclass(frozen=True, slots=True)
class Dealt:
    """What a dealer makes: the sealed shares by member (empty where the member's key is not known), and their frame."""

    sealed: tuple[bytes, ...] = ()
    dealing: Dealing | None = None


class WrongShareError(MalformedError):
    """The dealer sealed what is not this member's share on the dealing's polynomials.

    Attributes:
        opening: shows it to everybody (protocols/encryption/sealing.py).
    """

    def __init__(self, message: str, dealer: PeerKey, opening: bytes) -> None:
        super().__init__(message, {dealer})
        self.opening = opening


def deal_key(
    scheme: Scheme,
    view: EpochView,
    height: int,
    cell: int,
    dealer: PeerKey,
    root: Digest,
    seed: Secret,
    keys: Mapping[int, bytes],
) -> Dealt:
    """Deals the seed's key and seals share i to member i; nothing for the plaintext comparison."""
    if not scheme.needs_keys:
        return Dealt()
    threshold, members = view.params.threshold, len(view.committee)
    shares, masks = scheme.deal(seed, threshold, members), draw_masks(seed, threshold, members)
    key = DealingKey(Secret(tagged("ephemeral", seed.reveal())))
    sealed = tuple(
        seal(key, keys[member], pack_dealt(share, mask), view.sealing_context(height, cell, dealer, member, root))
        if member in keys
        else b""
        for member, share, mask in zip(range(1, members + 1), shares, masks, strict=True)
    )
    context = view.dealing_context(height, cell, dealer, root)
    challenge = draw_challenge(context, key.public, tuple(map(sealed_digest, sealed)))
    proof = prove_degree(challenge, shares, masks, threshold)
    return Dealt(sealed, Dealing(key.public, key.prove(context), proof))


def check_dealing(view: EpochView, manifest: Manifest, dealer: PeerKey) -> Dealing:
    """The public part of the dealing that a manifest carries, if it is sound: anybody can say so.

    Raises:
        MalformedError: none, one for another committee, or without the proof that its dealer knows its key.
    """
    dealing, context = manifest.dealing, _context(view, manifest, dealer)
    try:
        if dealing is None or len(manifest.shares) != len(view.committee):
            raise MalformedError(f"a manifest deals shares to all {len(view.committee)} members")
        exchange_key(dealing.public)
        check_proof(dealing.public, dealing.proof, context)
        read_proof(dealing.degree, view.params.threshold)
    except MalformedError as error:
        raise MalformedError(str(error), {dealer}) from error
    return dealing


def open_share(
    view: EpochView, manifest: Manifest, dealer: PeerKey, member: int, key: EpochKeyPair, sealed: bytes
) -> Share:
    """The share that a manifest with a sound dealing (`check_dealing`) promises to this member.

    Raises:
        MalformedError: not the sealed share that the manifest names, or it does not open in its context. It is as if
            none had been sent, and nobody can be blamed: it may be sealed to a key that our restart lost.
        WrongShareError: it opens, and is wrong; the dealer is to blame, and its opening proves it.
    """
    check_promised(manifest, dealer, member, sealed)
    assert manifest.dealing is not None, "the dealing was checked before"
    context = share_context(view, manifest, dealer, member)
    opening = find_opening(key, manifest.dealing.public, sealed, context)
    try:
        return read_share(view, manifest, dealer, member, sealed, opening)
    except MalformedError as error:
        raise WrongShareError(str(error), dealer, opening) from error


def read_share(
    view: EpochView, manifest: Manifest, dealer: PeerKey, member: int, sealed: bytes, opening: bytes
) -> Share:
    """The checked share under an opening that fits: everybody who is shown it comes to the same.

    Raises:
        MalformedError: the dealer is to blame for it.
    """
    assert manifest.dealing is not None, "the dealing was checked before"
    share, masks = unpack_dealt(unseal(opening, sealed, share_context(view, manifest, dealer, member)))
    challenge = draw_challenge(_context(view, manifest, dealer), manifest.dealing.public, manifest.shares)
    check_degree(challenge, manifest.dealing.degree, view.params.threshold, member, share, masks)
    return share


def check_promised(manifest: Manifest, dealer: PeerKey, member: int, sealed: bytes) -> None:
    """Raises MalformedError unless these are the bytes that the manifest names for this member."""
    if not 1 <= member <= len(manifest.shares) or manifest.shares[member - 1] != sealed_digest(sealed) or not sealed:
        raise MalformedError("the sealed share is not the one that the manifest names", {dealer})


def marks(manifest: Manifest) -> tuple[Digest, ...]:
    """What no second dealing may show again: the dealing's key, the ciphertexts' root, the sealed shares.

    The key in its X25519 form, which is the same for its negative.
    """
    assert manifest.dealing is not None, "the dealing was checked before"
    key = Digest(exchange_key(manifest.dealing.public))
    shares = (share for share in manifest.shares if share != NO_DIGEST)
    return (key, _root(manifest.chunk_roots), *shares)


def sealed_digest(sealed: bytes) -> Digest:
    """How a manifest names a sealed share: SHA-256; zero where there is none."""
    return Digest(hashlib.sha256(sealed).digest()) if sealed else NO_DIGEST


def pack_dealt(share: Share, masks: Masks) -> bytes:
    """What is sealed to a member: its share, then its masks."""
    return pack_share(share) + pack_bits(masks, SHARE_BITS)


def unpack_dealt(data: bytes) -> tuple[Share, Masks]:
    """Inverse of `pack_dealt`.

    Raises:
        MalformedError: wrong length, or a value that is not below 65537.
    """
    masks = unpack_bits(data[-MASKS_BYTES:], SHARE_BITS, COMBINATIONS).astype(np.uint32)
    if masks.max() >= FIELD:
        raise MalformedError(f"a share's masks are below {FIELD}")
    return unpack_share(data[:-MASKS_BYTES]), masks


def _context(view: EpochView, manifest: Manifest, dealer: PeerKey) -> bytes:
    return view.dealing_context(manifest.slot.height, manifest.cell, dealer, _root(manifest.chunk_roots))


def share_context(view: EpochView, manifest: Manifest, dealer: PeerKey, member: int) -> bytes:
    """What a share is sealed under: a copy under another name, or for other ciphertexts, does not open."""
    return view.sealing_context(manifest.slot.height, manifest.cell, dealer, member, _root(manifest.chunk_roots))


_root = lru_cache(maxsize=64)(update_root)
"""A dealing's checks need it several times, one after the other; a large model has thousands of chunks."""
