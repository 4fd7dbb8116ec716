from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from protocols.agreement.certificate import list_digest
from protocols.agreement.evidence import decode_evidence
from protocols.effects import Effects, Fetch, Job, Journal, Publish, Send, SetTimer, Store
from protocols.events import Fetched, FetchFailed, Started, TimerFired
from protocols.rounds.aggregate import Summed, add, verify_ciphertexts
from protocols.rounds.aggregation import REPORT_S, Aggregation, State
from protocols.rounds.custody import HOLDS_CIPHERTEXTS
from protocols.rounds.gatherer import REFETCH_S
from protocols.told import Certified
from protocols.types import NO_DIGEST, Digest
from protocols.wire.messages import Aggregate, Availability, CellSet, ListCertificate, Receipt, SetList
from tests.protocols.playbook import (
    CELLS,
    PEERS,
    ROUND,
    SCHEME,
    VIEW,
    Submitted,
    blamed,
    observed,
    of,
    run_job,
    sent,
    set_of,
    submit,
)

ME = PEERS[VIEW.aggregators(ROUND, 0, 0)[0]]
MADE = [submit(peer) for peer in CELLS[0]]
ALL = set_of(0, MADE)


def aggregation() -> Aggregation:
    machine = Aggregation(VIEW, ROUND, NO_DIGEST, ME.key, ME.sign, SCHEME, 1, "proof")
    machine.handle(Started(), 0)
    return machine


def certified(*cells: CellSet) -> Certified:
    return Certified(ListCertificate(SetList(VIEW.slot(ROUND), cells), 0, ()))


def bring(machine: Aggregation, *made: Submitted, now: float = 0.0) -> Effects:
    """Submitted, fetched, verified: everything that the machine asked for meanwhile."""
    effects: Effects = []
    for each in made:
        effects += machine.handle(each.to(0), now)
        (job,) = of(machine.handle(Fetched(of(effects, Fetch)[-1], each.blobs), now), Job)
        effects += machine.handle(run_job(job), now)
    return effects


def test_a_submission_is_fetched_from_its_contributor_and_its_manifest_served() -> None:
    store, fetch = aggregation().handle(MADE[0].to(0), 0)
    assert store == Store(((MADE[0].signed.digest, MADE[0].signed.encoded),))
    assert isinstance(fetch, Fetch)
    assert fetch.holders == (MADE[0].signed.signer,)
    assert fetch.digests == tuple(digest for digest, _ in MADE[0].encrypted.chunks)


def test_verified_ciphertexts_are_served_and_receipted() -> None:
    effects = bring(aggregation(), MADE[0])
    assert Store(MADE[0].encrypted.chunks) in effects
    assert sent(effects, Receipt) == [Receipt(VIEW.slot(ROUND), MADE[0].signed.digest, HOLDS_CIPHERTEXTS)]


def test_a_repeated_submission_is_not_fetched_again() -> None:
    machine = aggregation()
    bring(machine, MADE[0])
    assert of(machine.handle(MADE[0].to(0), 0), Fetch) == []


def test_who_submits_anothers_manifest_is_blamed() -> None:
    effects = aggregation().handle(MADE[0].to(0, by=CELLS[0][1]), 0)
    assert blamed(effects) == {CELLS[0][1].key: "submission refused: submits another peer's manifest"}
    assert of(effects, Fetch) == []


def test_the_committee_is_told_at_once_when_all_are_there_and_now_and_then_before() -> None:
    machine = aggregation()
    assert of(bring(machine, MADE[0], now=2.0), SetTimer) == [SetTimer("report", 2.0 + REPORT_S)]
    assert of(bring(machine, MADE[1], now=3.0), SetTimer) == [SetTimer("report", 3.0 + REPORT_S)]
    told = machine.handle(TimerFired("report"), 3.25)
    assert [send.to for send in of(told, Send)] == list(VIEW.committee)
    assert set(sent(told, Availability)[0].manifests) == {made.signed.digest for made in MADE[:2]}
    assert machine.handle(TimerFired("report"), 3.5) == [], "nothing new"
    everything = bring(machine, *MADE[2:])
    assert len(sent(everything, Availability)[-1].manifests) == 4


def test_what_cannot_be_fetched_is_tried_again() -> None:
    machine = aggregation()
    (fetch,) = of(machine.handle(MADE[0].to(0), 0), Fetch)
    assert machine.handle(FetchFailed(fetch), 5.0) == [SetTimer("refetch", 5.0 + REFETCH_S)]
    assert machine.handle(TimerFired("refetch"), 6.0) == [fetch]
    assert machine.handle(TimerFired("refetch"), 7.0) == []


def test_who_serves_other_ciphertexts_than_promised_is_blamed_and_may_do_better() -> None:
    machine = aggregation()
    (fetch,) = of(machine.handle(MADE[0].to(0), 0), Fetch)
    (job,) = of(machine.handle(Fetched(fetch, MADE[1].blobs), 0), Job)
    assert "not its manifest's" in blamed(machine.handle(run_job(job), 0))[MADE[0].signed.signer]
    assert sent(bring(machine, MADE[0]), Receipt)


