from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest

from protocols.agreement.certificate import list_digest
from protocols.agreement.evidence import decode_evidence
from protocols.effects import Effects, Fetch, Job, Journal, SetTimer, Store, Tell
from protocols.encryption.packing import pack_share
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.scheme import PublicContext, Scheme, Share
from protocols.encryption.sharing import add_shares
from protocols.events import Event, Fetched, FetchFailed, TimerFired
from protocols.rounds.aggregate import Summed, add, verify_ciphertexts
from protocols.rounds.gatherer import REFETCH_S, Part
from protocols.rounds.opening import UNPROVEN, CellOpening, State
from protocols.rounds.release import WrongShares, set_digest
from protocols.told import CellOpened, Certified
from protocols.types import NO_DIGEST, Digest, Secret
from protocols.updates.chunks import chunk_roots, update_root
from protocols.wire.messages import Aggregate, CellSet, ListCertificate, Release, SetList
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    PARAMS,
    PEERS,
    ROUND,
    SCHEMA,
    SCHEME,
    STRANGER,
    VIEW,
    Peer,
    Submitted,
    blamed,
    lanes_of,
    observed,
    of,
    received,
    run_job,
    set_of,
    submit,
)

MADE = [submit(peer) for peer in CELLS[0]]
ALL = set_of(0, MADE)
SETS = SetList(VIEW.slot(ROUND), (ALL,))
CERTIFIED = Certified(ListCertificate(SETS, 0, ()))
ONE, TWO = (PEERS[key] for key in VIEW.aggregators(ROUND, 0, 0))
EXPECTED = np.sum([lanes_of(peer) for peer in CELLS[0]], axis=0)


def summed(made: Iterable[Submitted]) -> Summed:
    return add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in made])


SUM = summed(MADE)
WRONG = summed(MADE[1:])
MADE_RESIDUES = verify_ciphertexts(SCHEME, MADE[0].blobs, MADE[0].manifest.chunk_roots).residues
PLAIN = (Secret(bytes(32)), PublicContext(bytes(32), 0, 0))


def summed_share(member: int, made: Iterable[Submitted] = MADE) -> Share:
    return add_shares([each.share(member) for each in made])


def release(member: int, share: bytes | None = None, cell_set: CellSet = ALL, peer: Peer | None = None) -> Event:
    share = pack_share(summed_share(member)) if share is None else share
    message = Release(VIEW.slot(ROUND), cell_set.cell, set_digest(cell_set), share)
    return received(peer or COMMITTEE[member - 1], message)


def lie(member: int) -> bytes:
    share = summed_share(member)
    share[7] ^= 1
    return pack_share(share)


def aggregate(peer: Peer, roots: tuple[Digest, ...] = SUM.roots, sets: SetList = SETS, cell: int = 0) -> Event:
    return received(peer, Aggregate(VIEW.slot(ROUND), cell, list_digest(sets), (0,), roots))


def opening(scheme: Scheme = SCHEME, known: Iterable[Submitted] = MADE) -> CellOpening:
    machine = CellOpening(VIEW, ROUND, NO_DIGEST, 0, scheme, SCHEMA, 1)
    for made in known:
        machine.handle(made.to(1), 0)
    return machine


class Desk:
    """One opening with its jobs done and its fetches answered by whoever holds the blobs, until it asks for more."""

    def __init__(self, machine: CellOpening | None = None, served: dict[Digest, bytes] | None = None) -> None:
        self.machine = machine or opening()
        self.served = {digest: blob for made in MADE for digest, blob in made.encrypted.chunks}
        self.served |= dict(zip(SUM.roots, SUM.packed, strict=True))
        self.served |= {made.signed.digest: made.signed.encoded for made in MADE}
        self.served |= served or {}
        self.effects: Effects = []

    def handle(self, *events: Event, now: float = 0.0) -> Desk:
        todo: list[Event] = list(events)
        while todo:
            for effect in self.machine.handle(todo.pop(0), now):
                self.effects.append(effect)
                if isinstance(effect, Job):
                    todo.append(run_job(effect))
                elif isinstance(effect, Fetch):
                    todo.append(self.answer(effect))
        return self

    def answer(self, fetch: Fetch) -> Fetched | FetchFailed:
        if any(digest not in self.served for digest in fetch.digests):
            return FetchFailed(fetch)
        return Fetched(fetch, tuple(self.served[digest] for digest in fetch.digests))

    @property
    def fetched(self) -> list[str]:
        return [fetch.purpose for fetch in of(self.effects, Fetch)]

    @property
    def jobs(self) -> list[str]:
        return [job.purpose for job in of(self.effects, Job)]

    @property
    def opened(self) -> CellOpened | None:
        told = [tell.event for tell in of(self.effects, Tell) if isinstance(tell.event, CellOpened)]
        assert len(told) <= 1, "told once"
        return told[0] if told else None


