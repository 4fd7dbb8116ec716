"""A dummy of the encryption: it keeps its shape (shares, threshold, a summed key that proves itself) and HIDES NOTHING.

For thousands of virtual rounds. No node can be started with it: the chain's parameters have no name for it, and only a
virtual world puts it in the real scheme's place.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from protocols.encryption import expand, message
from protocols.encryption.layout import Piece
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.ring import DEGREE
from protocols.encryption.scheme import Lanes, PublicContext, Residues
from protocols.types import Secret

_WEIGHTS: Final = np.random.default_rng(0).integers(1, 1 << 20, DEGREE)


class DummyScheme(OneTimeKeyScheme):
    """c0 = message + s(k) a with a weighted sum s(k) of the key's coefficients and a public a: no noise, no transforms.

    As under the real scheme, one wrong coefficient of a key leaves noise in all coefficients of a ciphertext. Keys,
    shares, bounds, wire form and the search for wrong shares are the real scheme's.
    """

    name = "dummy"

    def _encrypt(self, lanes: Lanes, piece: Piece, key: Residues, seed: Secret, context: PublicContext) -> Residues:  # noqa: ARG002  # the real one's
        return self.ring.add(message.encode(self.ring, lanes, piece.value_bits), self._masks(key, piece, context))

    def _decrypt(self, rows: Residues, context: PublicContext, key: Residues, piece: Piece) -> tuple[Lanes, int]:
        return message.decode(self.ring, self.ring.subtract(rows, self._masks(key, piece, context)), piece.value_bits)

    def _spread(self, key: expand.Small) -> Residues:
        """s(k) as residues uint64[primes, 1]: below 2^42 for keys of 10 bits."""
        return self.ring.reduce(np.array([key.astype(np.int64) @ _WEIGHTS]))

    def _masks(self, weighed: Residues, piece: Piece, context: PublicContext) -> Residues:
        return np.stack(
            [self.ring.product(expand.public_polynomial(context, index), weighed) for index in piece.indices]
        )
