from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import pytest

from protocols.effects import Effects, Fetch, Job, SetTimer, Store
from protocols.events import Fetched, FetchFailed, TimerFired
from protocols.rounds import gatherer as module
from protocols.rounds.gatherer import REFETCH_S, Gatherer, Part
from tests.protocols.playbook import ROUND, VIEW, blamed, of, run_job
from tests.protocols.rounds.striped import ALL, CHUNKS, MADE, SCHEME, Striped, sum_of


@pytest.fixture(autouse=True)
def _small_stripes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.rounds.cells.STRIPE", 1)


def gatherer(known: Iterable[Striped] = MADE, *, keep: bool = True, anywhere: bool = True) -> Gatherer:
    made = Gatherer(VIEW, ROUND, SCHEME, CHUNKS, keep=keep, anywhere=anywhere)
    for each in known:
        made.learn(each.signed.digest, each.manifest)
    return made


SERVED = {root: blob for made in MADE for root, blob in zip(made.roots, made.blobs, strict=True)}
SERVED |= {made.signed.digest: made.signed.encoded for made in MADE}


def work(machine: Gatherer, effects: Effects, served: dict[bytes, bytes] | None = None, now: float = 0.0) -> Effects:
    """Answers every fetch and job until nothing is asked for; returns all effects."""
    blobs = SERVED if served is None else served
    done: Effects = []
    todo = list(effects)
    while todo:
        effect = todo.pop(0)
        done.append(effect)
        if isinstance(effect, Fetch):
            found = [blobs.get(digest) for digest in effect.digests]
            answer = FetchFailed(effect) if None in found else Fetched(effect, tuple(blob for blob in found if blob))
            todo += machine.handle(answer, now)
        elif isinstance(effect, Job):
            todo += machine.handle(run_job(effect), now)
    return done


def want_all(machine: Gatherer) -> Effects:
    return [effect for each in ALL for effect in machine.want(each, range(CHUNKS))]


def test_everything_wanted_is_added_by_stripe_and_only_the_sums_stay() -> None:
    machine = gatherer()
    effects = work(machine, want_all(machine))
    for stripe in range(CHUNKS):
        total = machine.total(0, stripe, ALL)
        assert total is not None
        assert (total == sum_of(MADE, stripe).residues).all()
        assert machine.total(0, stripe, ALL[1:]) is None
    assert {digest for store in of(effects, Store) for digest, _ in store.blobs} == {
        root for made in MADE for root in made.roots
    }
    assert len(machine._sums) == CHUNKS
    assert machine.want(ALL[0], range(CHUNKS)) == [], "it is here"


def test_each_contribution_has_one_part_under_way_and_one_that_stalls_holds_up_nobody() -> None:
    machine = gatherer()
    first = of(want_all(machine), Fetch)
    assert [fetch.subject for fetch in first] == [Part(each, 0) for each in ALL]
    _stalled, *others = first
    work(machine, list(others))
    for made in MADE[1:]:
        assert all(machine.holds(Part(made.contribution, stripe), 0) for stripe in range(CHUNKS))
    assert not machine.holds(Part(ALL[0], 0), 0)


def test_of_all_together_only_a_window_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 2)
    machine = gatherer()
    first = want_all(machine)
    assert len(of(first, Fetch)) == 2
    silent, *others = of(first, Fetch)
    work(machine, [*others, *machine.handle(FetchFailed(silent), 0)])
    work(machine, machine.handle(TimerFired("refetch"), REFETCH_S))
    assert all(machine.total(0, stripe, ALL) is not None for stripe in range(CHUNKS))


def test_a_manifest_that_is_unknown_is_fetched_checked_and_served() -> None:
    machine = gatherer(known=MADE[1:])
    effects = work(machine, machine.want(ALL[0], [1]))
    assert [fetch.purpose for fetch in of(effects, Fetch)] == ["manifest", "ciphertexts"]
    assert Store(((MADE[0].signed.digest, MADE[0].signed.encoded),)) in effects
    machine = gatherer(known=[])
    junk = dict.fromkeys(SERVED, b"junk") | {MADE[0].signed.digest: MADE[1].signed.encoded}
    work(machine, machine.want(ALL[0], [1]), junk)
    assert not machine.holds(Part(ALL[0], 1), 0)
    work(machine, machine.handle(TimerFired("refetch"), REFETCH_S))
    assert machine.holds(Part(ALL[0], 1), 0)


