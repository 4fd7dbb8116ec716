"""Who earns what: by hand for a small epoch, and what must hold of any."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from protocols.agreement.certificate import list_digest
from protocols.types import NO_DIGEST, Address, Digest
from protocols.verification.scores import Books, Earned, RoundWork, Share, round_work, settle, totals
from protocols.wire.messages import CellResult, Header, SetList
from tests.protocols.playbook import CELLS, CONTRIBUTORS, MEMBERS, ROUND, VIEW, set_of, submit

A, B, C = (Address(bytes([number]) * 20) for number in (1, 2, 3))
FUNDED = {Share.VERIFIER: 1000, Share.COMPUTE: 1000, Share.DATA: 1000}


def test_an_epoch_by_hand() -> None:
    rounds = [RoundWork(0, (A, B), (C,), (A,)), RoundWork(1, (A,), (C, C, B), (A, B))]
    lines = settle((), FUNDED, rounds)
    assert lines == (
        Earned(0, Share.VERIFIER, A, 333),
        Earned(1, Share.VERIFIER, A, 333),
        Earned(1, Share.VERIFIER, B, 333),
        Earned(0, Share.COMPUTE, C, 100),  # a tenth of 1000
        Earned(1, Share.COMPUTE, B, 30),  # a tenth of 900, in three parts
        Earned(1, Share.COMPUTE, C, 60),
        Earned(0, Share.DATA, A, 333),
        Earned(0, Share.DATA, B, 333),
        Earned(1, Share.DATA, A, 333),
    )
    assert totals(lines) == {
        (Share.VERIFIER, A): 666,
        (Share.VERIFIER, B): 333,
        (Share.COMPUTE, B): 30,
        (Share.COMPUTE, C): 160,
        (Share.DATA, A): 666,
        (Share.DATA, B): 333,
    }


def test_without_new_money_data_earns_no_more_and_computing_power_goes_on_decaying() -> None:
    rounds = [RoundWork(0, (A,), (C,), (A,))]
    first = settle((), FUNDED, rounds)
    second = settle(first, FUNDED, [dataclasses.replace(rounds[0], height=1)])
    assert [(line.share, line.amount) for line in second] == [(Share.COMPUTE, 90)]


def test_nobody_worked_and_nothing_came_in_are_no_lines() -> None:
    assert settle((), FUNDED, []) == settle((), FUNDED, [RoundWork(0, (), ())]) == ()
    assert settle((), {}, [RoundWork(0, (A,), (B,), (C,))]) == ()


ACCOUNTS = st.lists(st.sampled_from([A, B, C]), max_size=5).map(tuple)
WORK = st.lists(st.tuples(ACCOUNTS, ACCOUNTS, ACCOUNTS), max_size=4)
MONEY = st.fixed_dictionaries({share: st.integers(0, 10**24) for share in Share})


Epochs = list[tuple[dict[Share, int], list[tuple[tuple[Address, ...], ...]]]]


@given(st.lists(st.tuples(MONEY, WORK), max_size=5))
def test_no_more_is_dealt_than_came_in_and_nobody_s_earnings_shrink(epochs: Epochs) -> None:
    books: Books = ()
    funded = dict.fromkeys(Share, 0)
    for height, (money, work) in enumerate(epochs):
        before, funded = totals(books), {share: funded[share] + money[share] for share in Share}
        books += settle(books, funded, [RoundWork(height * 10 + n, *each) for n, each in enumerate(work)])
        after = totals(books)
        assert all(after[key] >= amount for key, amount in before.items())
        for share in Share:
            assert sum(amount for (of, _), amount in after.items() if of is share) <= funded[share]


def test_a_round_shows_its_workers_and_a_spoiled_cell_earns_nothing() -> None:
    accounts = {peer.key: Address(peer.key[:20]) for peer in (*CONTRIBUTORS, *MEMBERS)}
    view = dataclasses.replace(VIEW, accounts=accounts)
    cells = tuple(set_of(cell, map(submit, CELLS[cell])) for cell in (0, 1))
    sets = SetList(VIEW.slot(ROUND), cells)
    good, spoiled = CellResult(0, 4, NO_DIGEST, NO_DIGEST), CellResult(1, 0, NO_DIGEST, NO_DIGEST)
    header = Header(VIEW.slot(ROUND), NO_DIGEST, Digest(bytes(32)), list_digest(sets), NO_DIGEST, (good, spoiled), None)
    work = round_work(view, sets, header, 1, [B, A])
    assert sorted(work.data) == sorted(accounts[peer.key] for peer in CELLS[0])
    adders = view.aggregators(ROUND, 0, 0)
    assert sorted(work.compute) == sorted(
        [*(accounts[each.key] for each in MEMBERS), *(accounts[each] for each in adders)]
    )
    assert (work.height, work.verifiers) == (ROUND, (A, B))
    assert round_work(VIEW, sets, header, 1).data == (), "who has no account cannot be paid"
