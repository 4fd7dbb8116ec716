from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from protocols.effects import Effect, Effects, Job, Journal, Send, SetTimer, Store, Train
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.scheme import Scheme
from protocols.errors import LocalError, TransitionError
from protocols.events import Started, TimerFired, Trained
from protocols.rounds.contribution import FIRST_PATIENCE, KEY_PATIENCE_S, Contribution, State
from protocols.rounds.dealing import open_share, sealed_digest
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import open_manifest
from protocols.told import Certified
from protocols.types import NO_DIGEST, Digest, Height, Secret
from protocols.wire.messages import CellSet, ListCertificate, Manifest, MemberSignature, Receipt, SetList, Submission
from protocols.wire.messages import Contribution as Listed
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    PARAMS,
    PUBLIC_KEYS,
    ROUND,
    SCHEME,
    VIEW,
    a_view,
    lanes_of,
    observed,
    of,
    received,
    run_job,
    sent,
    trained,
)

ME = CELLS[0][0]
PARENT = Digest(b"parent".ljust(32))


def contribution(
    journal: Iterable[Journal] = (),
    keys: Mapping[int, bytes] = PUBLIC_KEYS,
    scheme: Scheme = SCHEME,
    entropy: bytes = b"e" * 32,
    spent: Iterable[bytes] = (),
    view: EpochView = VIEW,
    height: int = ROUND,
) -> Contribution:
    tag_key = Secret(b"t" * 32)
    return Contribution(
        view, Height(height), PARENT, ME.key, ME.sign, scheme, lambda: keys, entropy, journal, set(spent), tag_key
    )


def until_submitted(machine: Contribution) -> Effects:
    """Train, encrypt, submit: what was asked for on the way, with the last answer."""
    effects = machine.handle(Started(), 0)
    effects += machine.handle(trained(lanes_of(ME)), 0)
    (job,) = of(effects, Job)
    return effects + machine.handle(run_job(job), 0)


def test_train_then_encrypt_then_submit() -> None:
    machine = contribution()
    assert machine.handle(Started(), 0) == [Train(PARENT, ROUND, len(CELLS[0]), VIEW.cell_quorum(0))]
    (job,) = of(machine.handle(trained(lanes_of(ME)), 0), Job)
    assert (job.purpose, machine.state) == ("encrypt", State.ENCRYPTING)
    assert sent(machine.handle(run_job(job), 0), Submission)
    assert machine.state is State.SUBMITTED


def test_everything_is_on_the_disk_before_anything_leaves() -> None:
    effects = until_submitted(contribution())
    kinds = [type(effect) for effect in effects]
    assert kinds.index(Store) < kinds.index(Journal) < kinds.index(Send)
    assert of(effects, Store)[0].durable
    assert kinds.count(Journal) == 1


def test_members_get_their_shares_and_aggregators_the_manifest() -> None:
    sends = of(until_submitted(contribution()), Send)
    assert {send.to for send in sends} == {*VIEW.committee, *VIEW.aggregators(ROUND, 0, 0)}
    by_receiver = {send.to: send.signed.message for send in sends}
    for index, member in enumerate(VIEW.committee, 1):
        submission = by_receiver[member]
        assert isinstance(submission, Submission)
        manifest = open_manifest(submission, VIEW, ROUND, 1).message
        assert isinstance(manifest, Manifest)
        assert manifest.parent == PARENT
        open_share(VIEW, manifest, ME.key, index, EPOCH_KEYS[index], submission.sealed)
    for aggregator in VIEW.aggregators(ROUND, 0, 0):
        submission = by_receiver[aggregator]
        assert isinstance(submission, Submission)
        assert submission.sealed == b""


def test_a_restart_resends_the_same_bytes_and_neither_trains_nor_encrypts() -> None:
    first = until_submitted(contribution())
    again = contribution(of(first, Journal), entropy=b"other entropy".ljust(32)).handle(Started(), 0)
    assert of(again, Send) == of(first, Send)
    assert not of(again, Train)
    assert not of(again, Job)
    assert not of(again, Journal)


