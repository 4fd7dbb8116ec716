"""Books of royalty shares: an epoch is granted once, whatever dies in between, and by one set of books."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from p2pnode.errors import ChainError
from p2pnode.ports import ShareClaim
from p2pnode.shares import BOOKS, PROOFS, Shares
from protocols.errors import LocalError
from protocols.types import Address
from protocols.verification.royalties import Grant
from protocols.verification.scores import RoundWork
from tests.p2pnode.kit import Seen

ONE, OTHER = Address(b"1" * 20), Address(b"2" * 20)
WORK = [RoundWork(0, (ONE, OTHER), ())]


class Chain:
    """All that the books ask of a chain."""

    def __init__(self, left: int | None = 10**24, before: int = 0) -> None:
        self.left, self.before, self.away = left, before, False
        self.granted: list[Grant] = []

    async def shares_left(self) -> int | None:
        return None if self.left is None else self.left - sum(each.total for each in self.granted)

    async def grants_posted(self) -> int:
        return self.before + len(self.granted)

    async def post_grants(self, grants: Sequence[Grant], base: int) -> tuple[ShareClaim, ...]:
        if self.away:
            raise ChainError("no chain answers")
        assert base == self.before
        self.granted += grants[len(self.granted) :]
        return tuple(ShareClaim(who, shares, base, ()) for each in grants for who, shares in each.shares)


def books(chain: Chain, folder: Path) -> tuple[Shares, Seen]:
    seen = Seen()
    return Shares(chain, seen, folder), seen  # type: ignore[arg-type]  # all that it asks of a chain


@pytest.mark.parametrize("before", [0, 3])
async def test_each_epoch_is_dealt_what_is_left_and_posted_once(tmp_path: Path, before: int) -> None:
    chain = Chain(before=before)
    shares, seen = books(chain, tmp_path)
    for epoch in (0, 0, 1):
        await shares.deal(epoch, WORK)
        await shares.post(epoch)
    first, second = chain.granted
    assert first == Grant(0, ((ONE, 10**21 // 2), (OTHER, 10**21 // 2)))
    assert second.total < first.total
    assert [each["grants"] for each in seen.named("shares-granted")] == [1, 1, 2]
    assert len(json.loads((tmp_path / PROOFS).read_text())) == 4


async def test_what_was_dealt_and_not_posted_is_posted_by_the_next_life_and_counts_as_given(tmp_path: Path) -> None:
    chain = Chain()
    shares, _ = books(chain, tmp_path)
    chain.away = True
    await shares.deal(0, WORK)
    with pytest.raises(ChainError, match="no chain answers"):
        await shares.post(0)
    await shares.deal(1, WORK)
    chain.away = False
    reborn, _ = books(chain, tmp_path)
    await reborn.deal(1, WORK)
    await reborn.post(1)
    other = Chain()
    steady, _ = books(other, tmp_path / "none")
    (tmp_path / "none").mkdir()
    for epoch in (0, 1):
        await steady.deal(epoch, WORK)
        await steady.post(epoch)
    assert chain.granted == other.granted


async def test_who_does_not_post_keeps_no_books_and_nothing_is_granted_for_nothing(tmp_path: Path) -> None:
    for chain, work in ((Chain(None), WORK), (Chain(), [RoundWork(0, (), ())])):
        shares, seen = books(chain, tmp_path)
        await shares.deal(0, work)
        await shares.post(0)
        assert (chain.granted, seen.events, list(tmp_path.iterdir())) == ([], [], [])


async def test_damaged_books_are_named(tmp_path: Path) -> None:
    (tmp_path / BOOKS).write_text("{}")
    with pytest.raises(LocalError, match=r"grants\.json is damaged"):
        await books(Chain(), tmp_path)[0].deal(0, WORK)
