"""Who is given a subnet's royalty shares for contributing to its model: a pure function of certified rounds.

All shares were minted when the subnet was founded; a part is its backers', the rest the contributors'. Each round gives
a thousandth of what is left, in equal parts for each update that counted: early contributions weigh more, and there is
something left for late ones for ever. An epoch's shares are granted together, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.types import Address
from protocols.verification.scores import RoundWork

ROUND_PART: Final = 1000
"""A round gives one share in so many of what is left."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an epoch's contributors are given, in the smallest unit of shares; accounts ascending."""

    epoch: int
    shares: tuple[tuple[Address, int], ...]

    @property
    def total(self) -> int:
        """Of all of them."""
        return sum(shares for _, shares in self.shares)


def grant_of(epoch: int, left: int, rounds: Sequence[RoundWork]) -> Grant:
    """Deals what is left of a subnet's shares to the contributors of an epoch's rounds, in order; never more."""
    sums: Counter[Address] = Counter()
    for each in rounds:
        if each.data:
            part = left // ROUND_PART // len(each.data)
            sums.update({account: part * count for account, count in Counter(each.data).items()})
            left -= part * len(each.data)
    return Grant(epoch, tuple((account, sums[account]) for account in sorted(sums) if sums[account]))