def summing(machine: CellOpening | None = None) -> Desk:
    """Certified, and both aggregators agree."""
    return Desk(machine).handle(CERTIFIED, aggregate(ONE), aggregate(TWO))


# ----------------------------------------------------------------------------------------------------- the two sums


def test_two_aggregators_that_agree_are_fetched_once() -> None:
    desk = Desk().handle(CERTIFIED, aggregate(ONE))
    assert desk.fetched == []
    desk.handle(aggregate(TWO))
    assert desk.fetched == ["sum"]
    assert of(desk.effects, Fetch)[0].holders == (ONE.key, TWO.key)
    assert desk.machine.state is State.OPENING
    assert blamed(desk.effects) == {}


def test_they_may_come_before_the_certificate() -> None:
    desk = Desk().handle(aggregate(ONE), aggregate(TWO))
    assert desk.fetched == []
    assert desk.handle(CERTIFIED).fetched == ["sum"]


@pytest.mark.parametrize("liar", [ONE, TWO])
def test_if_they_differ_the_member_adds_and_blames_the_wrong_one_with_its_chunk(liar: Peer) -> None:
    honest = TWO if liar is ONE else ONE
    desk = Desk().handle(CERTIFIED, aggregate(liar, WRONG.roots), aggregate(honest))
    assert desk.fetched == ["ciphertexts"] * 4
    assert desk.jobs == ["verify"] * 4 + ["seal"]
    assert blamed(desk.effects) == {liar.key: "wrong sum of cell 0, chunk 0"}
    assert Store(tuple(zip(SUM.roots, SUM.packed, strict=True))) in desk.effects
    assert desk.machine.state is State.OPENING


def test_two_that_lie_differently_are_both_blamed() -> None:
    desk = Desk().handle(CERTIFIED, aggregate(ONE, WRONG.roots), aggregate(TWO, (NO_DIGEST,)))
    assert set(blamed(desk.effects)) == {ONE.key, TWO.key}
    assert "chunk 0" in blamed(desk.effects)[TWO.key]


def test_one_who_announces_other_stripes_or_two_sums_is_blamed() -> None:
    desk = Desk().handle(CERTIFIED, aggregate(ONE, (*SUM.roots, NO_DIGEST)))
    assert "other stripes" in blamed(desk.effects)[ONE.key]
    desk = Desk().handle(CERTIFIED, aggregate(ONE), aggregate(ONE, WRONG.roots))
    assert "two sums" in blamed(desk.effects)[ONE.key]


def test_two_sums_announced_before_the_certificate_are_evidence_and_the_first_one_counts() -> None:
    desk = Desk().handle(aggregate(ONE), aggregate(ONE, WRONG.roots), aggregate(ONE))
    assert list(blamed(desk.effects).items()) == [(ONE.key, "announced two sums of cell 0")]
    assert decode_evidence(of(desk.effects, Journal)[0].payload).culprit == ONE.key
    assert desk.handle(CERTIFIED, aggregate(TWO)).fetched == ["sum"]


def test_who_is_no_aggregator_is_blamed_before_the_certificate_too() -> None:
    desk = Desk().handle(aggregate(STRANGER))
    assert blamed(desk.effects) == {STRANGER.key: "is no aggregator of cell 0"}
    assert desk.machine._early == {}


