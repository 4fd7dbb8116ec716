from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from p2pnode.team import RoundContext
from protocols.agreement.evidence import evidence_of
from protocols.effects import Job, Send, Store
from protocols.encryption.one_time_key import SpoiledSumError
from protocols.encryption.scheme import PublicContext
from protocols.encryption.sharing import add_shares
from protocols.errors import MalformedError, RemoteError
from protocols.events import JobDone
from protocols.rounds.aggregate import verify_ciphertexts
from protocols.rounds.contribution import Contribution, encrypt_update
from protocols.rounds.dealing import WrongShareError, check_dealing, open_share
from protocols.rounds.manifests import open_manifest
from protocols.types import NO_DIGEST, Secret
from protocols.wire.envelope import open_envelope
from protocols.wire.messages import Manifest, Submission
from simnet.adversaries import contributors
from simnet.adversaries.contributors import Deal
from simnet.adversaries.crafted import Crafted
from tests.protocols.playbook import (
    CELLS,
    EPOCH_KEYS,
    PUBLIC_KEYS,
    ROUND,
    SCHEMA,
    SCHEME,
    VIEW,
    lanes_of,
    manifest_of,
    round_of,
    submit,
)
from tests.simnet.adversaries.stand import a_scene

ME = CELLS[0][0]
DEAL = Deal(SCHEME, VIEW, ROUND, 0, ME.key, lanes_of(ME), Secret(bytes([7]) * 32), PUBLIC_KEYS, SCHEMA.layout)
CONTRIBUTION = next(each for each in round_of(ME).machines if isinstance(each, Contribution))


def shares_of(made: Crafted) -> dict[int, Any]:
    """What each member finds, or the error that it meets."""
    manifest, found = manifest_of(0, made), dict[int, Any]()
    check_dealing(VIEW, manifest, ME.key)
    for member, key in EPOCH_KEYS.items():
        try:
            found[member] = open_share(VIEW, manifest, ME.key, member, key, made.dealt.sealed[member - 1])
        except WrongShareError as error:
            found[member] = error
    return found


def opened(made: Crafted) -> Any:
    roots, blobs = zip(*made.chunks, strict=True)
    total = verify_ciphertexts(SCHEME, blobs, roots).residues
    released = {member: add_shares([share]) for member, share in shares_of(made).items()}
    return SCHEME.open(total, PublicContext(VIEW.round_beacon(ROUND), ROUND, 0), released, 3, 1, SCHEMA.layout).lanes


def test_an_overflow_encrypts_what_it_says() -> None:
    for how in (0.1, 0.6, 0.9):
        made = contributors.overflowing(DEAL, how)
        assert made.truth is not None
        assert (opened(made) == made.truth).all()
        assert np.abs(made.truth).max() > 1000


@pytest.mark.parametrize("craft", [contributors.misfitting, contributors.noisy])
def test_what_spoils_a_sum_opens_to_nothing(craft: Any) -> None:
    for how in (0.1, 0.9):
        made = craft(DEAL, how)
        assert made.truth is None
        with pytest.raises(SpoiledSumError):
            opened(made)


def test_one_member_is_starved() -> None:
    found = shares_of(contributors.starving(DEAL, 0.3))
    assert [member for member, share in found.items() if isinstance(share, WrongShareError)] == [2]


def test_a_degree_too_high_is_seen_by_all_but_a_few() -> None:
    found = shares_of(contributors.too_high(DEAL, 0.0))
    assert sum(isinstance(share, WrongShareError) for share in found.values()) >= 1


def test_residues_beyond_their_prime_are_refused() -> None:
    roots, blobs = zip(*contributors.beyond_prime(DEAL, 0.0).chunks, strict=True)
    with pytest.raises(MalformedError, match="not below its prime"):
        verify_ciphertexts(SCHEME, blobs, roots)


def test_the_job_is_crafted_in_place() -> None:
    job = Job("encrypt", encrypt_update, tuple(getattr(DEAL, name) for name in DEAL.__dataclass_fields__))
    (crafted,) = contributors.Overflow(a_scene(ME)).change(job)
    assert isinstance(crafted, Job)
    assert isinstance(crafted.function(*crafted.arguments), Crafted)


SENT = Send(VIEW.committee[1], ME.sign(submit(ME).to(2).message))


def submissions(effects: Any) -> list[Submission]:
    return [each.signed.message for each in effects if isinstance(each, Send)]


def test_two_manifests_are_evidence() -> None:
    job = Job("encrypt", encrypt_update, tuple(getattr(DEAL, name) for name in DEAL.__dataclass_fields__))
    made = contributors.TwoManifests(a_scene(ME, seed=3))
    stored = made.does(CONTRIBUTION, JobDone(job, encrypt_update(*job.arguments)), [SENT], 0.0)
    assert isinstance(stored[0], Store)
    found = [open_envelope(each.manifest) for _ in range(9) for each in submissions(made.change(SENT))]
    assert len({each.digest for each in found}) == 2
    pair = {each.digest: each for each in found}.values()
    assert evidence_of(*pair) is not None


def accept(submission: Submission) -> None:
    """What member 2 checks."""
    signed = open_manifest(submission, VIEW, ROUND, 1)
    assert isinstance(signed.message, Manifest)
    if signed.message.parent != NO_DIGEST:
        raise RemoteError("from another head")
    check_dealing(VIEW, signed.message, ME.key)
    open_share(VIEW, signed.message, ME.key, 2, EPOCH_KEYS[2], submission.sealed)


def test_wrong_manifests_are_refused_by_all() -> None:
    accept(submit(ME).to(2).message)  # type: ignore[arg-type]  # a submission
    for seed in range(12):
        for each in submissions(contributors.WrongManifest(a_scene(ME, seed)).change(SENT)):
            with pytest.raises(RemoteError):
                accept(each)


def test_a_copy_comes_under_another_name_before_any_own_submission() -> None:
    victim = submit(CELLS[0][1])
    made = contributors.Copying(a_scene(ME))
    effects = made.does(CONTRIBUTION, victim.to(1), [], 0.0)
    manifests = {open_envelope(each.manifest).signer for each in submissions(effects)}
    assert manifests == {ME.key}
    assert submissions(made.change(SENT)) == []


def test_submissions_reach_some_or_carry_junk() -> None:
    counts = [len(list(contributors.SubmitToSome(a_scene(ME, seed)).change(SENT))) for seed in range(20)]
    assert set(counts) == {0, 1}
    sealed = {
        each.sealed for seed in range(9) for each in submissions(contributors.SealJunk(a_scene(ME, seed)).change(SENT))
    }
    assert len(sealed) > 1


def test_chunks_are_damaged_or_missing_and_not_served_to_all() -> None:
    store = Store(((SENT.signed.digest, b"chunk"),), durable=True)
    kept = [
        contributors.WrongChunks(a_scene(ME, seed)).does(CONTRIBUTION, JobDone(Job("", print, ()), 0), [store], 0)
        for seed in range(9)
    ]
    assert [] in kept
    assert [replace(store, blobs=((SENT.signed.digest, b"chunj"),))] in kept
    scene = a_scene(ME)
    contributors.ServeSome(scene)
    assert scene.veil.shut
    assert ME.key not in scene.veil.shut
    assert isinstance(scene.context, RoundContext)
