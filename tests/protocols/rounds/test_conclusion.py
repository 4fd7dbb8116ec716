from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

import numpy as np
import pytest

from protocols.agreement.certificate import check_header, list_digest, signatures
from protocols.effects import Anchor, Conclude, Effects, Job, Journal, Publish, Send, SetTimer, Step, Store, Tell
from protocols.events import Event, Received, StepFailed, Stepped, TimerFired
from protocols.privacy.promise import Privacy
from protocols.rounds.conclusion import KIND, STAND_IN_S, Conclusion, State
from protocols.rounds.epoch import EpochView
from protocols.told import CellOpened, Certified, Shortfall
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.totals import add_cells
from protocols.wire.envelope import digest_of
from protocols.wire.messages import (
    NO_SUSPECTS,
    CellResult,
    Excluded,
    Header,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    SetList,
    Spoiled,
    Suspects,
)
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    CONTRIBUTORS,
    PARAMS,
    ROUND,
    STRANGER,
    VIEW,
    Peer,
    blamed,
    observed,
    of,
    received,
    run_job,
    sent,
    set_of,
    submit,
)

PARENT = Digest(b"parent".ljust(32))
BEFORE = Digest(b"model before the step".ljust(32))
MODEL = Digest(b"model after the step".ljust(32))
SETS = SetList(VIEW.slot(ROUND), tuple(set_of(cell, map(submit, peers)) for cell, peers in enumerate(CELLS)))
CERTIFIED = Certified(ListCertificate(SETS, 0, ()))
RESULTS = [CellResult(cell, 4, Digest(bytes([cell]) * 32), NO_DIGEST) for cell in (0, 1)]
LANES = [np.array([1, -2, 3]), np.array([10, 20, 30])]
OPENED = [CellOpened(result, lanes) for result, lanes in zip(RESULTS, LANES, strict=True)]
VOID = [CellOpened(CellResult(cell, 0, NO_DIGEST, NO_DIGEST), None) for cell in (0, 1)]
TOTAL = add_cells(zip(LANES, (4, 4), strict=True))
HEADER = Header(
    slot=VIEW.slot(ROUND),
    parent=PARENT,
    params_digest=MODEL,
    sets=list_digest(SETS),
    total=Digest(hashlib.sha256(TOTAL).digest()),
    cells=tuple(RESULTS),
    epsilon_micro=None,
)
BY_RANK = sorted(COMMITTEE, key=lambda peer: VIEW.proposer_rank(ROUND, VIEW.committee.index(peer.key) + 1))


def conclusion(
    peer: Peer = BY_RANK[1],
    journal: Iterable[Journal] = (),
    view: EpochView = VIEW,
    height: Height = ROUND,
    suspects: Suspects = NO_SUSPECTS,
) -> Conclusion:
    return Conclusion(view, height, PARENT, peer.key, peer.sign, "subnet", journal, None, BEFORE, suspects)


def test_under_a_promise_of_privacy_the_header_says_what_it_has_cost() -> None:
    privacy = Privacy(noise_multiplier=4, clip=1, delta=1e-5, budget=0, withheld=0.2)
    peer = BY_RANK[1]
    machine = Conclusion(VIEW, ROUND, PARENT, peer.key, peer.sign, "subnet", (), privacy)
    (vote,) = set(sent(until_signed(machine), HeaderVote))
    assert vote.header.epsilon_micro == privacy.epsilon_micro(ROUND + 1) > 0


def signs(peer: Peer, header: Header = HEADER) -> Received:
    return received(peer, HeaderVote(header))


def work(machine: Conclusion, event: Event) -> Effects:
    """The effects of an event, and of the jobs that follow from it, which are left out."""
    effects = machine.handle(event, 0)
    for job in of(effects, Job):
        effects = [*(effect for effect in effects if effect is not job), *machine.handle(run_job(job), 0)]
    return effects


def until_signed(machine: Conclusion) -> Effects:
    effects = machine.handle(CERTIFIED, 0)
    for opened in OPENED:
        effects += work(machine, opened)
    return effects + machine.handle(Stepped(MODEL), 0)


def certificate(header: Header = HEADER, members: Iterable[int] = (1, 2, 3)) -> HeaderCertificate:
    votes = {member: COMMITTEE[member - 1].sign(HeaderVote(header)) for member in members}
    return HeaderCertificate(header, signatures(votes, len(votes)))


