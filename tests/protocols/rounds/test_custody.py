from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from protocols.effects import Effects, Journal, Send, SetTimer, Tell
from protocols.encryption.packing import pack_share, unpack_share
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.scheme import Scheme
from protocols.encryption.sealing import EpochKeyPair
from protocols.encryption.sharing import add_shares
from protocols.events import Received, Started, TimerFired
from protocols.rounds.custody import HOLDS_SHARE, Custody, State
from protocols.rounds.release import KIND, ReleaseRule, set_digest
from protocols.rounds.seen import SeenDealings
from protocols.told import Available, Certified, Ready
from protocols.types import NO_DIGEST, Digest, Secret
from protocols.wire.messages import (
    CellSet,
    Dispute,
    ListCertificate,
    Receipt,
    Release,
    SetList,
    Submission,
)
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    PARAMS,
    PEERS,
    ROUND,
    SCHEME,
    VIEW,
    Submitted,
    blamed,
    observed,
    of,
    received,
    sent,
    set_of,
    submit,
)
from tests.security.workshop import starve

MEMBER = 2
ME = COMMITTEE[MEMBER - 1]
MADE = {peer.key: submit(peer) for cell in CELLS for peer in cell}
CELL = [[MADE[peer.key] for peer in cell] for cell in CELLS]
ALL = [set_of(cell, made) for cell, made in enumerate(CELL)]


def custody(
    journal: Iterable[Journal] = (), scheme: Scheme = SCHEME, key: bool = True, member: int = MEMBER
) -> Custody:
    rule, seen, peer = ReleaseRule(PARAMS.k_min, journal), SeenDealings(journal), COMMITTEE[member - 1]
    pair = EPOCH_KEYS[member] if key else None
    machine = Custody(VIEW, ROUND, NO_DIGEST, peer.key, peer.sign, scheme, 1, pair, rule, seen, journal)
    machine.handle(Started(), 0)
    return machine


def announce(machine: Custody, cell: int, made: Iterable[Submitted], now: float = 0.0) -> Effects:
    return machine.handle(Available(cell, frozenset(each.signed.digest for each in made)), now)


def certified(*cells: CellSet) -> Certified:
    return Certified(ListCertificate(SetList(VIEW.slot(ROUND), cells), 0, ()))


def holding(*cells: int, journal: Iterable[Journal] = ()) -> Custody:
    """A member that holds all shares of some cells."""
    machine = custody(journal)
    for cell in cells or (0, 1):
        for made in CELL[cell]:
            machine.handle(made.to(MEMBER), 0)
    return machine


def told(effects: Effects) -> list[Ready]:
    return [tell.event for tell in of(effects, Tell) if isinstance(tell.event, Ready)]


# -------------------------------------------------------------------------------------------------- taking shares


def test_a_share_is_receipted_to_its_dealer() -> None:
    made = CELL[0][0]
    effects = custody().handle(made.to(MEMBER), 0)
    assert of(effects, Send)[0].to == made.signed.signer
    assert sent(effects, Receipt) == [Receipt(VIEW.slot(ROUND), made.signed.digest, HOLDS_SHARE)]


def test_sent_again_it_is_receipted_again_and_counts_once() -> None:
    machine = custody()
    machine.handle(CELL[0][0].to(MEMBER), 0)
    announce(machine, 0, CELL[0])
    again = machine.handle(CELL[0][0].to(MEMBER), 0)
    assert len(sent(again, Receipt)) == 1
    assert told(again)[0].contributions[0] == {CELL[0][0].contribution}


def stolen(**changes: Any) -> Received:
    """The victim's dealing under another dealer's name, some of it changed."""
    victim, thief = CELL[0][0], CELLS[0][1]
    manifest = thief.sign(dataclasses.replace(victim.manifest, **changes))
    return received(thief, Submission(VIEW.slot(ROUND), manifest.encoded, victim.encrypted.dealt.sealed[MEMBER - 1]))


@pytest.mark.parametrize("changes", [{}, {"chunk_roots": (Digest(b"other".ljust(32)),)}], ids=["all", "shares"])
def test_a_dealing_copied_under_another_name_has_no_proof_and_its_signer_is_blamed(changes: dict[str, Any]) -> None:
    machine = custody()
    machine.handle(CELL[0][0].to(MEMBER), 0)
    effects = machine.handle(stolen(**changes), 0)
    assert "without a proof" in blamed(effects)[CELLS[0][1].key]
    assert sent(effects, Receipt) == []
    announce(machine, 0, [*CELL[0]])
    assert told(machine.handle(TimerFired("submit"), 30))[0].contributions[0] == {CELL[0][0].contribution}


