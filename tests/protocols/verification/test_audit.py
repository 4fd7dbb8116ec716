from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from protocols.agreement.certificate import list_digest, signatures
from protocols.agreement.evidence import decode_evidence
from protocols.effects import Attest, Differ, Effects, Fetch, Job, Journal, SetTimer, Store
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.scheme import PublicContext
from protocols.encryption.sharing import add_shares
from protocols.events import Event, Fetched, FetchFailed, TimerFired
from protocols.hashing import tagged
from protocols.rounds.aggregate import Summed, add, verify_ciphertexts
from protocols.rounds.gatherer import REFETCH_S, Part
from protocols.rounds.suspects import after, spoiled_sets
from protocols.told import Certified
from protocols.types import NO_DIGEST, Digest
from protocols.updates.chunks import update_root
from protocols.updates.totals import add_cells
from protocols.verification.audit import Audit, State
from protocols.wire.messages import (
    NO_SUSPECTS,
    Aggregate,
    CellResult,
    Excluded,
    Header,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    SetList,
    Suspects,
)
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
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

MADE = [[submit(peer) for peer in peers] for peers in CELLS]
SETS = SetList(VIEW.slot(ROUND), tuple(set_of(cell, made) for cell, made in enumerate(MADE)))
CERTIFIED = Certified(ListCertificate(SETS, 0, ()))
AGGREGATORS = [[PEERS[key] for key in VIEW.aggregators(ROUND, cell, 0)] for cell in (0, 1)]


def sum_of(made: Iterable[Submitted]) -> Summed:
    return add(SCHEME, [verify_ciphertexts(SCHEME, each.blobs, each.manifest.chunk_roots) for each in made])


def key_of(cell: int) -> bytes:
    """The summed key of a cell, as t members find it."""
    released = {member: add_shares([made.share(member) for made in MADE[cell]]) for member in (1, 2, 3)}
    context = PublicContext(VIEW.round_beacon(ROUND), ROUND, cell)
    return SCHEME.open(SUMS[cell].residues, context, released, 3, 4, SCHEMA.layout).key


SUMS = [sum_of(made) for made in MADE]
KEYS = [key_of(cell) for cell in (0, 1)]
LANES = [np.sum([lanes_of(peer) for peer in peers], axis=0) for peers in CELLS]
RESULTS = tuple(CellResult(cell, 4, update_root(SUMS[cell].roots), tagged("summed-key", KEYS[cell])) for cell in (0, 1))
VOID = CellResult(1, 0, NO_DIGEST, NO_DIGEST)


def a_header(*results: CellResult, lanes: Iterable[np.ndarray] = LANES, sets: SetList = SETS) -> Header:
    total = add_cells((each, 4) for each in lanes)
    digest = Digest(hashlib.sha256(total).digest())
    suspects = after(NO_SUSPECTS, VIEW.epoch, ROUND, spoiled_sets(sets, results))
    return Header(VIEW.slot(ROUND), NO_DIGEST, NO_DIGEST, list_digest(sets), digest, results or RESULTS, None, suspects)


def certificate(header: Header, members: Iterable[int] = (1, 2, 3)) -> Event:
    votes = {member: COMMITTEE[member - 1].sign(HeaderVote(header)) for member in members}
    return received(COMMITTEE[0], HeaderCertificate(header, signatures(votes, 4)))


def aggregate(peer: Peer, cell: int, roots: tuple[Digest, ...] | None = None, sets: SetList = SETS) -> Event:
    return received(peer, Aggregate(VIEW.slot(ROUND), cell, list_digest(sets), (0,), roots or SUMS[cell].roots))


HONEST = [aggregate(peer, cell) for cell in (0, 1) for peer in AGGREGATORS[cell]]


class Desk:
    """A validator with its jobs done and its fetches answered."""

    def __init__(self, served: Mapping[Digest, bytes] | None = None) -> None:
        self.machine = Audit(VIEW, ROUND, SCHEME, 1, SCHEMA.layout)
        everything = [made for cell in MADE for made in cell]
        self.served = {made.signed.digest: made.signed.encoded for made in everything}
        self.served |= {digest: blob for made in everything for digest, blob in made.encrypted.chunks}
        self.served |= {tagged("summed-key", key): key for key in KEYS}
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
                    blob = self.served.get(effect.digests[0])
                    todo.append(FetchFailed(effect) if blob is None else Fetched(effect, (blob,)))
        return self


# ----------------------------------------------------------------------------------------------------- right sums


@pytest.mark.parametrize("order", [1, -1])
def test_a_validator_recomputes_everything_prints_verdicts_and_attests(order: int) -> None:
    events = [CERTIFIED, *HONEST, certificate(a_header())]
    desk = Desk()
    for event in events[::order]:
        desk.handle(event)
    assert of(desk.effects, Attest) == [Attest(a_header())]
    verdicts = observed(desk.effects, "verdict")
    assert [(each["ok"], each["chunk"], each["reason"]) for each in verdicts] == [(True, None, "")] * 4
    assert {each["aggregator"] for each in verdicts} == {peer.key.hex() for pair in AGGREGATORS for peer in pair}
    assert blamed(desk.effects) == {}
    assert desk.machine.state is State.ATTESTED


