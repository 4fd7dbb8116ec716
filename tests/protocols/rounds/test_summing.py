from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from protocols.agreement.evidence import decode_evidence
from protocols.effects import Effects, Fetch, Job, Journal
from protocols.events import Fetched, FetchFailed
from protocols.rounds.gatherer import Gatherer
from protocols.rounds.summing import Announced, CellSum
from protocols.types import NO_DIGEST, Digest, PeerKey
from protocols.wire.messages import Aggregate
from tests.protocols.playbook import PEERS, ROUND, STRANGER, VIEW, blamed, of, run_job
from tests.protocols.rounds.striped import ALL, CHUNKS, MADE, SCHEME, sum_of

SETS = Digest(b"s" * 32)


@pytest.fixture(autouse=True)
def _small_stripes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.rounds.cells.STRIPE", 1)


def duties() -> dict[PeerKey, tuple[int, ...]]:
    found = VIEW.duties(ROUND, 0, CHUNKS)
    assert len(found) > 2, "the stripes of this cell are spread"
    return found


def said_by(peer: PeerKey, wrong: Iterable[int] = ()) -> Aggregate:
    stripes = duties()[peer]
    roots = tuple(NO_DIGEST if each in wrong else sum_of(MADE, each).roots[0] for each in stripes)
    return Aggregate(VIEW.slot(ROUND), 0, SETS, stripes, roots)


class Desk:
    """One member's sum, with its fetches answered and its jobs done."""

    def __init__(self) -> None:
        self.gatherer = Gatherer(VIEW, ROUND, SCHEME, CHUNKS, keep=True, anywhere=True)
        for made in MADE:
            self.gatherer.learn(made.signed.digest, made.manifest)
        self.sum = CellSum(VIEW, ROUND, 0, SCHEME, CHUNKS, self.gatherer)
        self.served = {root: blob for made in MADE for root, blob in zip(made.roots, made.blobs, strict=True)}
        for stripe in range(CHUNKS):
            total = sum_of(MADE, stripe)
            self.served[total.roots[0]] = total.packed[0]
        self.effects: Effects = []

    def announce(self, *peers: PeerKey, wrong: Iterable[int] = ()) -> Desk:
        for peer in peers:
            self.work(self.sum.announce(PEERS[peer].sign(said_by(peer, wrong))))
        return self.work(self.sum.proceed())

    def work(self, effects: Effects) -> Desk:
        todo = list(effects)
        while todo:
            effect = todo.pop(0)
            self.effects.append(effect)
            if isinstance(effect, Fetch):
                todo += self.answer(effect)
            elif isinstance(effect, Job):
                todo += self.done(effect)
        return self

    def answer(self, fetch: Fetch) -> Effects:
        blobs = tuple(self.served[digest] for digest in fetch.digests if digest in self.served)
        if fetch.purpose == "sum":
            return self.sum.fetched(Fetched(fetch, blobs)) if blobs else self.sum.add_missing()
        found = Fetched(fetch, blobs) if blobs else FetchFailed(fetch)
        return [*self.gatherer.handle(found, 0), *self.sum.proceed()]

    def done(self, job: Job) -> Effects:
        event = run_job(job)
        if job.purpose == "seal":
            return self.sum.sealed(event)  # type: ignore[arg-type]  # sealing does not fail
        if job.purpose == "verify-sum":
            self.sum.verified(event)  # type: ignore[arg-type]  # what is served here is right
            return []
        return [*self.gatherer.handle(event, 0), *self.sum.proceed()]

    def fetched(self, purpose: str) -> list[Fetch]:
        return [fetch for fetch in of(self.effects, Fetch) if fetch.purpose == purpose]


def assert_right(desk: Desk) -> None:
    assert desk.sum.complete
    expected = [sum_of(MADE, stripe) for stripe in range(CHUNKS)]
    assert desk.sum.roots == tuple(root for each in expected for root in each.roots)
    assert (desk.sum.residues == np.concatenate([each.residues for each in expected])).all()