def test_two_sums_or_releases_are_evidence_even_after_the_end() -> None:
    smaller = CellSet(0, ALL.contributions[1:])
    without = Certified(ListCertificate(SetList(VIEW.slot(ROUND), ()), 0, ()))
    for desk in (summing().handle(*map(release, (1, 2, 3))), Desk().handle(without)):
        assert desk.machine.state is State.DONE
        assert blamed(desk.handle(aggregate(ONE), release(4)).effects) == {}
        desk.handle(aggregate(ONE, WRONG.roots), release(4, cell_set=smaller))
        assert blamed(desk.effects) == {
            ONE.key: "announced two sums of cell 0",
            COMMITTEE[3].key: "released cell 0 for two sets",
        }


@pytest.mark.parametrize("speaking", [(), (ONE,), (TWO,)])
def test_if_one_is_silent_the_member_adds_after_the_grace(speaking: tuple[Peer, ...]) -> None:
    desk = Desk().handle(CERTIFIED, *map(aggregate, speaking), now=3.0)
    assert of(desk.effects, SetTimer) == [SetTimer("replicas", 3.0 + PARAMS.grace_s)]
    assert desk.fetched == []
    desk.handle(TimerFired("replicas"), now=8.0)
    assert desk.fetched == ["ciphertexts"] * 4
    assert desk.machine.state is State.OPENING
    assert blamed(desk.effects) == {}, "silence is no lie"


def test_the_one_that_spoke_is_judged_all_the_same() -> None:
    desk = Desk().handle(CERTIFIED, aggregate(ONE, WRONG.roots), TimerFired("replicas"))
    assert blamed(desk.effects) == {ONE.key: "wrong sum of cell 0, chunk 0"}


@pytest.mark.parametrize("blob", [None, WRONG.packed[0]], ids=["nothing", "other bytes"])
def test_a_sum_that_is_announced_but_not_served_is_added_here(blob: bytes | None) -> None:
    desk = Desk()
    del desk.served[SUM.roots[0]]
    desk.served |= {SUM.roots[0]: blob} if blob else {}
    desk.handle(CERTIFIED, aggregate(ONE), aggregate(TWO))
    assert desk.fetched == ["sum", *["ciphertexts"] * 4]
    assert desk.machine.state is State.OPENING


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (aggregate(STRANGER), "is no aggregator of cell 0"),
        (aggregate(next(peer for peer in CELLS[0] if peer not in (ONE, TWO))), "is no aggregator of cell 0"),
        (aggregate(ONE, sets=dataclasses.replace(SETS, cells=(set_of(0, MADE[1:]),))), "added another list"),
        (release(1, peer=STRANGER), "releases but is not in the committee"),
        (release(1, cell_set=set_of(0, MADE[1:])), "released for another set"),
        (release(1, b""), "released bytes that are no share"),
        (release(1, b"\xff" * 8704), "released bytes that are no share"),
    ],
)
def test_who_has_no_part_or_speaks_of_something_else_is_blamed(event: Event, reason: str) -> None:
    desk = Desk().handle(CERTIFIED, event)
    (told,) = blamed(desk.effects).values()
    assert reason in told
    assert desk.fetched == []


def test_other_cells_are_another_machines_business() -> None:
    elsewhere = dataclasses.replace(ALL, cell=1)
    desk = Desk().handle(CERTIFIED, aggregate(ONE, cell=1), release(1, cell_set=elsewhere))
    assert of(desk.effects, SetTimer) == desk.effects


def test_a_cell_that_is_not_in_the_list_is_done() -> None:
    machine = CellOpening(VIEW, ROUND, NO_DIGEST, 1, SCHEME, SCHEMA, 1)
    assert machine.handle(CERTIFIED, 0) == []
    assert machine.state is State.DONE


# ------------------------------------------------------------------------------------- adding where others hold back


def test_a_holder_of_junk_is_passed_over_for_the_next() -> None:
    """Without that, one dishonest aggregator could keep a cell closed."""
    desk = Desk(served={MADE[0].encrypted.chunks[0][0]: MADE[1].blobs[0]})
    desk.handle(CERTIFIED, TimerFired("replicas"), now=2.0)
    assert of(desk.effects, SetTimer)[-1] == SetTimer("refetch", 2.0 + REFETCH_S)
    first = next(fetch for fetch in of(desk.effects, Fetch) if fetch.subject == Part(MADE[0].contribution, 0))
    desk.served |= dict(MADE[0].encrypted.chunks)
    desk.handle(TimerFired("refetch"))
    assert of(desk.effects, Fetch)[-1] == first.elsewhere()
    assert desk.machine.state is State.OPENING


