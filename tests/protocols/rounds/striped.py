"""A round of updates of three stripes, one ciphertext each, and what its cell's members make of it."""

from __future__ import annotations

import numpy as np

from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.scheme import PublicContext
from protocols.rounds.aggregate import Summed, Verified, seal_sum
from protocols.types import NO_DIGEST, Secret
from protocols.updates.chunks import chunk_roots
from protocols.wire import messages
from tests.protocols.playbook import CELLS, ROUND, VIEW, Peer

SCHEME = PlaintextScheme()
CHUNKS = 3


class Striped:
    """One contributor's update."""

    def __init__(self, peer: Peer, seed: int) -> None:
        lanes = np.arange(CHUNKS * 4 * 4096, dtype=np.int64) % 30_000 + seed
        self.peer = peer
        self.residues = SCHEME.encrypt(lanes, Secret(bytes(32)), PublicContext(bytes(32), ROUND, 0))
        self.blobs = SCHEME.pack(self.residues)
        self.roots = chunk_roots(self.residues)
        self.manifest = messages.Manifest(VIEW.slot(ROUND), 0, NO_DIGEST, self.roots, (), None)
        self.signed = peer.sign(self.manifest)
        self.contribution = messages.Contribution(peer.key, self.signed.digest)


MADE = [Striped(peer, seed) for seed, peer in enumerate(CELLS[0], start=1)]
ALL = tuple(each.contribution for each in MADE)


def sum_of(made: list[Striped], stripe: int) -> Summed:
    parts = [Verified(each.residues[stripe : stripe + 1]).residues for each in made]
    return seal_sum(SCHEME, SCHEME.add(parts), stripe)