@pytest.mark.parametrize(
    "events", [[CERTIFIED, *OPENED], [*OPENED[::-1], CERTIFIED], [OPENED[1], CERTIFIED, OPENED[0]]]
)
def test_the_step_is_taken_once_every_certified_cell_is_opened(events: list[Certified | CellOpened]) -> None:
    machine = conclusion()
    *early, last = (work(machine, event) for event in events)
    assert early == [[], []]
    assert last == [Step(PARENT, TOTAL)]


def test_a_cell_that_counts_nothing_adds_nothing_but_stands_in_the_header() -> None:
    machine = conclusion()
    for event in (CERTIFIED, OPENED[0]):
        work(machine, event)
    assert work(machine, VOID[1]) == [Step(PARENT, add_cells([(LANES[0], 4)]))]
    header = sent(machine.handle(Stepped(MODEL), 0), HeaderVote)[0].header
    assert header.cells == (RESULTS[0], VOID[1].result)


def test_if_no_cell_counts_the_parameters_stay_and_the_spoiled_sets_are_remembered() -> None:
    machine = conclusion()
    for event in (CERTIFIED, VOID[0]):
        work(machine, event)
    effects = work(machine, VOID[1])
    header = sent(effects, HeaderVote)[0].header
    assert (header.params_digest, header.total) == (BEFORE, NO_DIGEST)
    expected = [Spoiled(ROUND, tuple(each.contributor for each in cell.contributions)) for cell in SETS.cells]
    assert header.suspects == Suspects(tuple(expected), ())
    assert of(effects, Step) == of(effects, Store) == []


def test_who_is_convicted_is_told_once_and_carried_on() -> None:
    liar = CELLS[0][0].key
    known = [Spoiled(Height(0), tuple(sorted((liar, PeerKey(bytes([number]) * 32))))) for number in range(1, 5)]
    machine = conclusion(suspects=Suspects(tuple(known), (Excluded(STRANGER.key, 4),)))
    for event in (CERTIFIED, OPENED[0], VOID[1]):
        work(machine, event)
    effects = machine.handle(Stepped(MODEL), 0)
    header = sent(effects, HeaderVote)[0].header
    assert [each.peer for each in header.suspects.excluded] == [STRANGER.key, liar]
    assert observed(effects, "excluded") == [{"height": ROUND, "peers": [liar.hex()]}]


def test_a_learner_that_cannot_step_says_why_and_signs_nothing() -> None:
    machine = conclusion()
    for event in (CERTIFIED, *OPENED):
        work(machine, event)
    assert machine.handle(StepFailed("Newton's matrix is singular"), 0) == [
        Tell(Shortfall("Newton's matrix is singular"))
    ]


def test_the_header_is_journalled_before_it_is_signed_away_and_its_total_is_served() -> None:
    effects = until_signed(conclusion())[1:]
    assert [type(effect) for effect in effects] == [Store, Journal, *[Send] * 4]
    assert effects[0] == Store(((HEADER.total, TOTAL),))
    assert effects[1] == Journal(KIND, ROUND, b"", digest_of(HeaderVote(HEADER)))
    assert sent(effects, HeaderVote) == [HeaderVote(HEADER)] * 4


def test_after_a_restart_the_same_header_is_signed_again_and_no_other() -> None:
    journal = of(until_signed(conclusion()), Journal)
    assert sent(until_signed(conclusion(journal=journal)), HeaderVote) == [HeaderVote(HEADER)] * 4
    machine = conclusion(journal=journal)
    for event in (CERTIFIED, *OPENED):
        work(machine, event)
    effects = machine.handle(Stepped(Digest(b"another model".ljust(32))), 0)
    assert effects == [Tell(Shortfall("this member signed another header before its restart"))]


def test_t_members_make_a_certificate_for_this_nodes_own_ledger() -> None:
    machine = conclusion()
    until_signed(machine)
    for peer in COMMITTEE[:2]:
        assert machine.handle(signs(peer), 0) == []
    effects = machine.handle(signs(COMMITTEE[2]), 0)
    (concluded,) = of(effects, Conclude)
    assert concluded.certificate == certificate()
    check_header(concluded.certificate, VIEW)
    assert machine.state is State.DONE


