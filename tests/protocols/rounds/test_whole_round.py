"""One round by all its machines together; what each of them does is tested beside this file."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from protocols.effects import (
    Anchor,
    Attest,
    Conclude,
    Effect,
    Effects,
    Job,
    Journal,
    Publish,
    Send,
    Step,
    Store,
    Tell,
    Train,
)
from protocols.rounds.aggregate import Summed, seal_sum
from protocols.told import Shortfall
from protocols.types import PeerKey
from protocols.updates.chunks import chunk_roots
from protocols.updates.totals import add_cells, decode_total
from protocols.wire.messages import Header, ListCertificate, Release, Submission
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    CONTRIBUTORS,
    MEMBERS,
    PEERS,
    ROUND,
    SCHEME,
    VALIDATOR,
    VIEW,
    Behaviour,
    Peer,
    Playbook,
    blamed,
    lanes_of,
    observed,
    of,
    offline,
    sent,
    whole_round,
)

AGGREGATORS = [[PEERS[key] for key in VIEW.aggregators(ROUND, cell, 0)] for cell in (0, 1)]
IDLE = [[peer for peer in peers if peer not in AGGREGATORS[cell]] for cell, peers in enumerate(CELLS)]


def total_of(cells: Iterable[Iterable[Peer]]) -> bytes:
    """What the round adds up to, computed in the clear."""
    sums = [[lanes_of(peer) for peer in peers] for peers in cells]
    return add_cells((np.sum(each, axis=0), len(each)) for each in sums)


def concluded(play: Playbook, members: Iterable[Peer] = MEMBERS) -> Header:
    """The one header that all these members hold a certificate of."""
    headers = {each.certificate.header for peer in members for each in of(play.actors[peer.key].effects, Conclude)}
    (header,) = headers
    assert all(of(play.actors[peer.key].effects, Conclude) for peer in members)
    return header


def offline_(*peers: Peer) -> dict[PeerKey, Behaviour]:
    return {peer.key: offline for peer in peers}


def assert_sum(play: Playbook, header: Header, *cells: Iterable[Peer]) -> None:
    """The header binds exactly the sum of these contributors, and the validator attested it."""
    assert header.total == hashlib.sha256(total_of(cells)).digest()
    assert of(play.actors[VALIDATOR.key].effects, Attest) == [Attest(header)]


def test_everybody_contributes_and_all_end_with_the_same_header() -> None:
    play = whole_round()
    header = concluded(play)
    assert_sum(play, header, *CELLS)
    assert decode_total(total_of(CELLS), 6).contributors == 8
    assert blamed(play.effects()) == {}
    assert {step.total for step in of(play.effects(), Step)} == {total_of(CELLS)}
    assert [anchor.header for anchor in of(play.effects(), Anchor)] == [header] * 4
    assert len(sent(play.effects(), ListCertificate)) == 1, "published once"
    assert all(each["ok"] for each in observed(play.effects(), "verdict"))


def test_nobody_ever_sends_or_keeps_a_single_update_in_the_clear() -> None:
    play = whole_round()
    written = b"".join(map(bytes_of, play.effects()))
    for peer in CONTRIBUTORS:
        for form in ("<i8", ">i8", "<i4", ">i4"):
            assert lanes_of(peer).astype(form).tobytes() not in written
    assert total_of(CELLS) in written, "while the total is there, so that this test can find something"


def bytes_of(effect: Effect) -> bytes:
    match effect:
        case Send(signed=signed) | Publish(signed=signed):
            return signed.encoded
        case Store(blobs=blobs):
            return b"".join(blob for _, blob in blobs)
        case Journal(payload=payload):
            return payload
        case _:
            return b""


# ----------------------------------------------------------------------------------------------------------- absence


@pytest.mark.parametrize("absent", [(CELLS[0][0], CELLS[1][3]), (AGGREGATORS[0][0],), (AGGREGATORS[1][1],)])
def test_contributors_that_vanish_are_done_without(absent: tuple[Peer, ...]) -> None:
    play = whole_round(offline_(*absent))
    header = concluded(play)
    assert_sum(play, header, *([peer for peer in peers if peer not in absent] for peers in CELLS))


def test_a_contributor_that_vanishes_once_its_ciphertexts_are_fetched_still_counts() -> None:
    gone = IDLE[0][0]

    def vanishes(effect: Effect) -> Effects:
        return [] if isinstance(effect, Send | Publish) and not sent([effect], Submission) else [effect]

    assert_sum(play := whole_round({gone.key: vanishes}), concluded(play), *CELLS)


def test_a_cell_below_its_quorum_sits_out_and_the_other_goes_on() -> None:
    play = whole_round(offline_(*CELLS[0][:2]))
    assert_sum(play, concluded(play), CELLS[1])


def test_with_no_cell_left_the_round_says_why() -> None:
    play = whole_round(offline_(*CELLS[0][:2], *CELLS[1][:2]))
    reasons = {tell.event.reason for tell in of(play.effects(), Tell) if isinstance(tell.event, Shortfall)}
    assert reasons == {"too few contributions (cell 0: 2 of at least 3, cell 1: 2 of at least 3)"} or reasons == {
        "too few contributions (cell 0: 0 of at least 3, cell 1: 0 of at least 3)"
    }
    assert of(play.effects(), Conclude) == []


@pytest.mark.parametrize("silent", MEMBERS)
def test_n_minus_t_members_may_be_silent(silent: Peer) -> None:
    play = whole_round(offline_(silent))
    assert_sum(play, concluded(play, [peer for peer in MEMBERS if peer != silent]), *CELLS)


def test_with_fewer_than_t_members_nothing_is_released_and_nothing_concluded() -> None:
    play = whole_round(offline_(*MEMBERS[:2]))
    assert sent(play.effects(), Release) == []
    assert of(play.effects(), Conclude) == []


def test_if_n_minus_t_vanish_only_after_the_vote_the_others_finish() -> None:
    def silent_at_release(effect: Effect) -> Effects:
        return [] if sent([effect], Release) else [effect]

    play = whole_round({MEMBERS[0].key: silent_at_release})
    assert_sum(play, concluded(play), *CELLS)


# -------------------------------------------------------------------------------------------------------- dishonesty


def adds_wrongly(effect: Effect) -> Effects:
    """An aggregator whose sum is off by one in one residue, which it serves under its right digest."""
    adds = isinstance(effect, Job) and effect.function is seal_sum
    return [dataclasses.replace(effect, function=wrong_sum)] if adds else [effect]


def wrong_sum(*arguments: object) -> Summed:
    summed: Summed = seal_sum(*arguments)  # type: ignore[arg-type]  # the job's own
    residues = summed.residues.copy()
    residues[0, 0, 0] ^= np.uint64(1)
    return Summed(residues, chunk_roots(residues), SCHEME.pack(residues))


@pytest.mark.parametrize("cell", [0, 1])
def test_a_wrong_sum_is_rejected_by_members_and_validators_and_the_round_goes_on(cell: int) -> None:
    liar = AGGREGATORS[cell][0]
    play = whole_round({liar.key: adds_wrongly})
    assert_sum(play, concluded(play), *CELLS)
    for peer in (*MEMBERS, VALIDATOR):
        assert f"wrong sum of cell {cell}" in blamed(play.actors[peer.key].effects)[liar.key]
        assert "chunk 0" in blamed(play.actors[peer.key].effects)[liar.key]
    assert set(blamed(play.effects())) == {liar.key}


def test_two_aggregators_that_agree_on_a_wrong_sum_are_found_because_it_does_not_open() -> None:
    play = whole_round({peer.key: adds_wrongly for peer in AGGREGATORS[0]})
    assert_sum(play, concluded(play), *CELLS)
    for peer in (*MEMBERS, VALIDATOR):
        assert set(blamed(play.actors[peer.key].effects)) == {liar.key for liar in AGGREGATORS[0]}


def but_for(*members: int) -> Callable[[Effect], Effects]:
    """A contributor that sends nothing to these members."""
    left_out = {VIEW.committee[member - 1] for member in members}
    return lambda effect: [] if isinstance(effect, Send) and effect.to in left_out else [effect]


def test_a_member_that_a_contributor_left_out_still_concludes() -> None:
    """It can neither vote nor release, but checks the sum and opens like the others."""
    play = whole_round({CELLS[0][0].key: but_for(1), AGGREGATORS[0][1].key: adds_wrongly})
    assert_sum(play, concluded(play), *CELLS)
    left_out = play.actors[COMMITTEE[0].key].effects
    assert observed(left_out, "release-skipped") == [{"cell": 0, "missing": 1}]
    assert AGGREGATORS[0][1].key in blamed(left_out)


# ---------------------------------------------------------------------------------------------------------- restarts


def test_the_whole_round_again_from_the_disks_repeats_the_same_messages_and_trains_nobody() -> None:
    """Everybody crashed after everything: same submissions, same releases, same header."""
    first = whole_round()
    again = whole_round(after=first)
    assert concluded(again) == concluded(first)
    assert of(again.effects(), Train) == []
    for kind in (Submission, Release):
        assert set(sent(again.effects(), kind)) == set(sent(first.effects(), kind))


def test_after_a_restart_with_one_contributor_less_nothing_of_that_cell_is_opened_again() -> None:
    """The members' disks remember the first set; whoever could have both sums would have the difference."""
    again = whole_round(offline_(CELLS[0][0]), after=whole_round())
    assert {release.cell for release in sent(again.effects(), Release)} <= {1}
    assert of(again.effects(), Conclude) == []