def test_what_nobody_has_is_asked_for_again() -> None:
    desk = Desk()
    del desk.served[MADE[2].encrypted.chunks[0][0]]
    desk.handle(CERTIFIED, TimerFired("replicas")).handle(TimerFired("refetch"))
    assert desk.fetched == ["ciphertexts"] * 5
    assert desk.machine.state is State.SUMMING
    desk.served |= dict(MADE[2].encrypted.chunks)
    assert desk.handle(TimerFired("refetch")).machine.state is State.OPENING


def test_a_manifest_that_never_came_here_is_fetched_from_those_who_voted_for_it() -> None:
    desk = Desk(opening(known=MADE[1:])).handle(CERTIFIED, TimerFired("replicas"))
    assert desk.fetched.count("manifest") == 1
    (fetch,) = [fetch for fetch in of(desk.effects, Fetch) if fetch.purpose == "manifest"]
    assert set(VIEW.committee) < set(fetch.holders)
    assert desk.machine.state is State.OPENING


@pytest.mark.parametrize("junk", [b"", MADE[1].signed.encoded], ids=["junk", "another's"])
def test_a_false_manifest_is_not_taken(junk: bytes) -> None:
    desk = Desk(opening(known=MADE[1:]), {MADE[0].signed.digest: junk}).handle(CERTIFIED, TimerFired("replicas"))
    assert desk.machine.state is State.SUMMING
    desk.served[MADE[0].signed.digest] = MADE[0].signed.encoded
    assert desk.handle(TimerFired("refetch")).machine.state is State.OPENING


def test_even_one_who_sent_us_another_manifest_than_the_certified() -> None:
    desk = Desk(opening(known=[submit(CELLS[0][0], seed=2), *MADE[1:]])).handle(CERTIFIED, TimerFired("replicas"))
    assert desk.machine.state is State.OPENING


def test_an_own_sum_that_comes_after_the_aggregators_is_no_error() -> None:
    """The replicas' timer fires while their sum is still being fetched."""
    machine = opening()
    machine.handle(CERTIFIED, 0)
    machine.handle(aggregate(ONE), 0)
    (fetch,) = of(machine.handle(aggregate(TWO), 0), Fetch)
    asked = of(machine.handle(TimerFired("replicas"), 5), Fetch)
    jobs = [of(machine.handle(Fetched(each, made.blobs), 5), Job)[0] for each, made in zip(asked, MADE, strict=True)]
    (seal,) = [job for each in jobs for job in of(machine.handle(run_job(each), 5), Job)]
    (verify,) = of(machine.handle(Fetched(fetch, SUM.packed), 5), Job)
    machine.handle(run_job(verify), 5)
    assert machine.state is State.OPENING
    assert [type(effect) for effect in machine.handle(run_job(seal), 5)] == [Store]


# ---------------------------------------------------------------------------------------------------------- opening


def test_t_released_shares_open_the_exact_sum() -> None:
    desk = summing().handle(release(1), release(2))
    assert "open" not in desk.jobs
    assert desk.opened is None
    desk.handle(release(4))
    assert desk.opened is not None
    assert (desk.opened.lanes == EXPECTED).all()
    assert desk.opened.result.contributors == 4
    assert desk.opened.result.sum_root == update_root(SUM.roots)
    assert blamed(desk.effects) == {}


def test_the_summed_key_is_kept_under_the_digest_that_the_result_binds() -> None:
    desk = summing().handle(*map(release, (1, 2, 3)))
    assert desk.opened is not None
    (key,) = [blob for digest, blob in of(desk.effects, Store)[-1].blobs if digest == desk.opened.result.key_digest]
    context = PublicContext(VIEW.round_beacon(ROUND), ROUND, 0)
    assert (SCHEME.reopen(SUM.residues, context, key, 4, SCHEMA.layout) == EXPECTED).all()