def test_a_second_manifest_is_blamed_a_stale_one_noticed_and_another_cells_passed_over() -> None:
    machine = aggregation()
    bring(machine, MADE[0])
    effects = machine.handle(submit(CELLS[0][0], seed=2).to(0), 0)
    assert "two manifests" in blamed(effects)[CELLS[0][0].key]
    assert decode_evidence(of(effects, Journal)[0].payload).culprit == CELLS[0][0].key
    assert observed(machine.handle(submit(CELLS[0][1], parent=Digest(b"x" * 32)).to(0), 0), "stale")
    assert machine.handle(submit(CELLS[1][0]).to(0), 0) == []


def sealed(machine: Aggregation, effects: Effects) -> Effects:
    """What follows when the sums among these effects are sealed."""
    jobs = [job for job in of(effects, Job) if job.purpose == "seal"]
    return [effect for job in jobs for effect in machine.handle(run_job(job), 0)]


def sum_of(made: Iterable[Submitted]) -> Summed:
    return add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in made])


def test_the_certified_set_is_added_and_announced() -> None:
    machine = aggregation()
    bring(machine, *MADE)
    sets = certified(ALL, set_of(1, [submit(peer) for peer in CELLS[1]]))
    effects = sealed(machine, machine.handle(sets, 0))
    summed = sum_of(MADE)
    aggregate = Aggregate(VIEW.slot(ROUND), 0, list_digest(sets.certificate.sets), (0,), summed.roots)
    assert sent(effects, Aggregate) == [aggregate] * 5
    assert [publish.topic for publish in of(effects, Publish)] == ["proof"]
    assert of(effects, Store) == [Store(tuple(zip(summed.roots, summed.packed, strict=True)))]
    assert machine.state is State.DONE


def test_a_second_manifest_is_blamed_even_after_the_end() -> None:
    machine = aggregation()
    bring(machine, *MADE)
    sealed(machine, machine.handle(certified(ALL), 0))
    assert machine.state is State.DONE
    assert machine.handle(MADE[0].to(0), 0) == []
    effects = machine.handle(submit(CELLS[0][0], seed=2).to(0), 0)
    assert blamed(effects) == {CELLS[0][0].key: "two manifests for one slot"}


def test_where_all_that_came_is_certified_nothing_is_fetched_or_added_any_more() -> None:
    machine = aggregation()
    bring(machine, *MADE)
    assert [type(effect) for effect in machine.handle(certified(ALL), 0)] == [Job]


def test_who_is_not_in_the_certified_set_is_not_added() -> None:
    """The sum that ran along held it: it begins anew, from this aggregator's own disk."""
    machine = aggregation()
    bring(machine, *MADE)
    effects = machine.handle(certified(set_of(0, MADE[1:])), 0)
    again = of(effects, Fetch)
    assert [fetch.subject.contribution for fetch in again] == [made.contribution for made in MADE[1:]]
    for fetch, made in zip(again, MADE[1:], strict=True):
        (job,) = of(machine.handle(Fetched(fetch, made.blobs), 0), Job)
        effects += machine.handle(run_job(job), 0)
    (aggregate,) = {each.chunk_roots for each in sent(sealed(machine, effects), Aggregate)}
    assert aggregate == sum_of(MADE[1:]).roots


def test_a_certified_contribution_that_never_came_is_fetched_from_those_who_have_it() -> None:
    """Else a contributor that passes over one aggregator would silence it."""
    machine = aggregation()
    bring(machine, *MADE[:3])
    (fetch,) = of(machine.handle(certified(ALL), 0), Fetch)
    assert (fetch.purpose, fetch.digests) == ("manifest", (MADE[3].signed.digest,))
    assert set(VIEW.committee) < set(fetch.holders)
    effects = machine.handle(Fetched(fetch, (MADE[3].signed.encoded,)), 0)
    (chunks,) = of(effects, Fetch)
    (job,) = of(machine.handle(Fetched(chunks, MADE[3].blobs), 0), Job)
    assert sent(sealed(machine, machine.handle(run_job(job), 0)), Aggregate)


def test_a_cell_that_is_not_in_the_list_is_done() -> None:
    machine = aggregation()
    bring(machine, *MADE)
    assert machine.handle(certified(dataclasses.replace(ALL, cell=1)), 0) == []
    assert machine.state is State.DONE


def test_answers_that_come_after_the_end_are_no_error() -> None:
    machine = aggregation()
    effects = bring(machine, *MADE)
    verify = Job("verify", verify_ciphertexts, (SCHEME, MADE[0].blobs, MADE[0].manifest.chunk_roots, 0))
    sealed(machine, machine.handle(certified(ALL), 0))
    assert machine.state is State.DONE
    assert machine.handle(run_job(verify), 0) == []
    assert machine.handle(FetchFailed(of(effects, Fetch)[0]), 0) == []
