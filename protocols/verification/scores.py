"""Who has earned what, from what everybody can see: certified rounds, the chain's roles and attestations.

Money comes in on the chain, and is split there into pots: verifiers', the DAO's, and of the rest computing power : data
= 7 : 3 (contracts/src/RewardDistributor.sol). Here each pot is dealt to those who worked, epoch by epoch. What an
epoch is dealt depends on no later one, so what somebody has earned never shrinks; no more is dealt than came in.

As 2PM specifies, the computing share decays exponentially over rounds: each round takes a tenth of what the pot still
holds. Data and verifiers are dealt all that is there, in equal parts for each round's update and each attestation.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from protocols.rounds.cells import stripes
from protocols.rounds.epoch import EpochView
from protocols.types import Address, PeerKey
from protocols.wire.messages import Header, SetList

COMPUTE_DECAY: Final = Fraction(1, 10)
"""Of the computing pot, what one round takes."""


class Share(enum.IntEnum):
    """For what; numbered as the contract numbers its pots. The DAO's is not dealt here."""

    VERIFIER = 0
    COMPUTE = 2
    DATA = 3


@dataclass(frozen=True, slots=True)
class RoundWork:
    """Who did what in one certified round; an account stands once for each part that it had.

    Attributes:
        data: whose update counted.
        compute: who sat in the committee, and who was drawn to add a stripe of a cell that counted.
        verifiers: who attested its checkpoint.
    """

    height: int
    data: tuple[Address, ...]
    compute: tuple[Address, ...]
    verifiers: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Earned:
    """One line of the books: an account's part of one round, in the token's smallest unit."""

    height: int
    share: Share
    account: Address
    amount: int


Books = tuple[Earned, ...]
"""All lines ever, in order."""


def round_work(
    view: EpochView, sets: SetList, header: Header, chunks: int, verifiers: Iterable[Address] = ()
) -> RoundWork:
    """What a certified round shows of its workers.

    Args:
        view: the round's, with its cells as they were mixed.
        sets: the certified list; the header binds it.
        header: the certified header; a cell without contributors in it counts nothing.
        chunks: ciphertexts of an update.
        verifiers: the accounts that attested the checkpoint on the chain.
    """
    counted = {result.cell for result in header.cells if result.contributors}
    data = [each.contributor for cell in sets.cells if cell.cell in counted for each in cell.contributions]
    height = sets.slot.height
    places = [(cell, stripe) for cell in sorted(counted) for stripe in stripes(chunks)]
    adders = [peer for cell, stripe in places for peer in view.aggregators(height, cell, stripe)]
    computing = _accounts(view, [*view.committee, *adders])
    return RoundWork(height, _accounts(view, data), computing, tuple(sorted(verifiers)))


def settle(before: Books, funded: Mapping[Share, int], rounds: Sequence[RoundWork]) -> Books:
    """Deals what the pots hold to the workers of an epoch's rounds; returns the new lines.

    Args:
        before: all lines of earlier epochs.
        funded: what ever came into each pot.
        rounds: the epoch's, ascending, without who was convicted of an offence in it.
    """
    dealt: Counter[Share] = Counter()
    for line in before:
        dealt[line.share] += line.amount
    left = {share: max(0, funded.get(share, 0) - dealt[share]) for share in Share}
    lines = _deal_evenly(left[Share.VERIFIER], Share.VERIFIER, [(each.height, each.verifiers) for each in rounds])
    lines += _deal_decaying(left[Share.COMPUTE], rounds)
    lines += _deal_evenly(left[Share.DATA], Share.DATA, [(each.height, each.data) for each in rounds])
    return tuple(lines)


def totals(books: Iterable[Earned]) -> dict[tuple[Share, Address], int]:
    """What each account has earned in all, for each kind of work: what a tree of rewards is made of; sorted."""
    sums: Counter[tuple[Share, Address]] = Counter()
    for line in books:
        sums[line.share, line.account] += line.amount
    return {key: sums[key] for key in sorted(sums) if sums[key]}


def _deal_evenly(pot: int, share: Share, work: Sequence[tuple[int, tuple[Address, ...]]]) -> list[Earned]:
    parts = sum(len(workers) for _, workers in work)
    return [line for height, workers in work for line in _lines(height, share, workers, pot // parts)] if parts else []


def _deal_decaying(pot: int, rounds: Sequence[RoundWork]) -> list[Earned]:
    lines: list[Earned] = []
    for each in rounds:
        if each.compute:
            part = int(pot * COMPUTE_DECAY) // len(each.compute)
            lines += _lines(each.height, Share.COMPUTE, each.compute, part)
            pot -= part * len(each.compute)
    return lines


def _lines(height: int, share: Share, workers: Sequence[Address], part: int) -> list[Earned]:
    counts = Counter(workers)
    return [Earned(height, share, account, part * counts[account]) for account in sorted(counts) if part]


def _accounts(view: EpochView, peers: Iterable[PeerKey]) -> tuple[Address, ...]:
    """Of peers; who is bound to no account can be paid nothing."""
    return tuple(view.accounts[peer] for peer in peers if peer in view.accounts)