def test_votes_that_came_before_count_but_only_for_what_this_member_computed_too() -> None:
    machine = conclusion()
    for peer in COMMITTEE[:3]:
        assert machine.handle(signs(peer), 0) == []
    assert of(until_signed(machine), Conclude)


def test_t_minus_1_are_no_certificate_and_nor_are_repetitions_of_them() -> None:
    machine = conclusion()
    until_signed(machine)
    for peer in [*COMMITTEE[:2]] * 3:
        assert machine.handle(signs(peer), 0) == []


def test_two_headers_for_one_height_are_blamed_and_the_second_does_not_count() -> None:
    other = dataclasses.replace(HEADER, params_digest=Digest(b"other".ljust(32)))
    machine = conclusion()
    until_signed(machine)
    for peer in COMMITTEE[:2]:
        machine.handle(signs(peer, other), 0)
    effects = machine.handle(signs(COMMITTEE[0]), 0)
    assert blamed(effects) == {COMMITTEE[0].key: "signs two headers for one height"}
    assert machine.handle(signs(COMMITTEE[2]), 0) == [], "one vote for ours, two for the other"


def test_they_are_blamed_even_after_the_certificate() -> None:
    other = dataclasses.replace(HEADER, params_digest=Digest(b"other".ljust(32)))
    machine = conclusion()
    until_signed(machine)
    for peer in COMMITTEE[:3]:
        machine.handle(signs(peer), 0)
    assert machine.state is State.DONE
    for peer in (COMMITTEE[0], COMMITTEE[3]):
        machine.handle(signs(peer), 0)
        effects = machine.handle(signs(peer, other), 0)
        assert blamed(effects) == {peer.key: "signs two headers for one height"}


@pytest.mark.parametrize("peer", [STRANGER, CONTRIBUTORS[0]])
def test_who_is_not_in_the_committee_signs_nothing(peer: Peer) -> None:
    assert "not in the committee" in blamed(conclusion().handle(signs(peer), 0))[peer.key]


def certified(machine: Conclusion, now: float = 0.0) -> Effects:
    until_signed(machine)
    return [effect for peer in COMMITTEE[:3] for effect in machine.handle(signs(peer), now)]


def test_the_first_in_rank_publishes_and_others_only_where_it_does_not() -> None:
    assert sent(certified(conclusion(BY_RANK[0])), HeaderCertificate) == [certificate()]
    machine = conclusion(BY_RANK[2])
    effects = certified(machine, 4.0)
    assert of(effects, Publish) == []
    assert of(effects, SetTimer) == [SetTimer("republish", 4.0 + 2 * STAND_IN_S)]
    assert sent(machine.handle(TimerFired("republish"), 0), HeaderCertificate) == [certificate()]


@pytest.mark.parametrize("when", [State.WAITING, State.DONE])
def test_who_has_seen_it_published_keeps_quiet(when: State) -> None:
    machine = conclusion(BY_RANK[2])
    if when is State.DONE:
        certified(machine)
    assert machine.handle(received(BY_RANK[0], certificate()), 0) == []
    if when is State.WAITING:
        certified(machine)
    assert machine.handle(TimerFired("republish"), 0) == []


def test_but_is_not_silenced_by_a_forged_one() -> None:
    machine = conclusion(BY_RANK[2])
    certified(machine)
    forged = received(STRANGER, certificate(dataclasses.replace(HEADER, params_digest=NO_DIGEST), (1, 2)))
    assert "header refused" in blamed(machine.handle(forged, 0))[STRANGER.key]
    assert of(machine.handle(TimerFired("republish"), 0), Publish)


@pytest.mark.parametrize(
    ("height", "anchor_every", "final_height", "anchored"),
    [(2, 1, 0, True), (2, 3, 0, True), (2, 2, 0, False), (2, 2, 3, True), (2, 2, 5, False)],
)
def test_every_a_heights_and_at_the_end_the_header_is_anchored(
    height: int, anchor_every: int, final_height: int, anchored: bool
) -> None:
    params = PARAMS.with_(anchor_every=anchor_every, final_height=final_height)
    view = dataclasses.replace(VIEW, params=params)
    effects = certified(conclusion(view=view, height=Height(height)))
    assert of(effects, Anchor) == ([Anchor(HEADER, STAND_IN_S)] if anchored else [])