def test_two_sets_released_before_the_certificate_are_evidence_and_the_first_one_counts() -> None:
    smaller = CellSet(0, ALL.contributions[1:])
    desk = Desk().handle(release(1), release(1, cell_set=smaller), release(1))
    assert list(blamed(desk.effects).items()) == [(COMMITTEE[0].key, "released cell 0 for two sets")]
    desk.handle(CERTIFIED, aggregate(ONE), aggregate(TWO), release(2), release(3))
    assert desk.opened is not None
    assert (desk.opened.lanes == EXPECTED).all()


def test_shares_that_were_released_early_count() -> None:
    desk = Desk().handle(*map(release, (1, 2, 3)), CERTIFIED, aggregate(ONE), aggregate(TWO))
    assert desk.opened is not None


@pytest.mark.parametrize("liar", [1, 2, 3, 4])
def test_a_wrong_released_share_is_seen_found_and_left_out(liar: int) -> None:
    desk = summing().handle(*(release(member, lie(member) if member == liar else None) for member in (1, 2, 3, 4)))
    assert desk.opened is not None
    assert (desk.opened.lanes == EXPECTED).all()
    certain = {COMMITTEE[liar - 1].key: "released a wrong share for cell 0"} if liar < 4 else {}
    assert blamed(desk.effects) == certain, "the fourth came too late to be looked at"


def test_a_share_of_a_smaller_set_under_the_certified_name_is_a_wrong_share() -> None:
    desk = summing().handle(release(1, pack_share(summed_share(1, MADE[1:]))), *map(release, (2, 3, 4)))
    assert desk.opened is not None
    assert (desk.opened.lanes == EXPECTED).all()
    assert set(blamed(desk.effects)) == {COMMITTEE[0].key}


def test_with_too_many_wrong_shares_nothing_opens_and_nobody_is_accused() -> None:
    desk = summing().handle(release(1, lie(1)), release(2, lie(2)), release(3), release(4))
    assert desk.opened is None
    assert blamed(desk.effects) == {}
    searched = len(desk.jobs)
    assert len(desk.handle(release(1, lie(3))).jobs) == searched, "who releases again and again costs nothing"


def test_who_was_found_out_is_passed_over_for_the_rest_of_the_epoch() -> None:
    wrong = WrongShares()
    opens = CellOpening(VIEW, ROUND, NO_DIGEST, 0, SCHEME, SCHEMA, 1, wrong)
    summing(opens).handle(release(1, lie(1)), *map(release, (2, 3, 4)))
    assert wrong.excluded(VIEW) == {1}
    again = summing(CellOpening(VIEW, ROUND, NO_DIGEST, 0, SCHEME, SCHEMA, 1, wrong))
    again.handle(release(1, lie(1)), release(2), release(3))
    assert "open" not in again.jobs, "it is not even tried"
    assert again.handle(release(4)).opened is not None


# ------------------------------------------------------------------------------------------------- a spoiled cell


ODD = submit(CELLS[0][0], dealt=9)
"""Its ciphertext is not under the key that it shared: the cell cannot be opened."""
ODD_CELL = [ODD, *MADE[1:]]
ODD_SETS = SetList(VIEW.slot(ROUND), (set_of(0, ODD_CELL),))


def spoiled(machine: CellOpening | None = None) -> Desk:
    """Both aggregators add rightly what does not open."""
    total = summed(ODD_CELL)
    desk = Desk(machine or opening(known=ODD_CELL), dict(zip(total.roots, total.packed, strict=True)))
    desk.served[ODD.signed.digest] = ODD.signed.encoded
    certified = Certified(ListCertificate(ODD_SETS, 0, ()))
    return desk.handle(certified, *(aggregate(peer, total.roots, ODD_SETS) for peer in (ONE, TWO)))


def odd_release(member: int) -> Event:
    return release(member, pack_share(summed_share(member, ODD_CELL)), ODD_SETS.cells[0])


VOID = (0, 0, NO_DIGEST, NO_DIGEST)


def test_a_spoiled_cell_counts_nothing_once_all_shares_are_out() -> None:
    desk = spoiled().handle(*map(odd_release, (1, 2, 3)))
    assert desk.opened is None
    desk.handle(odd_release(4))
    assert desk.opened is not None
    assert desk.opened.lanes is None
    assert dataclasses.astuple(desk.opened.result) == VOID
    assert blamed(desk.effects) == {}, "no member is to blame"
    assert desk.fetched == ["sum", *["ciphertexts"] * 4], "and neither were the aggregators"