def test_what_all_aggregators_agree_on_is_fetched_and_nothing_added() -> None:
    desk = Desk().work(Desk().sum.certify(ALL))
    desk.work(desk.sum.certify(ALL)).announce(*duties())
    assert [fetch.subject for fetch in desk.fetched("sum")] == list(range(CHUNKS))
    assert desk.fetched("ciphertexts") == []
    assert_right(desk)
    assert not desk.sum.adds_all


@pytest.mark.parametrize("stripe", range(CHUNKS))
def test_only_the_stripe_in_dispute_is_added_here_and_the_liar_named_with_its_chunk(stripe: int) -> None:
    liar, honest = VIEW.aggregators(ROUND, 0, stripe)
    desk = Desk()
    desk.work(desk.sum.certify(ALL)).announce(liar, wrong=[stripe])
    desk.announce(honest, *(peer for peer in duties() if peer not in (liar, honest)))
    assert {fetch.subject.stripe for fetch in desk.fetched("ciphertexts")} == {stripe}
    assert blamed(desk.effects) == {liar: f"wrong sum of cell 0, chunk {stripe}"}
    assert desk.sum.own == {stripe}
    assert_right(desk)


def test_a_lie_that_comes_late_is_named_all_the_same() -> None:
    desk = Desk()
    desk.work(desk.sum.certify(ALL)).work(desk.sum.add_missing())
    assert_right(desk)
    liar = next(iter(duties()))
    desk.announce(liar, wrong=duties()[liar])
    assert set(blamed(desk.effects)) == {liar}


def test_of_silent_aggregators_only_their_stripes_are_added() -> None:
    silent = next(iter(duties()))
    desk = Desk()
    desk.work(desk.sum.certify(ALL)).announce(*(peer for peer in duties() if peer != silent))
    assert not desk.sum.complete
    desk.work(desk.sum.add_missing())
    assert desk.sum.own == set(duties()[silent])
    assert blamed(desk.effects) == {}
    assert_right(desk)


def test_what_is_not_served_is_added() -> None:
    desk = Desk()
    del desk.served[sum_of(MADE, 1).roots[0]]
    desk.work(desk.sum.certify(ALL)).announce(*duties())
    assert 1 in desk.sum.own
    assert_right(desk)


def test_what_was_gathered_before_the_certificate_needs_nobodys_word() -> None:
    desk = Desk()
    for each in ALL:
        desk.work(desk.gatherer.want(each, range(CHUNKS)))
    desk.work(desk.sum.certify(ALL))
    assert desk.sum.adds_all
    assert_right(desk)


def test_distrusted_sums_are_added_anew() -> None:
    desk = Desk()
    desk.work(desk.sum.certify(ALL)).announce(*duties())
    desk.work(desk.sum.distrust())
    assert desk.sum.adds_all
    assert_right(desk)


# ------------------------------------------------------------------------------------------------- announcements


def test_nobody_announces_what_is_not_its_part_or_two_sums() -> None:
    said = Announced(VIEW, ROUND, 0, CHUNKS)
    peer, stripes = next(iter(duties().items()))
    right, me = said_by(peer), PEERS[peer]
    assert "no aggregator" in blamed(said.accept(STRANGER.sign(right)))[STRANGER.key]
    for changed in (
        Aggregate(right.slot, 0, SETS, (*stripes, 7), (*right.chunk_roots, NO_DIGEST)),
        Aggregate(right.slot, 0, SETS, stripes, (*right.chunk_roots, NO_DIGEST)),
        Aggregate(right.slot, 0, SETS, stripes[::-1] if len(stripes) > 1 else (9,), right.chunk_roots),
    ):
        assert "other stripes" in blamed(said.accept(me.sign(changed)))[peer]
    assert said.accept(me.sign(right)) == []
    assert said.accept(me.sign(right)) == [], "repeating it is harmless"
    effects = said.accept(me.sign(said_by(peer, wrong=stripes)))
    assert "two sums" in blamed(effects)[peer]
    (journal,) = of(effects, Journal)
    assert decode_evidence(journal.payload).culprit == peer
    assert said.agreed(stripes[0]) is None, "one of two"