def test_shares_copied_into_a_dealing_of_ones_own_do_not_open() -> None:
    machine, victim, thief = custody(), CELL[0][0], CELL[0][1]
    shares = victim.manifest.shares
    own = thief.signed.signer, dataclasses.replace(thief.manifest, shares=shares)
    submission = Submission(VIEW.slot(ROUND), PEERS[own[0]].sign(own[1]).encoded, victim.encrypted.dealt.sealed[1])
    effects = machine.handle(received(CELLS[0][1], submission), 0)
    assert "another member or another context" in str(observed(effects, "share-refused")[0]["reason"])
    assert blamed(effects) == {}, "it may be a forwarded share, or one for a key that a restart lost"


def test_ciphertexts_that_another_submitted_before_are_refused() -> None:
    """With a dealing of its own key that is sound in itself."""
    machine = custody()
    machine.handle(CELL[0][0].to(MEMBER), 0)
    effects = machine.handle(submit(CELLS[0][1], copying=CELL[0][0]).to(MEMBER), 0)
    assert "repeats" in str(observed(effects, "share-refused")[0]["reason"])
    assert blamed(effects) == {}, "who copied whom is not known"
    assert sent(effects, Receipt) == []


def test_what_was_taken_is_journalled_once_a_round_and_later_ones_as_they_come() -> None:
    machine = custody()
    early = machine.handle(CELL[0][0].to(MEMBER), 0) + machine.handle(CELL[0][1].to(MEMBER), 0)
    assert of(early, Journal) == []
    (record,) = of(machine.handle(TimerFired("submit"), 30), Journal)
    (late,) = of(machine.handle(CELL[0][2].to(MEMBER), 31), Journal)
    restarted = custody(journal=[record, late])
    effects = restarted.handle(submit(CELLS[0][3], copying=CELL[0][2]).to(MEMBER), 0)
    assert "repeats" in str(observed(effects, "share-refused")[0]["reason"])


def test_an_erased_member_takes_nothing_and_its_shares_are_overwritten() -> None:
    pair = EpochKeyPair.generate(Secret(bytes([100 + MEMBER]) * 32))
    rule, seen = ReleaseRule(PARAMS.k_min), SeenDealings()
    machine = Custody(VIEW, ROUND, NO_DIGEST, ME.key, ME.sign, SCHEME, 1, pair, rule, seen)
    machine.handle(Started(), 0)
    machine.handle(CELL[0][0].to(MEMBER), 0)
    (share,) = machine._shares.values()
    assert share.any()
    pair.erase()
    machine.erase()
    assert not share.any()
    assert machine._shares == {}
    assert machine.handle(CELL[0][1].to(MEMBER), 0) == []


def test_a_second_manifest_for_one_slot_is_blamed_and_the_first_counts() -> None:
    machine = custody()
    first, second = submit(CELLS[0][0]), submit(CELLS[0][0], seed=2)
    machine.handle(first.to(MEMBER), 0)
    assert "two manifests for one slot" in blamed(machine.handle(second.to(MEMBER), 0))[CELLS[0][0].key]
    announce(machine, 0, [first, second])
    assert told(machine.handle(TimerFired("submit"), 30))[0].contributions[0] == {first.contribution}


def test_it_is_blamed_even_after_the_release_and_whether_the_first_came_before_or_after() -> None:
    for early in (True, False):
        machine = custody()
        first, second = submit(CELLS[0][0]), submit(CELLS[0][0], seed=2)
        if early:
            machine.handle(first.to(MEMBER), 0)
        machine.handle(certified(*ALL), 0)
        assert machine.state is State.RELEASED
        assert machine.handle(first.to(MEMBER), 0) == []
        effects = machine.handle(second.to(MEMBER), 0)
        assert blamed(effects) == {CELLS[0][0].key: "two manifests for one slot"}
        assert [each.kind for each in of(effects, Journal)] == ["evidence"]
        assert machine._shares == {}, "nothing is taken any more"


@pytest.mark.parametrize(
    ("sealed", "answered"),
    [(b"", False), (b"x" * 100, True), (CELL[0][0].encrypted.dealt.sealed[MEMBER % 4], True)],
    ids=["none", "junk", "another member's"],
)
def test_a_share_that_is_not_the_promised_one_is_not_held(sealed: bytes, answered: bool) -> None:
    made = CELL[0][0]
    effects = custody().handle(received(CELLS[0][0], Submission(VIEW.slot(ROUND), made.signed.encoded, sealed)), 0)
    assert sent(effects, Receipt) == []
    assert bool(observed(effects, "share-refused")) == answered
    assert blamed(effects) == {}


def test_an_update_from_another_head_is_noticed_and_nobody_blamed() -> None:
    effects = custody().handle(submit(CELLS[0][0], parent=Digest(b"old".ljust(32))).to(MEMBER), 0)
    assert len(observed(effects, "stale")) == len(effects) == 1