def test_or_after_some_patience_where_a_member_is_silent() -> None:
    view = dataclasses.replace(VIEW, committee=(*VIEW.committee, STRANGER.key))  # a fifth who never releases
    view.__dict__["committee_root"] = VIEW.committee_root  # so that the contributions fit its slot
    machine = CellOpening(view, ROUND, NO_DIGEST, 0, SCHEME, SCHEMA, 1)
    desk = spoiled(machine).handle(*map(odd_release, (1, 2, 3)))
    desk.handle(odd_release(4), now=20.0)
    assert of(desk.effects, SetTimer)[-1] == SetTimer("patience", 20.0 + PARAMS.grace_s)
    assert desk.opened is None
    desk.handle(TimerFired("patience"), now=25.0)
    assert desk.opened is not None
    assert desk.opened.lanes is None


@pytest.mark.parametrize("others", [[], [1]], ids=["silent", "lying"])
def test_or_after_more_patience_where_no_more_than_t_shares_fit_together(others: list[int]) -> None:
    """Found by random adversaries: a spoiler and f members that are silent, or lie, cost every round for ever."""
    desk = spoiled().handle(*(release(member, lie(member), ODD_SETS.cells[0]) for member in others))
    desk.handle(*map(odd_release, (2, 3, 4)), now=20.0)
    assert desk.opened is None
    assert of(desk.effects, SetTimer)[-1] == SetTimer("patience", 20.0 + UNPROVEN * PARAMS.grace_s)
    desk.handle(TimerFired("patience"), now=30.0)
    assert desk.opened is not None
    assert dataclasses.astuple(desk.opened.result) == VOID
    assert blamed(desk.effects) == {}, "no member is to blame"
    assert desk.fetched == ["sum", *["ciphertexts"] * 4], "and neither were the aggregators"


def test_a_share_that_comes_while_it_is_patient_opens_the_cell() -> None:
    """One liar's share and those of two honest members: the third is late."""
    desk = summing().handle(release(1, lie(1)), release(2), release(3), now=20.0)
    assert desk.opened is None
    desk.handle(release(4), now=29.0)
    assert desk.opened is not None
    assert desk.opened.result.contributors == 4


def test_two_aggregators_that_agree_on_a_wrong_sum_cannot_make_a_cell_look_spoiled() -> None:
    desk = Desk(served=dict(zip(WRONG.roots, WRONG.packed, strict=True)))
    desk.handle(CERTIFIED, aggregate(ONE, WRONG.roots), aggregate(TWO, WRONG.roots), *map(release, (1, 2, 3)))
    assert desk.opened is None
    desk.handle(release(4))
    assert desk.opened is not None
    assert (desk.opened.lanes == EXPECTED).all()
    assert set(blamed(desk.effects)) == {ONE.key, TWO.key}


def test_a_sum_that_honest_contributors_cannot_reach_counts_nothing() -> None:
    tight = dataclasses.replace(SCHEMA.tensors[0], tau=1.0)
    schema = dataclasses.replace(SCHEMA, tensors=(tight,))
    desk = summing(CellOpening(VIEW, ROUND, NO_DIGEST, 0, SCHEME, schema, 1)).handle(*map(release, (1, 2, 3, 4)))
    assert desk.opened is not None
    assert desk.opened.lanes is None
    assert "exceeds 4" in str(observed(desk.effects, "spoiled")[0]["reason"])


def test_the_plaintext_comparison_opens_without_shares_and_gives_up_at_once() -> None:
    scheme = PlaintextScheme()
    for update, opens in ((np.arange(6), True), (None, False)):
        residues = MADE_RESIDUES if update is None else scheme.encrypt(update, *PLAIN)
        total = add(scheme, [verify_ciphertexts(scheme, scheme.pack(residues), chunk_roots(residues))])
        desk = Desk(opening(scheme), dict(zip(total.roots, total.packed, strict=True)))
        desk.handle(CERTIFIED, aggregate(ONE, total.roots), aggregate(TWO, total.roots))
        assert desk.opened is not None
        assert (desk.opened.lanes is not None) == opens
