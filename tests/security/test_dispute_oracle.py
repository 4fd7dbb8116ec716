"""Disputes as a decryption oracle: members that open whatever looks wrong would open the victim's share for anybody."""

from __future__ import annotations

import dataclasses

import pytest

from protocols.effects import Send
from protocols.encryption import sealing
from protocols.encryption.sealing import DealingKey, exchange_key, fits, unseal
from protocols.events import Received, Started
from protocols.rounds.custody import Custody
from protocols.rounds.dealing import pack_dealt, sealed_digest, share_context, unpack_dealt
from protocols.rounds.release import ReleaseRule
from protocols.rounds.seen import SeenDealings
from protocols.types import NO_DIGEST, Secret
from protocols.wire.messages import Dealing, Dispute, Manifest, Submission
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    ROUND,
    SCHEME,
    VIEW,
    blamed,
    received,
    sent,
    submit,
)
from tests.security.workshop import craft, honest_parts, starve

MEMBER = 2
VICTIM, THIEF = submit(CELLS[0][0]), CELLS[0][1]
SEALED = VICTIM.encrypted.dealt.sealed[MEMBER - 1]
assert VICTIM.manifest.dealing is not None
VICTIMS_DEALING: Dealing = VICTIM.manifest.dealing
OWN = submit(THIEF)
assert OWN.manifest.dealing is not None
OWN_DEALING: Dealing = OWN.manifest.dealing


def naive_answer(dealing: Dealing, sealed: bytes) -> bytes:
    """A member that shows the secrets it shares with any dealing's key whenever a share does not open well."""
    return EPOCH_KEYS[MEMBER].shared_secrets(sealed[:1088], exchange_key(dealing.public))


@pytest.mark.parametrize("negated", [False, True])
def test_who_shows_shared_secrets_to_anybody_opens_the_victims_share(negated: bool) -> None:
    """The thief names the victim's key in a dealing of its own (or its negative, which looks like another)."""
    public = VICTIMS_DEALING.public
    named = dataclasses.replace(VICTIMS_DEALING, public=public[:31] + bytes([public[31] ^ (0x80 if negated else 0)]))
    secrets = naive_answer(named, SEALED[:1088] + b"and junk")
    context = share_context(VIEW, VICTIM.manifest, VICTIM.signed.signer, MEMBER)
    opening = sealing._opening(secrets, exchange_key(public), SEALED[:1088], EPOCH_KEYS[MEMBER].public, context)
    assert fits(opening, SEALED, context)
    share, _ = unpack_dealt(unseal(opening, SEALED, context))
    assert (share == VICTIM.share(MEMBER)).all()


def other(dealing: Dealing, **changes: bytes) -> Dealing:
    return dataclasses.replace(dealing, **changes)


def negative(public: bytes) -> bytes:
    return public[:31] + bytes([public[31] ^ 0x80])


def attempts() -> dict[str, Manifest]:
    """What the thief can sign: each has the victim's sealed share where this member looks."""
    shares = tuple(map(sealed_digest, VICTIM.encrypted.dealt.sealed))
    own = dataclasses.replace(OWN.manifest, shares=shares)
    context = VIEW.dealing_context(ROUND, 0, THIEF.key, VICTIM.manifest.chunk_roots[0])
    mine = DealingKey(Secret(bytes([77]) * 32)).prove(context)
    return {
        "all of it": VICTIM.manifest,
        "its key with its proof": dataclasses.replace(own, dealing=VICTIMS_DEALING),
        "its key with a proof of mine": dataclasses.replace(own, dealing=other(VICTIMS_DEALING, proof=mine)),
        "its key negated": dataclasses.replace(
            own, dealing=other(VICTIMS_DEALING, public=negative(VICTIMS_DEALING.public))
        ),
        "my key": own,
        "my key, its polynomials": dataclasses.replace(own, dealing=other(OWN_DEALING, degree=VICTIMS_DEALING.degree)),
        "my key, no polynomials": dataclasses.replace(own, dealing=other(OWN_DEALING, degree=bytes(58))),
    }


def member() -> Custody:
    peer = COMMITTEE[MEMBER - 1]
    rule = ReleaseRule(VIEW.params.k_min)
    machine = Custody(VIEW, ROUND, NO_DIGEST, peer.key, peer.sign, SCHEME, 1, EPOCH_KEYS[MEMBER], rule, SeenDealings())
    machine.handle(Started(), 0)
    return machine


def submission(manifest: Manifest, sealed: bytes = SEALED) -> Received:
    return received(THIEF, Submission(VIEW.slot(ROUND), THIEF.sign(manifest).encoded, sealed))


@pytest.mark.parametrize("seen", [False, True], ids=["before the victim's", "after the victim's"])
@pytest.mark.parametrize("name", list(attempts()))
def test_ours_shows_nothing_of_a_share_that_the_thief_did_not_seal(name: str, seen: bool) -> None:
    machine = member()
    if seen:
        machine.handle(VICTIM.to(MEMBER), 0)
    effects = machine.handle(submission(attempts()[name]), 0)
    assert sent(effects, Dispute) == []
    assert [effect for effect in effects if isinstance(effect, Send)] == []
    assert VICTIM.signed.signer not in blamed(effects)


@pytest.mark.parametrize("cut", [0, 1087, 1088, 1120, -1])
def test_nor_of_one_that_it_changed(cut: int) -> None:
    """Every byte counts: what the victim sealed cannot be turned into something that opens and is wrong."""
    changed = bytearray(SEALED)
    changed[cut] ^= 1
    shares = (NO_DIGEST, sealed_digest(bytes(changed)), *VICTIM.manifest.shares[2:])
    machine = member()
    for manifest in attempts().values():
        machine.handle(submission(dataclasses.replace(manifest, shares=shares), bytes(changed)), 0)
    assert machine._disputes.faulty == set()


def test_the_thief_is_shown_what_it_sealed_itself_and_only_once() -> None:
    machine, bad = member(), starve(THIEF, MEMBER)
    (shown, *_) = sent(machine.handle(bad.to(MEMBER), 0), Dispute)
    context = share_context(VIEW, bad.manifest, THIEF.key, MEMBER)
    shares, masks = honest_parts(THIEF)
    told = unseal(shown.opening, bad.encrypted.dealt.sealed[MEMBER - 1], context)
    assert told != pack_dealt(shares[MEMBER - 1], masks[MEMBER - 1])
    assert machine.handle(bad.to(MEMBER), 0) == []
    victims = share_context(VIEW, VICTIM.manifest, VICTIM.signed.signer, MEMBER)
    assert not fits(shown.opening, SEALED, victims), "and it opens nothing else"


def test_two_shares_of_one_dealing_to_one_member_have_unlike_openings() -> None:
    """So that even a dealer's own key used twice, in two rounds, opens once for each."""
    shares, masks = honest_parts(THIEF)
    made, key = craft(THIEF, shares, masks), EPOCH_KEYS[MEMBER]
    assert made.manifest.dealing is not None
    ephemeral, encapsulation = (
        exchange_key(made.manifest.dealing.public),
        made.encrypted.dealt.sealed[MEMBER - 1][:1088],
    )
    secrets = key.shared_secrets(encapsulation, ephemeral)
    contexts = [VIEW.sealing_context(height, 0, THIEF.key, MEMBER, NO_DIGEST) for height in (2, 3)]
    openings = {sealing._opening(secrets, ephemeral, encapsulation, key.public, each) for each in contexts}
    assert len(openings) == 2