@pytest.mark.parametrize("junk", [None, b"", MADE[1].blobs[0], MADE[0].blobs[1], MADE[0].blobs[0][:-1]])
def test_what_is_missing_or_false_is_fetched_from_the_next_holder(junk: bytes | None) -> None:
    machine, served = gatherer(), dict(SERVED)
    del served[MADE[0].roots[0]]
    served |= {} if junk is None else {MADE[0].roots[0]: junk}
    effects = work(machine, machine.want(ALL[0], [0]), served, now=3.0)
    (first,) = of(effects, Fetch)
    assert of(effects, SetTimer) == [SetTimer("refetch", 3.0 + REFETCH_S)]
    assert blamed(effects) == {}, "it may have come from another holder"
    again = machine.handle(TimerFired("refetch"), 4.0)
    assert again == [first.elsewhere()]
    work(machine, again)
    assert machine.holds(Part(ALL[0], 0), 0)


def test_a_contributor_that_alone_was_asked_answers_for_false_bytes_and_may_do_better() -> None:
    machine = gatherer(anywhere=False)
    effects = work(machine, machine.want(ALL[0], [0, 1]), SERVED | {MADE[0].roots[0]: MADE[1].blobs[0]})
    assert "not its manifest's" in blamed(effects)[MADE[0].peer.key]
    assert of(effects, SetTimer) == [], "not before it submits again"
    work(machine, machine.want(ALL[0], [0, 1]))
    assert machine.holds(Part(ALL[0], 0), 0)
    assert machine.holds(Part(ALL[0], 1), 0)


def test_residues_that_are_not_below_their_prime_are_never_added() -> None:
    """A naive adder takes them, and its sum is no canonical ciphertext any more."""
    huge = b"\xff" * len(MADE[0].blobs[0])
    machine = gatherer()
    work(machine, machine.want(ALL[0], [0]), SERVED | {MADE[0].roots[0]: huge})
    assert machine.total(0, 0, ALL[:1]) is None


def test_once_restricted_sums_that_hold_more_begin_anew_and_late_parts_do_not_count() -> None:
    machine = gatherer()
    late = machine.want(ALL[3], [0])
    work(machine, [effect for each in ALL[:3] for effect in machine.want(each, range(CHUNKS))])
    machine.restrict(ALL[:2])
    work(machine, late)
    assert machine.total(0, 0, ALL[:2]) is None
    work(machine, [effect for each in ALL[:2] for effect in machine.want(each, range(CHUNKS))])
    total = machine.total(0, 0, ALL[:2])
    assert total is not None
    assert (total == sum_of(MADE[:2], 0).residues).all()


def test_a_forgotten_sum_is_free() -> None:
    machine = gatherer()
    work(machine, want_all(machine))
    machine.forget(0, 1)
    assert machine.total(0, 1, ALL) is None
    assert len(machine._sums) == CHUNKS - 1


def gathered_bytes(made: list[Striped]) -> tuple[int, int]:
    """What stays in memory after gathering, and the most that there was meanwhile; blobs are made when asked for."""
    machine = gatherer(made, keep=False)
    tracemalloc.start()
    for each in made:
        todo = machine.want(each.contribution, range(CHUNKS))
        while todo:
            effect = todo.pop()
            if isinstance(effect, Fetch):
                blobs = tuple(bytearray(SERVED[digest]) for digest in effect.digests)
                todo += machine.handle(Fetched(effect, tuple(map(bytes, blobs))), 0)
            elif isinstance(effect, Job):
                todo += machine.handle(run_job(effect), 0)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held, peak


def test_memory_does_not_grow_with_the_number_of_contributors() -> None:
    """Kept one by one, four contributions would take four times what one takes."""
    gathered_bytes(MADE[:1])  # what is cached is cached
    (one, one_peak), (four, four_peak) = gathered_bytes(MADE[:1]), gathered_bytes(MADE)
    part = MADE[0].residues.nbytes // CHUNKS
    assert one >= CHUNKS * part
    assert four < one + part
    assert four_peak < one_peak + 2 * part
