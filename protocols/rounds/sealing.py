"""A contributor's key shares, each sealed to one committee member and bound to everything that it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from protocols.encryption.packing import pack_share, unpack_share
from protocols.encryption.scheme import Scheme, Share
from protocols.encryption.sealing import EpochKeyPair, seal, unseal
from protocols.errors import MalformedError
from protocols.hashing import tagged
from protocols.rounds.epoch import EpochView
from protocols.types import NO_DIGEST, Digest, PeerKey, Secret
from protocols.updates.chunks import update_root
from protocols.wire.messages import Manifest


def seal_shares(
    scheme: Scheme,
    view: EpochView,
    height: int,
    cell: int,
    dealer: PeerKey,
    root: Digest,
    seed: Secret,
    keys: Mapping[int, bytes],
) -> tuple[bytes, ...]:
    """Deals the seed's key and seals share i to member i; empty for members whose key is not known."""
    if not scheme.needs_keys:
        return ()
    shares = scheme.deal(seed, view.params.threshold, len(view.committee))
    ephemeral = Secret(tagged("ephemeral", seed.reveal()))

    def sealed(member: int, share: Share) -> bytes:
        if member not in keys:
            return b""
        context = view.sealing_context(height, cell, dealer, member, root)
        return seal(ephemeral, keys[member], pack_share(share), context)

    return tuple(sealed(member, share) for member, share in enumerate(shares, start=1))


def open_share(
    view: EpochView, manifest: Manifest, dealer: PeerKey, member: int, key: EpochKeyPair, sealed: bytes
) -> Share:
    """The share that a manifest promises to this member.

    Raises:
        MalformedError: not the sealed share that the manifest names, or it does not open in its context.
    """
    if not 1 <= member <= len(manifest.shares) or manifest.shares[member - 1] != sealed_digest(sealed) or not sealed:
        raise MalformedError("the sealed share is not the one that the manifest names", {dealer})
    root = update_root(manifest.chunk_roots)
    context = view.sealing_context(manifest.slot.height, manifest.cell, dealer, member, root)
    return unpack_share(unseal(key, sealed, context))


def sealed_digest(sealed: bytes) -> Digest:
    """How a manifest names a sealed share: SHA-256; zero where there is none."""
    return Digest(hashlib.sha256(sealed).digest()) if sealed else NO_DIGEST
