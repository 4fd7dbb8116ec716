"""No encryption at all, for comparison only: the same ring, lanes and wire form, but everybody reads every update."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.encryption import message
from protocols.encryption.ciphertexts import Ciphertexts, check_total
from protocols.encryption.scheme import Lanes, Opened, PublicContext, Residues, Share
from protocols.errors import RemoteError
from protocols.types import Secret


class PlaintextScheme(Ciphertexts):
    """A ciphertext is the message's residues themselves; nothing is dealt, and anybody opens."""

    name: str = "plaintext"
    needs_keys: bool = False

    def encrypt(self, lanes: Lanes, seed: Secret, context: PublicContext) -> Residues:  # noqa: ARG002  # the interface's
        """The message's residues, uint64[ciphertexts, primes, degree].

        Raises:
            LocalError: a lane is outside its 16 bits.
        """
        return message.encode(self.ring, lanes)

    def deal(self, seed: Secret, threshold: int, members: int) -> list[Share]:  # noqa: ARG002  # the interface's
        """No shares: there is no key."""
        return []

    def open(
        self,
        total: Residues,
        context: PublicContext,  # noqa: ARG002  # the interface's
        released: Mapping[int, Share],  # noqa: ARG002  # the interface's
        threshold: int,  # noqa: ARG002  # the interface's
        contributors: int,
        lanes: int,
    ) -> Opened:
        """The exact lane sums; what was released is not looked at.

        Raises:
            RemoteError: the sum is not a message.
            LocalError: the sum has not the shape that the lanes ask for, or an impossible number of contributors.
        """
        check_total(total, contributors, lanes)
        sums, noise = message.decode(self.ring, total)
        if noise:
            raise RemoteError("the sum cannot be read: a contributor sent something that is not a message")
        return Opened(sums[:lanes], ())

    def reopen(
        self,
        total: Residues,
        context: PublicContext,
        key: bytes,  # noqa: ARG002  # the interface's
        contributors: int,
        lanes: int,
    ) -> Lanes:
        """As `open`."""
        return self.open(total, context, {}, 0, contributors, lanes).lanes
