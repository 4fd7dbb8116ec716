"""A victim's dealing or ciphertext in a stranger's name: copied, negated, scaled, replayed; once and by 13 sybils."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest

from protocols.effects import Effect, Effects, Store, Tell
from protocols.encryption import expand
from protocols.encryption.message import decode
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.scheme import PublicContext, Residues
from protocols.encryption.sharing import add_shares, candidates
from protocols.events import Received, Started, TimerFired
from protocols.rounds.contribution import Encrypted, encrypt_update
from protocols.rounds.custody import Custody
from protocols.rounds.dealing import deal_key, sealed_digest
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.rounds.release import ReleaseRule
from protocols.rounds.seen import SeenDealings
from protocols.told import Available, Ready
from protocols.types import NO_DIGEST, PeerKey, Role, Secret
from protocols.updates.chunks import chunk_roots, update_root
from protocols.updates.totals import add_cells
from protocols.wire.envelope import Signed
from protocols.wire.messages import Manifest, Submission
from tests.protocols.playbook import (
    CELLS,
    EPOCH_KEYS,
    MEMBERS,
    PARAMS,
    PUBLIC_KEYS,
    ROUND,
    SCHEMA,
    SCHEME,
    VIEW,
    Behaviour,
    Peer,
    Submitted,
    a_peer,
    blamed,
    lanes_of,
    manifest_of,
    observed,
    of,
    received,
    whole_round,
)
from tests.security.test_bad_dealings import totals
from tests.security.workshop import craft, honest_parts, submitting

PEERS = {peer.key: peer for peer in map(a_peer, range(30, 46))}
FULL = draw_epoch(
    31337,
    1,
    0,
    bytes(32),
    PARAMS.with_(k_min=8, dropouts=8),
    [*((key, Role.DATA) for key in PEERS), *((member.key, Role.COMPUTE) for member in MEMBERS)],
)
"""One cell of sixteen."""
VICTIM, *OTHERS = (PEERS[key] for key in FULL.cells[0])
SYBILS = OTHERS[:13]
MEMBER = next(peer for peer in MEMBERS if peer.key == FULL.committee[0])


def seed_of(peer: Peer) -> Secret:
    return Secret(hashlib.sha256(b"sixteen" + peer.key).digest())


def honest(peer: Peer, height: int = ROUND) -> Encrypted:
    return encrypt_update(SCHEME, FULL, height, 0, peer.key, lanes_of(peer), seed_of(peer), PUBLIC_KEYS)


def manifest(made: Encrypted, height: int = ROUND) -> Manifest:
    roots, shares = tuple(root for root, _ in made.chunks), tuple(map(sealed_digest, made.dealt.sealed))
    return Manifest(FULL.slot(height), 0, NO_DIGEST, roots, shares, made.dealt.dealing)


def submission(by: Peer, said: Manifest, sealed: bytes) -> Received:
    return received(by, Submission(FULL.slot(ROUND), by.sign(said).encoded, sealed))


def custody() -> Custody:
    rule = ReleaseRule(FULL.params.k_min)
    machine = Custody(FULL, ROUND, NO_DIGEST, MEMBER.key, MEMBER.sign, SCHEME, 1, EPOCH_KEYS[1], rule, SeenDealings())
    machine.handle(Started(), 0)
    return machine


def held(machine: Custody, manifests: list[Signed]) -> set[PeerKey]:
    """Whose contributions this member would vote for, if the aggregators have all ciphertexts."""
    effects = machine.handle(Available(0, frozenset(each.digest for each in manifests)), 1)
    effects += machine.handle(TimerFired("submit"), 30)
    (*_, ready) = (tell.event for tell in of(effects, Tell) if isinstance(tell.event, Ready))
    return {each.contributor for each in ready.contributions[0]}


# ----------------------------------------------------------------------------------------- what copies would tell


@pytest.fixture
def unbound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share encryption that is bound to nothing but its two keys, and members without memory."""
    monkeypatch.setattr(EpochView, "sealing_context", lambda *_: b"a share")
    monkeypatch.setattr(EpochView, "dealing_context", lambda *_: b"a dealing")
    monkeypatch.setattr(SeenDealings, "take", lambda *_: None)


