"""What a member knows of whose ciphertexts can be had: by the word of both aggregators of a stripe, or by its own eyes.

One aggregator's word is not enough: it may vouch for what its accomplice will never serve, and the cell could not be
added. Of two, one is assumed honest. Where they do not both vouch (one may be away, or refuse a victim), the member
fetches and verifies those stripes itself, wholly: a sample would miss the one ciphertext that is held back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocols.params import CELL_MAX
from protocols.rounds.cells import stripes
from protocols.rounds.epoch import EpochView
from protocols.types import Digest, Height, PeerKey

WORDS_MAX: Final = 2 * CELL_MAX
"""Manifests that one aggregator can vouch for: more than there are contributors, since one may have signed two."""


class Vouchers:
    """The aggregators' words in one cell and round."""

    def __init__(self, view: EpochView, height: Height, cell: int, chunks: int) -> None:
        self._aggregators = {stripe: view.aggregators(height, cell, stripe) for stripe in stripes(chunks)}
        self._said: dict[PeerKey, frozenset[Digest]] = {
            peer: frozenset() for pair in self._aggregators.values() for peer in pair
        }

    def accept(self, sender: PeerKey, manifests: Iterable[Digest]) -> bool:
        """An aggregator's further word; False if the sender is none.

        A word stands: an aggregator that crashed has forgotten whose ciphertexts it had, and one that takes its word
        back when the vote has begun would stop the round.
        """
        if sender not in self._said:
            return False
        new = sorted(frozenset(manifests) - self._said[sender])
        self._said[sender] |= frozenset(new[: WORDS_MAX - len(self._said[sender])])
        return True

    def named(self) -> frozenset[Digest]:
        """Manifests that anybody vouches for."""
        return frozenset().union(*self._said.values())

    def lacking(self, manifest: Digest) -> tuple[int, ...]:
        """The stripes of a manifest that not both of their aggregators vouch for."""
        return tuple(
            stripe
            for stripe, pair in self._aggregators.items()
            if not all(manifest in self._said[peer] for peer in pair)
        )