def test_without_its_key_a_member_holds_nothing() -> None:
    assert custody(key=False).handle(CELL[0][0].to(MEMBER), 0) == []


# ------------------------------------------------------------------------------------------------------- readiness


def test_ready_means_share_here_and_ciphertexts_with_an_aggregator() -> None:
    machine = custody()
    (ready,) = told(machine.handle(CELL[0][0].to(MEMBER), 0))
    assert ready == Ready({0: frozenset(), 1: frozenset()}, final=False)
    (ready,) = told(announce(machine, 0, CELL[0]))
    assert ready == Ready({0: frozenset({CELL[0][0].contribution}), 1: frozenset()}, final=False)


def test_with_everything_there_nobody_waits() -> None:
    machine = holding()
    announce(machine, 0, CELL[0])
    (ready,) = told(announce(machine, 1, CELL[1]))
    assert ready.final
    assert ready.contributions == {cell: frozenset(each.contributions) for cell, each in enumerate(ALL)}
    assert machine.state is State.COMPLETE


def test_with_a_quorum_in_every_cell_it_waits_for_the_rest_but_not_long() -> None:
    machine = holding()
    assert of(announce(machine, 0, CELL[0][:3]), SetTimer) == []
    effects = announce(machine, 1, CELL[1][:3], now=7.0)
    assert of(effects, SetTimer) == [SetTimer("grace", 7.0 + PARAMS.grace_s)]
    assert of(announce(machine, 1, CELL[1][:3], now=8.0), SetTimer) == [], "the wait is not prolonged"
    assert told(machine.handle(TimerFired("grace"), 12.0))[0].final


def test_the_deadline_ends_the_wait_in_any_case_and_what_comes_later_still_counts() -> None:
    machine = holding(0)
    assert told(machine.handle(TimerFired("submit"), 30.0))[0] == Ready({0: frozenset(), 1: frozenset()}, final=True)
    (ready,) = told(announce(machine, 0, CELL[0]))
    assert ready.final
    assert len(ready.contributions[0]) == 4


def test_the_deadline_is_the_parameters() -> None:
    machine = Custody(VIEW, ROUND, NO_DIGEST, ME.key, ME.sign, SCHEME, 1, None, ReleaseRule(3), SeenDealings())
    assert machine.handle(Started(), 3.0) == [SetTimer("submit", 3.0 + PARAMS.submit_s)]


# --------------------------------------------------------------------------------------------------------- release


def releases(effects: Effects) -> list[Release]:
    """One of each cell, and only if it was journalled before."""
    kinds = [type(effect) for effect in effects]
    for index, effect in enumerate(effects):
        if isinstance(effect, Send):
            assert kinds[:index].count(Journal) >= 1, "journalled before sent"
    return list(dict.fromkeys(sent(effects, Release)))


def test_the_certified_sets_sum_is_journalled_then_released_to_every_member() -> None:
    effects = holding().handle(certified(*ALL), 0)
    assert [type(effect) for effect in effects] == [Journal, *[Send] * 4] * 2
    for cell, release in enumerate(releases(effects)):
        expected = [made.share(MEMBER) for made in CELL[cell]]
        assert release == Release(VIEW.slot(ROUND), cell, set_digest(ALL[cell]), pack_share(add_shares(expected)))
    for journal, cell_set in zip(of(effects, Journal), ALL, strict=True):
        assert (journal.kind, journal.height, journal.payload) == (KIND, ROUND, set_digest(cell_set))


def test_a_subset_of_what_is_held_gives_the_sum_of_that_subset_alone() -> None:
    smaller = set_of(0, CELL[0][1:])
    one, other = (releases(holding().handle(certified(each), 0))[0] for each in (ALL[0], smaller))
    difference = (unpack_share(one.share).astype(int) - unpack_share(other.share)) % 65537
    assert (difference == CELL[0][0].share(MEMBER)).all(), "which is why no member ever releases both"


def test_a_certificate_that_comes_when_contributors_may_have_given_the_round_up_releases_nothing() -> None:
    params = VIEW.params
    last = params.submit_s + params.agree_s + params.open_s - params.grace_s
    assert len(releases(holding().handle(certified(*ALL), last))) == 2
    machine = holding()
    late = machine.handle(certified(*ALL), last + 0.001)
    assert releases(late) == []
    assert "all but over" in str(observed(late, "release-refused")[0]["reason"])
    assert releases(machine.handle(certified(*ALL), last - 1)) == [], "nor ever after"


def test_once_released_a_second_certificate_releases_nothing() -> None:
    machine = holding()
    machine.handle(certified(*ALL), 0)
    assert machine.state is State.RELEASED
    assert machine.handle(certified(set_of(0, CELL[0][1:]), ALL[1]), 0) == []
    assert machine.handle(certified(*ALL), 0) == []
    assert machine._shares == {}, "and the shares are gone"