def guessed_right(copies: int) -> float:
    """The share of coefficients of the victim's key that follow from the key of a sum in which it counts 1 + copies."""
    made, two = honest(VICTIM), [honest(peer) for peer in OTHERS[13:]]
    machine, signed = custody(), []
    dealers = [(VICTIM, made), *((thief, made) for thief in SYBILS[:copies]), *zip(OTHERS[13:], two, strict=True)]
    for dealer, encrypted in dealers:
        signed.append(dealer.sign(manifest(encrypted)))
        machine.handle(submission(dealer, manifest(encrypted), encrypted.dealt.sealed[0]), 0)
    assert held(machine, signed) == {dealer.key for dealer, _ in dealers}
    shares = [SCHEME.deal(seed_of(VICTIM if dealer in SYBILS else dealer), 3, 4) for dealer, _ in dealers]
    released = {member: add_shares([dealt[member - 1] for dealt in shares]) for member in (1, 2, 3)}
    ((key, _),) = candidates(released, 3, bound=21 * 16)
    return float((np.rint(key / (1 + copies)) == expand.key(seed_of(VICTIM))).mean())


@pytest.mark.usefixtures("unbound")
def test_thirteen_copies_give_a_victims_key_away() -> None:
    assert guessed_right(copies=0) < 0.25
    assert guessed_right(copies=13) > 0.8


@pytest.mark.usefixtures("unbound")
def test_unbound_a_dealing_of_a_void_round_serves_again() -> None:
    old, machine, thief = honest(VICTIM, ROUND - 1), custody(), SYBILS[0]
    said = dataclasses.replace(manifest(old, ROUND - 1), slot=FULL.slot(ROUND))
    machine.handle(submission(thief, said, old.dealt.sealed[0]), 0)
    assert held(machine, [thief.sign(said)]) == {thief.key}


# --------------------------------------------------------------------------------------------- and what ours do


def negated(public: bytes) -> bytes:
    return public[:31] + bytes([public[31] ^ 0x80])


def theft(kind: str, thief: Peer) -> tuple[Manifest, bytes]:
    """What the thief signs of the victim's, and the sealed share that it sends to member 1."""
    made, own = honest(VICTIM, ROUND - 1 if kind == "replayed" else ROUND), honest(thief)
    victims, mine = manifest(made), manifest(own)
    assert victims.dealing is not None
    change: dict[str, Any] = {
        "copied": victims,
        "replayed": victims,
        "key negated": dataclasses.replace(
            victims, dealing=dataclasses.replace(victims.dealing, public=negated(victims.dealing.public))
        ),
        "under my proof": dataclasses.replace(victims, dealing=mine.dealing),
        "shares copied": dataclasses.replace(mine, shares=victims.shares),
        "one share copied": dataclasses.replace(mine, shares=(victims.shares[0], *mine.shares[1:])),
        "beside my ciphertexts": dataclasses.replace(mine, shares=victims.shares, dealing=victims.dealing),
    }
    if kind == "ciphertexts copied":
        root = update_root(victims.chunk_roots)
        dealt = deal_key(SCHEME, FULL, ROUND, 0, thief.key, root, seed_of(thief), PUBLIC_KEYS)
        return manifest(Encrypted(made.chunks, dealt)), dealt.sealed[0]
    return change[kind], made.dealt.sealed[0]


KINDS = [
    *("copied", "replayed", "key negated", "under my proof", "shares copied", "one share copied"),
    *("beside my ciphertexts", "ciphertexts copied"),
]


@pytest.mark.parametrize("count", [1, 13])
@pytest.mark.parametrize("kind", KINDS)
def test_no_copy_is_ever_held_and_the_victim_is(kind: str, count: int) -> None:
    machine, made = custody(), honest(VICTIM)
    signed, effects = (
        [VICTIM.sign(manifest(made))],
        machine.handle(submission(VICTIM, manifest(made), made.dealt.sealed[0]), 0),
    )
    for thief in SYBILS[:count]:
        said, sealed = theft(kind, thief)
        signed.append(thief.sign(said))
        effects += machine.handle(submission(thief, said, sealed), 0)
    assert held(machine, signed) == {VICTIM.key}
    assert VICTIM.key not in blamed(effects)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"ciphertexts copied"}))
