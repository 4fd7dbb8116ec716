"""Closing an epoch's books, in virtual time: what is dealt, what is written, and what a crash leaves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import trio

from p2pnode.errors import ChainError
from p2pnode.paymaster import BOOKS, PATIENCE_S, PROOFS, Paymaster
from p2pnode.ports import AnchorRecord, Claim, ShareClaim
from protocols.agreement.certificate import list_digest
from protocols.checkpoints.machine import header_digest
from protocols.errors import LocalError
from protocols.types import NO_DIGEST, Address, Digest
from protocols.verification.royalties import Grant
from protocols.verification.scores import Share
from protocols.wire.messages import CellResult, Header, SetList
from simnet.memory import VirtualClock
from tests.p2pnode.kit import Seen
from tests.protocols.playbook import CELLS, CONTRIBUTORS, MEMBERS, VIEW, set_of, submit

ACCOUNTS = {peer.key: Address(peer.key[:20]) for peer in (*CONTRIBUTORS, *MEMBERS)}
SEATED = dataclasses.replace(VIEW, accounts=ACCOUNTS)
VOTER = Address(b"v" * 20)
FUNDED = {Share.VERIFIER: 1000, Share.COMPUTE: 10_000, Share.DATA: 8000}


def a_round(height: int) -> tuple[SetList, Header]:
    cells = tuple(set_of(cell, map(submit, CELLS[cell])) for cell in (0, 1))
    sets = SetList(VIEW.slot(height), cells)
    results = tuple(CellResult(cell, 4, NO_DIGEST, NO_DIGEST) for cell in (0, 1))
    return sets, Header(VIEW.slot(height), NO_DIGEST, Digest(bytes(32)), list_digest(sets), NO_DIGEST, results, None)


class Chain:
    """What the paymaster asks of a chain: checkpoints that become final at a time, pots, and posting."""

    def __init__(self, *headers: Header, final_at: float = 0.0) -> None:
        self.headers, self.final_at = headers, final_at
        self.funded: Mapping[Share, int] | None = FUNDED
        self.posted: list[Mapping[tuple[Share, Address], int]] = []
        self.away = 0
        self.left: int | None = None
        self.granted: list[Grant] = []

    async def pots(self) -> Mapping[Share, int] | None:
        return self.funded

    async def anchors(self, _: int) -> tuple[AnchorRecord, ...]:
        final = trio.current_time() >= self.final_at
        return tuple(
            AnchorRecord(digest, each.slot.height, digest, NO_DIGEST, NO_DIGEST, VOTER, 1, 1, final)
            for each, digest in ((each, header_digest(each)) for each in self.headers)
        )

    async def voters(self, _: Digest) -> tuple[Address, ...]:
        return (VOTER,)

    async def shares_left(self) -> int | None:
        return self.left

    async def grants_posted(self) -> int:
        return len(self.granted)

    async def post_grants(self, grants: Sequence[Grant], base: int) -> tuple[ShareClaim, ...]:
        assert base == 0
        self.granted = list(grants)
        return tuple(
            ShareClaim(who, shares, index, (b"n" * 32,))
            for index, each in enumerate(grants)
            for who, shares in each.shares
        )

    async def post_rewards(self, totals: Mapping[tuple[Share, Address], int]) -> tuple[Claim, ...]:
        if self.away:
            self.away -= 1
            raise ChainError("no chain answers")
        self.posted.append(totals)
        index = len(self.posted) - 1
        return tuple(
            Claim(who, share.name.lower(), amount, index, (b"n" * 32,)) for (share, who), amount in totals.items()
        )


def master(chain: Chain, folder: Path) -> tuple[Paymaster, Seen]:
    seen = Seen()
    return Paymaster(chain, VirtualClock(), seen, folder, 1), seen  # type: ignore[arg-type]  # all that it asks of a chain


async def test_an_epoch_is_dealt_written_down_and_posted(tmp_path: Path, autojump_clock: object) -> None:
    (sets, header), (more, second) = a_round(0), a_round(1)
    chain = Chain(header, second, final_at=trio.current_time() + 20)
    paymaster, seen = master(chain, tmp_path)
    paymaster.note(SEATED, sets, header)
    paymaster.note(SEATED, more, second)
    await paymaster.close(0)
    (totals,) = chain.posted
    assert totals[Share.VERIFIER, VOTER] == 1000
    assert sum(amount for (share, _), amount in totals.items() if share is Share.DATA) == 8000
    assert 0 < sum(amount for (share, _), amount in totals.items() if share is Share.COMPUTE) <= 1900
    assert {name for name, _ in seen.events} == {"rewards-posted"}
    listed = json.loads((tmp_path / PROOFS).read_text())
    assert {(each["pot"], each["account"]): each["cumulative"] for each in listed} == {
        (share.name.lower(), f"0x{who.hex()}"): amount for (share, who), amount in totals.items()
    }
    assert json.loads((tmp_path / BOOKS).read_text())["epoch"] == 0


async def test_an_epoch_is_dealt_once_and_posted_again_after_a_crash(tmp_path: Path, autojump_clock: object) -> None:
    sets, header = a_round(0)
    chain = Chain(header)
    chain.away = 1
    paymaster, seen = master(chain, tmp_path)
    paymaster.note(SEATED, sets, header)
    await paymaster.close(0)
    assert seen.named("rewards-failed") == [{"epoch": 0, "reason": "no chain answers"}]
    reborn, _ = master(chain, tmp_path)
    await reborn.close(0)
    await reborn.close(0)
    assert chain.posted[0] == chain.posted[1]
    assert sum(amount for (share, _), amount in chain.posted[0].items() if share is Share.DATA) == 8000


async def test_who_does_not_post_keeps_no_books(tmp_path: Path, autojump_clock: object) -> None:
    chain = Chain()
    chain.funded = None
    paymaster, seen = master(chain, tmp_path)
    paymaster.note(SEATED, *a_round(0))
    await paymaster.close(0)
    assert (chain.posted, seen.events, list(tmp_path.iterdir())) == ([], [], [])


async def test_what_is_unknown_is_told_and_what_is_not_final_is_not_waited_for_ever(
    tmp_path: Path, autojump_clock: object
) -> None:
    sets, header = a_round(0)
    chain, began = Chain(header, final_at=trio.current_time() + 10**6), trio.current_time()
    paymaster, seen = master(chain, tmp_path)
    paymaster.note(SEATED, sets, header)
    paymaster.note(SEATED, None, a_round(1)[1])
    await paymaster.close(0)
    assert trio.current_time() - began >= PATIENCE_S
    assert [each["height"] for each in seen.named("rewards-unknown")] == [1]
    assert (Share.VERIFIER, VOTER) not in chain.posted[0]


async def test_damaged_books_are_not_written_over(tmp_path: Path, autojump_clock: object) -> None:
    (tmp_path / BOOKS).write_text('{"lines": 7}')
    paymaster, _ = master(Chain(), tmp_path)
    with pytest.raises(LocalError, match="is damaged"):
        await paymaster.close(0)


async def test_contributors_are_granted_shares_for_the_rounds_that_the_rewards_are_dealt_for(
    tmp_path: Path, autojump_clock: object
) -> None:
    sets, header = a_round(0)
    chain = Chain(header)
    chain.left = 10**24
    paymaster, seen = master(chain, tmp_path)
    paymaster.note(SEATED, sets, header)
    for _ in range(2):
        await paymaster.close(0)
    (grant,) = chain.granted
    assert {account for account, _ in grant.shares} == {ACCOUNTS[peer.key] for peer in CONTRIBUTORS}
    assert grant.total == 8 * (10**21 // 8)
    assert seen.named("shares-granted")[0]["accounts"] == 8
    assert len(json.loads((tmp_path / "shares.json").read_text())) == 8