@pytest.mark.parametrize("second", [set_of(0, CELL[0][1:]), set_of(0, CELL[0][:3])])
def test_after_a_restart_only_the_same_set_is_released(second: CellSet) -> None:
    """With its key and all shares back, as if nothing had been lost."""
    journal = of(holding().handle(certified(*ALL), 0), Journal)
    refused = holding(journal=journal).handle(certified(second, ALL[1]), 0)
    assert [release.cell for release in releases(refused)] == [1]
    assert "another set" in str(observed(refused, "release-refused")[0]["reason"])
    assert [release.cell for release in releases(holding(journal=journal).handle(certified(*ALL), 0))] == [0, 1]


@pytest.mark.parametrize(
    "cell_set",
    [
        set_of(0, CELL[0][:2]),
        set_of(0, CELL[0][:1]),
        set_of(0, [CELL[0][0], CELL[0][0], CELL[0][1]]),
        set_of(1, CELL[0]),
        set_of(0, [*CELL[0][:3], CELL[1][0]]),
        dataclasses.replace(ALL[0], cell=5),
    ],
    ids=["under k_min", "one", "one twice", "another cell's", "mixed", "no cell"],
)
def test_even_under_a_certificate_no_such_set_is_released(cell_set: CellSet) -> None:
    effects = holding().handle(certified(cell_set), 0)
    assert observed(effects, "release-refused")
    assert len(effects) == 1


def test_a_share_that_is_missing_releases_nothing_for_its_cell() -> None:
    machine = holding(1)
    for made in CELL[0][:3]:
        machine.handle(made.to(MEMBER), 0)
    effects = machine.handle(certified(*ALL), 0)
    assert [release.cell for release in releases(effects)] == [1]
    assert observed(effects, "release-skipped") == [{"cell": 0, "missing": 1}]
    assert [journal.slot for journal in of(effects, Journal)] == [b"\0\1"]


def test_the_plaintext_comparison_holds_and_releases_nothing() -> None:
    machine = custody(scheme=PlaintextScheme(), key=False)
    assert sent(machine.handle(CELL[0][0].to(MEMBER), 0), Receipt)
    assert machine.handle(certified(ALL[0]), 0) == []


# -------------------------------------------------------------------------------------------------------- disputes


def test_a_wrong_share_is_shown_to_all_and_never_held() -> None:
    machine, bad = custody(), starve(CELLS[0][1], MEMBER)
    effects = machine.handle(bad.to(MEMBER), 0)
    assert sent(effects, Dispute)
    assert sent(effects, Receipt) == []
    assert set(blamed(effects)) == {CELLS[0][1].key}
    assert machine.handle(bad.to(MEMBER), 0) == [], "opened once"
    announce(machine, 0, [bad])
    assert told(machine.handle(TimerFired("submit"), 30))[0].contributions[0] == frozenset()


def test_a_dealing_that_another_member_disputes_rightly_is_voted_for_no_more_but_released_if_certified() -> None:
    machine, bad = custody(), starve(CELLS[0][1], MEMBER)
    dispute = sent(machine.handle(bad.to(MEMBER), 0), Dispute)[0]
    other = Custody(
        VIEW,
        ROUND,
        NO_DIGEST,
        COMMITTEE[0].key,
        COMMITTEE[0].sign,
        SCHEME,
        1,
        EPOCH_KEYS[1],
        ReleaseRule(3),
        SeenDealings(),
    )
    other.handle(Started(), 0)
    for each in (bad, CELL[0][0], CELL[0][2], CELL[0][3]):
        other.handle(each.to(1), 0)
    announce(other, 0, [bad, CELL[0][0]])
    (ready,) = told(other.handle(received(ME, dispute), 1))
    assert ready.contributions[0] == {CELL[0][0].contribution}
    assert told(other.handle(received(ME, dispute), 1)) == [], "nothing new"
    chosen = set_of(0, [bad, CELL[0][0], CELL[0][2], CELL[0][3]])
    assert [release.cell for release in releases(other.handle(certified(chosen), 2))] == [0]
    assert machine.state is State.COLLECTING


def test_a_dispute_that_is_false_changes_nothing_for_its_dealer() -> None:
    machine, made = holding(0), CELL[0][0]
    announce(machine, 0, CELL[0])
    liar = COMMITTEE[0]
    false = Dispute(VIEW.slot(ROUND), made.signed.encoded, made.encrypted.dealt.sealed[0], bytes(32))
    effects = machine.handle(received(liar, false), 1)
    assert set(blamed(effects)) == {liar.key}
    assert told(effects) == []
    assert made.contribution in told(machine.handle(TimerFired("submit"), 30))[0].contributions[0]