def test_after_a_restart_not_even_a_training_result_starts_an_encryption() -> None:
    machine = contribution(of(until_submitted(contribution()), Journal))
    machine.handle(Started(), 0)
    with pytest.raises(TransitionError, match="SUBMITTED does not allow"):
        machine.handle(trained(lanes_of(ME)), 0)
    assert machine.handle(TimerFired("keys"), 0) == []


def test_a_crash_before_the_journal_was_written_begins_anew_under_a_fresh_seed() -> None:
    one, other = (until_submitted(contribution(entropy=entropy)) for entropy in (b"1" * 32, b"2" * 32))
    assert not {digest for digest, _ in of(one, Store)[0].blobs} & {digest for digest, _ in of(other, Store)[0].blobs}


def test_the_seed_serves_once_and_never_shows() -> None:
    seed = bytes(range(100, 132))
    machine = contribution(entropy=seed)
    effects = until_submitted(machine)
    assert machine._seed is None
    assert machine._lanes is None
    for form in (seed, seed.hex().encode(), repr(seed).encode()):
        assert form not in b"".join(durable_and_sent(effect) for effect in effects)
        assert form not in repr(effects).encode()


def durable_and_sent(effect: Effect) -> bytes:
    match effect:
        case Journal(payload=payload):
            return payload
        case Send(signed=signed):
            return signed.encoded
        case Store(blobs=blobs):
            return b"".join(blob for _, blob in blobs)
        case _:
            return b""


@pytest.mark.parametrize("event", [trained(lanes_of(ME)), Started()])
def test_a_second_start_or_result_is_an_error_in_every_later_state(event: Trained | Started) -> None:
    machine = contribution()
    until_submitted(machine)
    with pytest.raises(TransitionError):
        machine.handle(event, 0)


@pytest.mark.parametrize(("known", "at_once", "later"), [(4, True, True), (3, False, True), (2, False, False)])
def test_no_encryption_before_all_keys_or_after_some_patience_t(known: int, at_once: bool, later: bool) -> None:
    machine = contribution(keys={member: PUBLIC_KEYS[member] for member in range(1, known + 1)})
    machine.handle(Started(), 0)
    effects = machine.handle(trained(lanes_of(ME)), 10.0)
    assert [bool(of(effects, Job)), bool(of(effects, SetTimer))] == [at_once, not at_once]
    if not at_once:
        effects = machine.handle(TimerFired("keys"), 10.0 + KEY_PATIENCE_S)
        assert [bool(of(effects, Job)), bool(of(effects, SetTimer))] == [later, not later]


def test_in_an_epochs_first_round_it_is_more_patient() -> None:
    """A contributor that deals some members nothing keeps them from voting: under load that cost whole rounds."""
    view, first = a_view(PARAMS.with_(submit_s=120)), 0
    machine = contribution(view=view, height=first, keys={member: PUBLIC_KEYS[member] for member in (1, 2, 3)})
    machine.handle(Started(), 0)
    machine.handle(trained(lanes_of(ME)), 0)
    assert not of(machine.handle(TimerFired("keys"), FIRST_PATIENCE * 120 - 0.1), Job)
    assert of(machine.handle(TimerFired("keys"), FIRST_PATIENCE * 120), Job)


def test_keys_that_come_late_are_used() -> None:
    keys: dict[int, bytes] = {}
    machine = contribution(keys=keys)
    machine.handle(Started(), 0)
    assert of(machine.handle(trained(lanes_of(ME)), 0), SetTimer)
    keys.update(PUBLIC_KEYS)
    (job,) = of(machine.handle(TimerFired("keys"), 0.25), Job)
    assert len(of(machine.handle(run_job(job), 0.5), Send)) == 6


def test_a_member_whose_key_is_unknown_gets_an_empty_share() -> None:
    machine = contribution(keys={member: PUBLIC_KEYS[member] for member in (1, 2, 4)})
    machine.handle(Started(), 0)
    machine.handle(trained(lanes_of(ME)), 0)
    (job,) = of(machine.handle(TimerFired("keys"), KEY_PATIENCE_S), Job)
    sends = of(machine.handle(run_job(job), 3.0), Send)
    sealed = {send.to: send.signed.message.sealed for send in sends if isinstance(send.signed.message, Submission)}
    assert sealed[VIEW.committee[2]] == b""
    submission = sends[0].signed.message
    assert isinstance(submission, Submission)
    manifest = open_manifest(submission, VIEW, ROUND, 1).message
    assert isinstance(manifest, Manifest)
    assert manifest.shares == tuple(sealed_digest(sealed[member]) for member in VIEW.committee)
    assert manifest.shares[2] == NO_DIGEST