def test_it_asks_the_contributors_first_and_keeps_what_it_proved() -> None:
    desk = Desk().handle(CERTIFIED)
    for fetch in of(desk.effects, Fetch):
        contribution = fetch.subject.contribution if isinstance(fetch.subject, Part) else fetch.subject
        assert fetch.holders[0] == contribution.contributor
        assert set(VIEW.committee) < set(fetch.holders)
    assert {blobs[0][0] for blobs in (store.blobs for store in of(desk.effects, Store))} == {
        made.signed.digest for cell in MADE for made in cell
    }


def test_it_attests_once() -> None:
    desk = Desk().handle(CERTIFIED).handle(certificate(a_header())).handle(certificate(a_header()), *HONEST)
    assert len(of(desk.effects, Attest)) == 1
    assert len(observed(desk.effects, "verdict")) == 4, "aggregates that come late are judged all the same"


def test_a_spoiled_cell_binds_nothing_but_the_others_are_checked() -> None:
    header = a_header(RESULTS[0], VOID, lanes=LANES[:1])
    assert header.suspects.spoiled
    assert of(Desk().handle(CERTIFIED).handle(certificate(header)).effects, Attest) == [Attest(header)]


def test_where_every_cell_was_spoiled_there_is_no_total() -> None:
    header = dataclasses.replace(a_header(dataclasses.replace(VOID, cell=0), VOID), total=NO_DIGEST)
    assert of(Desk().handle(CERTIFIED).handle(certificate(header)).effects, Attest) == [Attest(header)]


# ----------------------------------------------------------------------------------------------------- wrong sums


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("cell", [0, 1])
def test_a_wrong_sum_is_rejected_with_its_aggregator_and_its_chunk(cell: int, early: bool) -> None:
    liar = AGGREGATORS[cell][1]
    wrong = aggregate(liar, cell, sum_of(MADE[cell][1:]).roots)
    desk = Desk().handle(*([wrong, CERTIFIED] if early else [CERTIFIED]))
    desk.handle(*([] if early else [wrong]))
    (verdict,) = observed(desk.effects, "verdict")
    assert verdict == {
        "height": ROUND,
        "cell": cell,
        "aggregator": liar.key.hex(),
        "chunk": 0,
        "ok": False,
        "reason": "chunk 0 is not the sum",
    }
    assert blamed(desk.effects) == {liar.key: f"wrong sum of cell {cell}: chunk 0 is not the sum"}


def test_two_sums_before_the_certificate_are_evidence_and_the_first_one_is_judged() -> None:
    liar = AGGREGATORS[0][0]
    desk = Desk().handle(aggregate(liar, 0), aggregate(liar, 0, sum_of(MADE[0][1:]).roots))
    assert blamed(desk.effects) == {liar.key: "announced two sums of cell 0"}
    assert decode_evidence(of(desk.effects, Journal)[0].payload).culprit == liar.key
    assert [each["ok"] for each in observed(desk.handle(CERTIFIED).effects, "verdict")] == [True]


@pytest.mark.parametrize(("peer", "cell"), [(STRANGER, 0), (AGGREGATORS[0][0], 1), (AGGREGATORS[0][0], 2)])
def test_who_is_no_aggregator_is_blamed_before_the_certificate_too(peer: Peer, cell: int) -> None:
    desk = Desk().handle(aggregate(peer, cell, SUMS[0].roots))
    assert blamed(desk.effects) == {peer.key: f"is no aggregator of cell {cell}"}
    assert desk.machine._early == {}


def test_a_right_sum_under_another_list_is_rejected() -> None:
    other = dataclasses.replace(SETS, cells=SETS.cells[:1])
    desk = Desk().handle(CERTIFIED).handle(aggregate(AGGREGATORS[0][0], 0, sets=other))
    assert blamed(desk.effects) == {AGGREGATORS[0][0].key: "wrong sum of cell 0: another list"}


@pytest.mark.parametrize(
    ("peer", "cell"), [(STRANGER, 0), (AGGREGATORS[0][0], 1), (AGGREGATORS[0][0], 2), (COMMITTEE[0], 0)]
)
def test_who_is_no_aggregator_of_the_cell_is_blamed(peer: Peer, cell: int) -> None:
    desk = Desk().handle(CERTIFIED, aggregate(peer, cell, SUMS[0].roots))
    assert blamed(desk.effects) == {peer.key: f"is no aggregator of cell {cell}"}


def swapped(**changes: object) -> CellResult:
    return dataclasses.replace(RESULTS[0], **changes)  # type: ignore[arg-type]  # untyped for **kwargs


