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
from protocols.encryption.scheme import Lanes, PublicContext, Residues
from protocols.hashing import tagged
from protocols.types import Secret

_MULTIPLIER_BITS: Final = 40
"""With keys of 9 bits a product stays below 2^53, as `Ring.reduce` asks for."""


class DummyScheme(OneTimeKeyScheme):
    """c0 = message + a k, coefficient by coefficient, with a number a that everybody knows: no noise, no transforms.

    Keys, shares, bounds, wire form and the search for wrong shares are the real scheme's.
    """

    name = "dummy"

    def _encrypt(self, lanes: Lanes, piece: Piece, key: Residues, seed: Secret, context: PublicContext) -> Residues:  # noqa: ARG002  # the real one's
        return self.ring.add(message.encode(self.ring, lanes, piece.value_bits), self._masks(key, piece, context))

    def _decrypt(self, rows: Residues, context: PublicContext, key: Residues, piece: Piece) -> tuple[Lanes, int]:
        return message.decode(self.ring, self.ring.subtract(rows, self._masks(key, piece, context)), piece.value_bits)

    def _spread(self, key: expand.Small) -> Residues:
        """The key as it is; it is multiplied as signed integers."""
        return key.astype(np.int64).view(np.uint64)

    def _masks(self, key: Residues, piece: Piece, context: PublicContext) -> Residues:
        small = key.view(np.int64)
        return np.stack([self.ring.reduce(small * _multiplier(context, index)) for index in piece.indices])


def _multiplier(context: PublicContext, index: int) -> int:
    """Odd, and large: under a wrong key every coefficient that differs leaves noise beyond any bound."""
    drawn = tagged("dummy", context.beacon, context.height, context.cell, index)
    return int.from_bytes(drawn[:8], "big") % (1 << _MULTIPLIER_BITS) | 1 << (_MULTIPLIER_BITS - 1) | 1
