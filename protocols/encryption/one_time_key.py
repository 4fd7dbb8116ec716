"""Aggregation under one-time keys: of any number of encrypted updates only their sum can be opened.

After OPA (Karthikeyan, Polychroniadou: One-shot Private Aggregation, arXiv 2410.22303), on the ring of SEAL's CKKS.
With k a contributor's key, a_c public, e_c small, c0 = a_c k + e_c + message; (c0, -a_c) is a SEAL ciphertext under k.
A committee holds Shamir shares of k and releases only the sum of an agreed set's shares, which gives the keys' sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from protocols.encryption import expand, message, sharing
from protocols.encryption.ciphertexts import Ciphertexts, check_total
from protocols.encryption.layout import Layout, Piece, blocks, uniform
from protocols.encryption.scheme import FoundKey, Lanes, Opened, PublicContext, Residues, Share
from protocols.errors import LocalError, RemoteError
from protocols.params import COMMITTEE_MAX
from protocols.types import Secret


class SpoiledSumError(RemoteError):
    """The members' shares fit one key, but it does not fit the ciphertexts: a contributor's fault, no member's."""


class OneTimeKeyScheme(Ciphertexts):
    """The scheme of the network; see `protocols.encryption.scheme.Scheme` for what each method promises."""

    name: str = "one-time-key"
    needs_keys: bool = True

    def encrypt(
        self,
        lanes: Lanes,
        seed: Secret,
        context: PublicContext,
        layout: Layout | None = None,
        indices: range | None = None,
    ) -> Residues:
        """c0 of these indices, uint64[indices, primes, degree].

        The same arguments give the same bytes, so sending again is harmless. Another update under the same seed is not:
        the difference of the two ciphertexts shows the difference of the updates. The caller's journal prevents it.

        Raises:
            LocalError: a lane is outside its bits, or the seed is not 32 bytes.
        """
        layout = layout or uniform(lanes.size)
        key = self._spread(expand.key(seed))
        pieces = layout.pieces(layout.indices if indices is None else indices)
        return np.concatenate([self._encrypt(lanes[piece.lanes], piece, key, seed, context) for piece in pieces])

    def _encrypt(self, lanes: Lanes, piece: Piece, key: Residues, seed: Secret, context: PublicContext) -> Residues:
        messages = message.encode(self.ring, lanes, piece.value_bits)
        for row, index in enumerate(piece.indices):
            noisy = self.ring.add(messages[row], self.ring.reduce(expand.error(seed, context, index)))
            mask = self.ring.product(expand.public_polynomial(context, index), key)
            messages[row] = self.ring.add(self.ring.forward(noisy), mask)
        return messages

    def deal(self, seed: Secret, threshold: int, members: int) -> list[Share]:
        """Shamir shares of the seed's key for members 1..members, uint32[degree] each.

        Raises:
            LocalError: the threshold is not 1..members, there are over 16 members, or the seed is not 32 bytes.
        """
        if not 1 <= threshold <= members <= COMMITTEE_MAX:
            raise LocalError(
                f"cannot share a key {threshold} of {members}; a committee has 1 to {COMMITTEE_MAX} members"
            )
        return sharing.deal(expand.key(seed), expand.sharing(seed, threshold), members)

    def find_key(
        self,
        first: Residues,
        context: PublicContext,
        released: Mapping[int, Share],
        threshold: int,
        contributors: int,
        layout: Layout,
    ) -> FoundKey:
        """The summed key K that proves itself on ciphertext 0, and the members whose released shares are wrong.

        K is right only if all its coefficients and all noise that it leaves are at most 21 * contributors in magnitude
        (336 of the 1,023 that fit for 16). Any other K leaves noise that is uniform over 2^11: one coefficient passes
        with probability below 1/3, all 4,096 of an index never.

        Whatever up to len(released) - threshold members release, K is found. Two or more that collude can make
        honest shares look wrong beside a right K; so `wrong` names only whom every explanation of K by `threshold`
        shares names. It is certain as long as `threshold` of the released shares are right.

        Raises:
            RemoteError: fewer shares than the threshold, or no key proves itself. More shares may still open it.
            SpoiledSumError: more than `threshold` shares lie on one polynomial, and none proves itself all the same. If
                two or more members may collude, it is final only once all honest shares were released.
            LocalError: the sum has not the shape that the layout asks for, or an impossible number of contributors.
        """
        check_total(first, contributors, layout, range(1))
        check_released(released, threshold)
        bound, spoiled = expand.SMALL_BOUND * contributors, False
        explanations = sharing.candidates(released, threshold, bound)
        (piece,) = layout.pieces(range(1))
        for key, wrong in explanations:
            if np.abs(key).max() <= bound and self._decrypt(first, context, self._spread(key), piece)[1] <= bound:
                wrong = _certainly_wrong(key, wrong, explanations)
                return FoundKey(key.astype("<i2").tobytes(), wrong)
            spoiled |= len(released) - len(wrong) > threshold
        if spoiled:
            raise SpoiledSumError(
                f"the sum cannot be opened: the members' shares fit together, but the summed key does not fit the "
                f"ciphertexts; one of the {contributors} contributors shared a key that is not its ciphertext's"
            )
        raise RemoteError(
            f"the sum cannot be opened: no {threshold} of the {len(released)} released shares give a key that proves "
            f"itself; wait for the shares of other members"
        )

    def open(
        self,
        total: Residues,
        context: PublicContext,
        released: Mapping[int, Share],
        threshold: int,
        contributors: int,
        layout: Layout,
    ) -> Opened:
        """The exact lane sums of a whole update. Raises as `find_key` and `reopen`."""
        check_total(total, contributors, layout, layout.indices)
        found = self.find_key(total[:1], context, released, threshold, contributors, layout)
        return Opened(self.reopen(total, context, found.key, contributors, layout), found.wrong, found.key)

    def reopen(
        self,
        total: Residues,
        context: PublicContext,
        key: bytes,
        contributors: int,
        layout: Layout,
        indices: range | None = None,
    ) -> Lanes:
        """The exact lane sums of these indices, int64[lanes], under a summed key, which must prove itself on each.

        Raises:
            RemoteError: not the bytes of a key.
            SpoiledSumError: it does not prove itself on this sum.
            LocalError: the sum has not the shape that the layout asks for, or an impossible number of contributors.
        """
        indices = layout.indices if indices is None else indices
        check_total(total, contributors, layout, indices)
        bound = expand.SMALL_BOUND * contributors
        coefficients = np.frombuffer(key, "<i2").astype(np.int64) if len(key) == 2 * self.ring.degree else None
        if coefficients is None or np.abs(coefficients).max() > bound:
            raise RemoteError("not the bytes of a summed key: wrong length, or a coefficient beyond its bound")
        spread, wanted = self._spread(coefficients), layout.lanes_of(indices)
        lanes = np.empty(wanted.stop - wanted.start, dtype=np.int64)
        for block in blocks(indices):
            for piece in layout.pieces(block):
                rows = total[piece.indices.start - indices.start : piece.indices.stop - indices.start]
                sums, noise = self._decrypt(rows, context, spread, piece)
                if noise > bound:
                    raise SpoiledSumError(
                        "the summed key does not prove itself on this sum: a contributor's key is not its ciphertext's"
                    )
                start, stop = (at - wanted.start for at in (piece.lanes.start, piece.lanes.stop))
                lanes[start:stop] = sums[: stop - start]
        return lanes

    def _spread(self, key: expand.Small) -> Residues:
        return self.ring.forward(self.ring.reduce(key))

    def _decrypt(self, rows: Residues, context: PublicContext, key: Residues, piece: Piece) -> tuple[Lanes, int]:
        """All lanes of a piece under a summed key in NTT form, and the largest noise."""
        masks = np.stack([expand.public_polynomial(context, index) for index in piece.indices])
        noisy = self.ring.inverse(self.ring.subtract(rows, self.ring.product(masks, key)))
        return message.decode(self.ring, noisy, piece.value_bits)


def _certainly_wrong(
    key: expand.Small, wrong: tuple[int, ...], explanations: Iterable[tuple[expand.Small, tuple[int, ...]]]
) -> tuple[int, ...]:
    """The members that misfit in every explanation of a proven key, the first of which names `wrong`.

    Polynomials with one value at 0 share at most t - 2 members' points. With at most one misfit among the released, any
    other t of them would share t - 1 with the rest, so there is no other explanation to look for.
    """
    certain = set(wrong)
    if len(certain) > 1:
        certain.intersection_update(*(misfits for other, misfits in explanations if (other == key).all()))
    return tuple(sorted(certain))


def check_released(released: Mapping[int, Share], threshold: int) -> None:
    """Raises RemoteError unless at least `threshold` well-formed shares of members 1..16 were released."""
    if len(released) < threshold or not released:
        raise RemoteError(f"{len(released)} members released their shares, but the sum opens with {threshold} at least")
    if not set(released) <= set(range(1, COMMITTEE_MAX + 1)):
        raise LocalError(f"members are numbered 1 to {COMMITTEE_MAX}, not {sorted(released)}")
    for share in released.values():
        sharing.check_share(share)