def test_nor_is_one_that_comes_before_the_victims(kind: str) -> None:
    machine, made, thief = custody(), honest(VICTIM), SYBILS[0]
    said, sealed = theft(kind, thief)
    machine.handle(submission(thief, said, sealed), 0)
    machine.handle(submission(VICTIM, manifest(made), made.dealt.sealed[0]), 0)
    assert held(machine, [VICTIM.sign(manifest(made)), thief.sign(said)]) == {VICTIM.key}


def test_who_names_the_victims_ciphertexts_first_costs_it_this_member_and_nobody_is_blamed() -> None:
    """The one thing that being faster gains; the sum that the thief is in fits no key, so it opens nothing either."""
    machine, made, thief = custody(), honest(VICTIM), SYBILS[0]
    machine.handle(submission(thief, *theft("ciphertexts copied", thief)), 0)
    effects = machine.handle(submission(VICTIM, manifest(made), made.dealt.sealed[0]), 0)
    assert "repeats" in str(observed(effects, "share-refused")[0]["reason"])
    assert blamed(effects) == {}


def test_the_victims_own_submission_of_a_void_round_is_of_no_use_to_anybody() -> None:
    machine, old = custody(), honest(VICTIM, ROUND - 1)
    envelope = VICTIM.sign(manifest(old, ROUND - 1)).encoded
    forwarded = received(SYBILS[0], Submission(FULL.slot(ROUND), envelope, old.dealt.sealed[0]))
    assert set(blamed(machine.handle(forwarded, 0))) == {SYBILS[0].key}


# ------------------------------------------------------------------------------- ciphertexts, scaled and negated


THIEF, TARGET = CELLS[0][1], CELLS[0][0]
REAL = OneTimeKeyScheme()


def scaled(residues: Residues, by: int) -> Residues:
    """The same ciphertexts times a small number."""
    total = REAL.add([residues] * abs(by))
    return total if by > 0 else np.where(total == 0, total, REAL.ring.primes - total)


@pytest.mark.parametrize("by", [20, -1])
def test_under_one_joint_key_a_ciphertext_could_be_moved_by_anybody(by: int) -> None:
    """The design that was rejected (protocol.md): beside the sum without it, this one shows the victim's update."""
    seed, context = Secret(bytes([8]) * 32), PublicContext(VIEW.round_beacon(ROUND), ROUND, 0)
    victim, other = lanes_of(TARGET), lanes_of(CELLS[0][2])
    both = [REAL.encrypt(lanes, seed, context, SCHEMA.layout) for lanes in (victim, other)]
    total = REAL.add([*both, scaled(both[0], by)])
    mask = REAL.ring.product(
        expand.public_polynomial(context, 0), REAL.ring.forward(REAL.ring.reduce((2 + by) * expand.key(seed)))
    )
    sums, _ = decode(REAL.ring, REAL.ring.inverse(REAL.ring.subtract(total, mask[None])), 16)
    assert (sums[: victim.size] == (1 + by) * victim + other).all()


def serving(crafted: Submitted) -> Behaviour:
    """An honest machine, but for what it submits and serves."""
    submits = submitting(crafted)

    def behaviour(effect: Effect) -> Effects:
        return [Store(crafted.encrypted.chunks)] if isinstance(effect, Store) else list(submits(effect))

    return behaviour


@pytest.mark.parametrize("by", [20, -1])
def test_under_one_time_keys_it_fits_no_key_and_its_cell_opens_nothing(by: int) -> None:
    residues = scaled(REAL.unpack(submit_by_machine(TARGET).blobs), by)
    chunks = tuple(zip(chunk_roots(residues), REAL.pack(residues), strict=True))
    root = update_root(tuple(root for root, _ in chunks))
    dealt = deal_key(SCHEME, VIEW, ROUND, 0, THIEF.key, root, Secret(bytes([9]) * 32), PUBLIC_KEYS)
    made = Encrypted(chunks, dealt)
    play = whole_round({THIEF.key: serving(Submitted(THIEF.sign(manifest_of(0, made)), made))})
    assert blamed(play.effects()) == {}
    others = add_cells([(sum(lanes_of(peer) for peer in CELLS[1]), 4)])
    assert totals(play) == {hashlib.sha256(others).digest()}


def submit_by_machine(peer: Peer) -> Submitted:
    shares, masks = honest_parts(peer)
    return craft(peer, shares, masks)
