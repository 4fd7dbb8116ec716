from __future__ import annotations

import pytest

from protocols.rounds.availability import WORDS_MAX, Vouchers
from protocols.types import Digest
from tests.protocols.playbook import ROUND, STRANGER, VIEW

MANIFEST, OTHER = Digest(b"m" * 32), Digest(b"o" * 32)
PAIR = VIEW.aggregators(ROUND, 0, 0)


def vouchers(chunks: int = 1) -> Vouchers:
    return Vouchers(VIEW, ROUND, 0, chunks)


def test_one_aggregators_word_is_not_enough() -> None:
    said = vouchers()
    assert said.accept(PAIR[0], [MANIFEST])
    assert said.lacking(MANIFEST) == (0,)
    assert said.accept(PAIR[1], [MANIFEST, OTHER])
    assert said.lacking(MANIFEST) == ()
    assert said.lacking(OTHER) == (0,)
    assert said.named() == {MANIFEST, OTHER}


def test_a_word_stands_whatever_the_aggregator_says_later() -> None:
    """After a crash it knows of fewer; a liar would take its word back when everybody is voting."""
    said = vouchers()
    for manifests in ([MANIFEST], [OTHER], []):
        for peer in PAIR:
            said.accept(peer, manifests)
    assert said.lacking(MANIFEST) == said.lacking(OTHER) == ()


def test_there_is_an_end_to_an_aggregators_words() -> None:
    said = vouchers()
    for number in range(2 * WORDS_MAX):
        said.accept(PAIR[0], [Digest(number.to_bytes(32, "big"))])
    assert len(said.named()) == WORDS_MAX


def test_nobody_else_has_a_word() -> None:
    idle = next(peer for peer in VIEW.cells[0] if peer not in PAIR)
    for peer in (idle, STRANGER.key, VIEW.committee[0]):
        said = vouchers()
        assert not said.accept(peer, [MANIFEST])
        assert said.named() == frozenset()


def test_each_stripe_needs_its_own_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.rounds.cells.STRIPE", 1)
    said, duties = vouchers(12), VIEW.duties(ROUND, 0, 12)
    assert len(duties) > 2
    for count, peer in enumerate(duties, start=1):
        said.accept(peer, [MANIFEST])
        heard = set(list(duties)[:count])
        open_stripes = [stripe for stripe in range(12) if not set(VIEW.aggregators(ROUND, 0, stripe)) <= heard]
        assert list(said.lacking(MANIFEST)) == open_stripes
    assert said.lacking(MANIFEST) == ()
