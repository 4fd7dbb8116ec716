"""No encryption at all, for comparison only: the same ring, lanes and wire form, but everybody reads every update."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from protocols.encryption import message
from protocols.encryption.ciphertexts import Ciphertexts, check_total
from protocols.encryption.layout import Layout, uniform
from protocols.encryption.scheme import FoundKey, Lanes, Opened, PublicContext, Residues, Share
from protocols.errors import RemoteError
from protocols.types import Secret


class PlaintextScheme(Ciphertexts):
    """A ciphertext is the message's residues themselves; nothing is dealt, and anybody opens."""

    name: str = "plaintext"
    needs_keys: bool = False

    def encrypt(
        self,
        lanes: Lanes,
        seed: Secret,  # noqa: ARG002  # the interface's
        context: PublicContext,  # noqa: ARG002  # the interface's
        layout: Layout | None = None,
        indices: range | None = None,
    ) -> Residues:
        """The message's residues, uint64[indices, primes, degree].

        Raises:
            LocalError: a lane is outside its bits.
        """
        layout = layout or uniform(lanes.size)
        pieces = layout.pieces(layout.indices if indices is None else indices)
        return np.concatenate([message.encode(self.ring, lanes[piece.lanes], piece.value_bits) for piece in pieces])

    def deal(self, seed: Secret, threshold: int, members: int) -> list[Share]:  # noqa: ARG002  # the interface's
        """No shares: there is no key."""
        return []

    def find_key(
        self,
        first: Residues,  # noqa: ARG002  # the interface's
        context: PublicContext,  # noqa: ARG002  # the interface's
        released: Mapping[int, Share],  # noqa: ARG002  # the interface's
        threshold: int,  # noqa: ARG002  # the interface's
        contributors: int,  # noqa: ARG002  # the interface's
        layout: Layout,  # noqa: ARG002  # the interface's
    ) -> FoundKey:
        """Nothing to find."""
        return FoundKey(b"", ())

    def open(
        self,
        total: Residues,
        context: PublicContext,
        released: Mapping[int, Share],  # noqa: ARG002  # the interface's
        threshold: int,  # noqa: ARG002  # the interface's
        contributors: int,
        layout: Layout,
    ) -> Opened:
        """The exact lane sums; what was released is not looked at. Raises as `reopen`."""
        return Opened(self.reopen(total, context, b"", contributors, layout), ())

    def reopen(
        self,
        total: Residues,
        context: PublicContext,  # noqa: ARG002  # the interface's
        key: bytes,  # noqa: ARG002  # the interface's
        contributors: int,
        layout: Layout,
        indices: range | None = None,
    ) -> Lanes:
        """The exact lane sums of these ciphertexts, all of them by default.

        Raises:
            RemoteError: the sum is not a message.
            LocalError: the sum has not the shape that the layout asks for, or an impossible number of contributors.
        """
        indices = layout.indices if indices is None else indices
        check_total(total, contributors, layout, indices)
        parts = []
        for piece in layout.pieces(indices):
            start, stop = (at - indices.start for at in (piece.indices.start, piece.indices.stop))
            sums, noise = message.decode(self.ring, total[start:stop], piece.value_bits)
            if noise:
                raise RemoteError("the sum cannot be read: a contributor sent something that is not a message")
            parts.append(sums[: piece.lanes.stop - piece.lanes.start])
        return np.concatenate(parts)