FRAMED = Suspects((), (Excluded(CELLS[0][0].key, 9),))
OTHER_KEY = (np.frombuffer(KEYS[0], "<i2") + 1).astype("<i2").tobytes()
HUGE_KEY = np.full(4096, 2**15 - 1, "<i2").tobytes()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (a_header(swapped(sum_root=update_root(sum_of(MADE[0][1:]).roots)), RESULTS[1]), "other sums than ours"),
        (a_header(swapped(contributors=3), RESULTS[1]), "other sums than ours"),
        (a_header(swapped(cell=7), RESULTS[1]), "other sums than ours"),
        (a_header(sets=dataclasses.replace(SETS, cells=SETS.cells[:1])), "other sums than ours"),
        (a_header(lanes=[LANES[0], LANES[1] + 1]), "its total is not the sum of its cells"),
        (a_header(RESULTS[0], VOID), "its total is not the sum of its cells"),
        (dataclasses.replace(a_header(RESULTS[0], VOID), suspects=NO_SUSPECTS), "suspects others"),
        (dataclasses.replace(a_header(), suspects=FRAMED), "suspects others"),
        (a_header(swapped(key_digest=tagged("summed-key", OTHER_KEY)), RESULTS[1]), "does not prove itself"),
        (a_header(swapped(key_digest=tagged("summed-key", HUGE_KEY)), RESULTS[1]), "not the bytes of a summed key"),
        (a_header(swapped(key_digest=tagged("summed-key", b"")), RESULTS[1]), "not the bytes of a summed key"),
        (a_header(swapped(key_digest=RESULTS[1].key_digest), RESULTS[1]), "does not prove itself"),
        (dataclasses.replace(a_header(), epsilon_micro=1), "its epsilon is not what so many rounds cost"),
    ],
)
def test_a_certified_header_that_binds_something_else_is_not_attested(header: Header, reason: str) -> None:
    """Even t members that lie together get no attestation."""
    served = {tagged("summed-key", key): key for key in (OTHER_KEY, HUGE_KEY, b"")}
    desk = Desk(served).handle(CERTIFIED, *HONEST).handle(certificate(header))
    (refusal,) = observed(desk.effects, "refused-header")
    assert reason in str(refusal["reason"])
    assert of(desk.effects, Differ) == [Differ(header, "sums")]
    assert of(desk.effects, Attest) == []
    assert of(desk.handle(certificate(a_header())).effects, Attest) == []


def test_a_header_without_its_certificate_is_blamed_and_not_attested() -> None:
    desk = Desk().handle(CERTIFIED).handle(certificate(a_header(), (1, 2)))
    assert "header refused" in blamed(desk.effects)[COMMITTEE[0].key]
    assert of(desk.effects, Attest) == []
    assert of(desk.handle(certificate(a_header())).effects, Attest)


def test_nothing_is_attested_before_every_cell_is_recomputed() -> None:
    desk = Desk()
    missing = MADE[1][2].encrypted.chunks[0]
    del desk.served[missing[0]]
    desk.handle(CERTIFIED).handle(certificate(a_header()))
    assert of(desk.effects, Attest) == []
    desk.served |= dict([missing])
    assert of(desk.handle(TimerFired("refetch")).effects, Attest)


# ------------------------------------------------------------------------------------------------ hostile holders


@pytest.mark.parametrize("digest", [MADE[0][0].signed.digest, MADE[0][0].encrypted.chunks[0][0], RESULTS[0].key_digest])
@pytest.mark.parametrize("junk", [None, b"", MADE[0][1].signed.encoded, MADE[0][1].blobs[0], KEYS[1]])
def test_what_is_not_what_was_asked_for_is_asked_of_the_next_holder(digest: Digest, junk: bytes | None) -> None:
    desk = Desk()
    right = desk.served.pop(digest)
    desk.served |= {} if junk is None else {digest: junk}
    desk.handle(CERTIFIED).handle(certificate(a_header()), now=4.0)
    assert of(desk.effects, Attest) == []
    (failed,) = [fetch for fetch in of(desk.effects, Fetch) if fetch.digests == (digest,)]
    timer = of(desk.effects, SetTimer)[-1]
    assert timer.at in (REFETCH_S, 4.0 + REFETCH_S)
    desk.served[digest] = right
    desk.handle(TimerFired(timer.name))
    assert failed.elsewhere() in of(desk.effects, Fetch)
    assert of(desk.effects, Attest) == [Attest(a_header())]


def test_in_the_plaintext_comparison_no_key_is_asked_for() -> None:
    desk, scheme = Desk(), PlaintextScheme()
    desk.machine = Audit(VIEW, ROUND, scheme, 1, SCHEMA.layout)
    desk.handle(CERTIFIED).handle(certificate(a_header()))
    assert "key" not in {fetch.purpose for fetch in of(desk.effects, Fetch)}
    assert observed(desk.effects, "refused-header"), "these ciphertexts are no plaintext"