def test_a_member_that_is_also_an_aggregator_gets_one_submission_with_its_share() -> None:
    both = VIEW.committee[0]
    cells = (tuple(sorted((*VIEW.cells[0][:1], both, *VIEW.cells[0][2:]))), VIEW.cells[1])
    beacons = (bytes([number]) * 32 for number in range(256))
    views = (dataclasses.replace(VIEW, cells=cells, beacon=beacon) for beacon in beacons)
    view = next(each for each in views if both in each.aggregators(ROUND, 0, 0) and ME.key in each.cells[0])
    machine = Contribution(view, ROUND, PARENT, ME.key, ME.sign, SCHEME, lambda: PUBLIC_KEYS, bytes(32))
    submissions = [send.signed.message for send in of(until_submitted(machine), Send) if send.to == both]
    assert len(submissions) == 1
    assert isinstance(submissions[0], Submission)
    assert submissions[0].sealed


def test_receipts_are_remembered() -> None:
    machine = contribution()
    (submitted,) = observed(until_submitted(machine), "submitted")
    digest = Digest(bytes.fromhex(str(submitted["manifest"])))
    assert machine.handle(received(COMMITTEE[1], Receipt(VIEW.slot(ROUND), digest, 1)), 0) == []
    assert machine.receipts == {(COMMITTEE[1].key, 1): digest}


def test_the_plaintext_comparison_waits_for_no_keys_and_tells_everybody() -> None:
    machine = contribution(keys={}, scheme=PlaintextScheme())
    sends = of(until_submitted(machine), Send)
    assert {send.to for send in sends} == {*VIEW.committee, *VIEW.aggregators(ROUND, 0, 0)}


def test_the_job_refuses_an_update_beyond_its_lanes_in_this_node() -> None:
    machine = contribution()
    machine.handle(Started(), 0)
    (job,) = of(machine.handle(trained(np.array([2**15])), 0), Job)
    with pytest.raises(LocalError, match="outside its 16 bits"):
        run_job(job)


# ------------------------------------------------------------------------------- the same update goes into no other sum


def naming(manifest: Digest) -> Certified:
    sets = SetList(VIEW.slot(ROUND), (CellSet(0, (Listed(ME.key, manifest),)),))
    return Certified(ListCertificate(sets, 0, (MemberSignature(1, bytes(64)),)))


def test_a_certified_update_counts_as_opened_and_the_very_same_one_sits_out() -> None:
    machine = contribution()
    (submission, *_) = sent(until_submitted(machine), Submission)
    manifest = open_manifest(submission, VIEW, ROUND, 1)
    (spent,) = machine.handle(naming(manifest.digest), 0)
    assert isinstance(spent, Journal)
    assert spent.kind == "spent"

    again = contribution(spent=[spent.payload], entropy=b"f" * 32)
    again.handle(Started(), 0)
    effects = again.handle(trained(lanes_of(ME)), 0)
    assert again.state is State.SAT_OUT
    assert of(effects, Job) == []
    assert len(observed(effects, "sat-out")) == 1

    other = contribution(spent=[spent.payload], entropy=b"f" * 32)
    other.handle(Started(), 0)
    assert of(other.handle(trained(lanes_of(ME) + 1), 0), Job)  # another update is not the same one


def test_a_restart_remembers_which_update_it_resends() -> None:
    machine = contribution()
    effects = until_submitted(machine)
    (submission, *_) = sent(effects, Submission)
    manifest = open_manifest(submission, VIEW, ROUND, 1)
    restarted = contribution(journal=of(effects, Journal))
    restarted.handle(Started(), 0)
    assert restarted.handle(naming(manifest.digest), 0) == machine.handle(naming(manifest.digest), 0)


def test_a_list_without_us_spends_nothing() -> None:
    machine = contribution()
    until_submitted(machine)
    assert machine.handle(naming(NO_DIGEST), 0) == []
