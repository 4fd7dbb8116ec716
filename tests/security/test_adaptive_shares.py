"""A member that waits for the others' shares, and then releases the one that makes a key of its choice."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.agreement.evidence import decode_evidence
from protocols.effects import Effects, Fetch, Job, Journal, Tell
from protocols.encryption.packing import pack_share
from protocols.encryption.scheme import Share
from protocols.encryption.sharing import FIELD, add_shares, candidates
from protocols.events import Event, Fetched
from protocols.rounds.aggregate import Summed, add, verify_ciphertexts
from protocols.rounds.opening import CellOpening
from protocols.rounds.release import set_digest
from protocols.told import CellOpened, Certified
from protocols.types import NO_DIGEST
from protocols.wire.messages import ListCertificate, Release, SetList
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    ROUND,
    SCHEMA,
    SCHEME,
    VIEW,
    blamed,
    lanes_of,
    of,
    received,
    run_job,
    set_of,
    submit,
)

MADE = [submit(peer) for peer in CELLS[0]]
ALL = set_of(0, MADE)
TRUE = np.sum([lanes_of(peer) for peer in CELLS[0]], axis=0)
TOTAL: Summed = add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in MADE])
SHARES = {member: add_shares([each.share(member) for each in MADE]) for member in (1, 2, 3, 4)}
LIAR = 3


def adaptive(change: int) -> Share:
    """Member 3's share on the polynomial through the shares of 1 and 2 and a key that is off by `change` at 0."""
    values = {member: SHARES[member].astype(np.int64) for member in (1, 2)}
    (right, _), *_ = candidates({member: SHARES[member] for member in (1, 2, 3)}, 3, 21 * 4)
    wanted = right + change * (np.arange(right.size) == 0)
    # degree 2 through x = 0, 1, 2, at x = 3: f(3) = f(0) - 3 f(1) + 3 f(2)
    return ((wanted - 3 * values[1] + 3 * values[2]) % FIELD).astype(np.uint32)


def test_small_coefficients_alone_prove_nothing() -> None:
    """Who takes the first key whose coefficients are small takes the liar's."""
    forged = {1: SHARES[1], 2: SHARES[2], LIAR: adaptive(1)}
    (key, wrong), *_ = candidates(forged, 3, 21 * 4)
    (right, _), *_ = candidates({member: SHARES[member] for member in (1, 2, 4)}, 3, 21 * 4)
    assert np.abs(key).max() <= 21 * 4
    assert wrong == ()
    assert key[0] == right[0] + 1


def certified_opening() -> tuple[CellOpening, Effects]:
    """An opening that has the sum already."""
    machine = CellOpening(VIEW, ROUND, NO_DIGEST, 0, SCHEME, SCHEMA, 1)
    effects: Effects = []
    for made in MADE:
        machine.handle(made.to(1), 0)
        effects += machine._gatherer.want(made.contribution, [0])
    sets = SetList(VIEW.slot(ROUND), (ALL,))
    return machine, [
        *work(machine, effects),
        *work(machine, machine.handle(Certified(ListCertificate(sets, 0, ())), 0)),
    ]


def work(machine: CellOpening, effects: Effects) -> Effects:
    """Does jobs, and answers fetches from what was made."""
    blobs = {digest: blob for made in MADE for digest, blob in made.encrypted.chunks}
    done, todo = list(effects), list(effects)
    while todo:
        effect = todo.pop(0)
        event: Event | None = None
        if isinstance(effect, Job):
            event = run_job(effect)
        elif isinstance(effect, Fetch):
            event = Fetched(effect, tuple(blobs[digest] for digest in effect.digests))
        more = machine.handle(event, 0) if event is not None else []
        done += more
        todo += more
    return done


def release(member: int, share: Share) -> Event:
    message = Release(VIEW.slot(ROUND), 0, set_digest(ALL), pack_share(share))
    return received(COMMITTEE[member - 1], message)


def opened(effects: Effects) -> list[CellOpened]:
    return [tell.event for tell in of(effects, Tell) if isinstance(tell.event, CellOpened)]


@pytest.mark.parametrize("change", [1, -1, 20])
def test_with_us_a_forged_key_opens_nothing_and_the_next_share_shows_who_lied(change: int) -> None:
    machine, _ = certified_opening()
    effects: Effects = []
    for member, share in ((1, SHARES[1]), (2, SHARES[2]), (LIAR, adaptive(change))):
        effects += work(machine, machine.handle(release(member, share), 0))
    assert opened(effects) == [], "a key proves itself on the ciphertexts, not by being small"
    assert blamed(effects) == {}
    effects = work(machine, machine.handle(release(4, SHARES[4]), 0))
    (cell,) = opened(effects)
    assert cell.lanes is not None
    assert (cell.lanes == TRUE).all()
    assert set(blamed(effects)) == {COMMITTEE[LIAR - 1].key}


def test_a_share_that_comes_late_changes_nothing() -> None:
    machine, _ = certified_opening()
    effects: Effects = []
    for member in (1, 2, 4):
        effects += work(machine, machine.handle(release(member, SHARES[member]), 0))
    assert len(opened(effects)) == 1
    assert machine.handle(release(LIAR, adaptive(1)), 0) == []


def test_releasing_for_two_sets_is_evidence_that_anybody_can_verify() -> None:
    machine, _ = certified_opening()
    smaller = Release(VIEW.slot(ROUND), 0, set_digest(set_of(0, MADE[1:])), pack_share(SHARES[1]))
    assert machine.handle(release(1, SHARES[1]), 0) == []
    effects = machine.handle(received(COMMITTEE[0], smaller), 0)
    (journal,) = of(effects, Journal)
    evidence = decode_evidence(journal.payload)
    assert (evidence.culprit, evidence.reason) == (COMMITTEE[0].key, "released cell 0 for two sets")
    assert blamed(effects) == {COMMITTEE[0].key: evidence.reason}
