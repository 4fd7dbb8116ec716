"""Disputes about shares: whoever was wrong is named by everybody, and nobody else ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from protocols.effects import Effects, Journal, Send
from protocols.encryption.sealing import find_opening
from protocols.errors import MalformedError
from protocols.rounds.dealing import WrongShareError, open_share, share_context
from protocols.rounds.dispute import KIND, Disputes, judge
from protocols.types import Digest
from protocols.wire.envelope import Signed
from protocols.wire.messages import Dispute, Receipt
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    PEERS,
    ROUND,
    STRANGER,
    VIEW,
    Peer,
    Submitted,
    blamed,
    of,
    sent,
    submit,
)
from tests.security.workshop import starve

MEMBER = 2
ME, OTHER = COMMITTEE[MEMBER - 1], COMMITTEE[0]
DEALER = CELLS[0][1]
HONEST = submit(CELLS[0][0])


BAD = starve(DEALER, MEMBER)


def opening_of(made: Submitted, member: int = MEMBER) -> bytes:
    """What the member alone can compute."""
    assert made.manifest.dealing is not None
    context = share_context(VIEW, made.manifest, made.signed.signer, member)
    sealed = made.encrypted.dealt.sealed[member - 1]
    return find_opening(EPOCH_KEYS[member], made.manifest.dealing.public, sealed, context)


def dispute_of(made: Submitted, by: Peer = ME, member: int = MEMBER, **changes: Any) -> Signed:
    sealed = made.encrypted.dealt.sealed[member - 1]
    said = Dispute(VIEW.slot(ROUND), made.signed.encoded, sealed, opening_of(made, member))
    return by.sign(dataclasses.replace(said, **changes))


def test_a_wrong_share_names_its_dealer() -> None:
    with pytest.raises(WrongShareError) as raised:
        open_share(VIEW, BAD.manifest, DEALER.key, MEMBER, EPOCH_KEYS[MEMBER], BAD.encrypted.dealt.sealed[MEMBER - 1])
    assert raised.value.opening == opening_of(BAD)
    verdict = judge(VIEW, ROUND, 1, dispute_of(BAD))
    assert (verdict.culprit, verdict.manifest) == (DEALER.key, BAD.signed.digest)
    assert "dealt member 2 a share that is not on its polynomials" in verdict.reason


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: dispute_of(HONEST), "a share that is right"),
        (lambda: dispute_of(BAD, opening=bytes(32)), "does not fit"),
        (lambda: dispute_of(HONEST, opening=bytes(32)), "does not fit"),
        (lambda: dispute_of(HONEST, opening=opening_of(BAD)), "does not fit"),
        (lambda: dispute_of(BAD, sealed=b"junk"), "not the one that the manifest names"),
        (lambda: dispute_of(BAD, sealed=HONEST.encrypted.dealt.sealed[1]), "not the one that the manifest names"),
        (lambda: dispute_of(BAD, by=OTHER), "not the one that the manifest names"),
        (lambda: dispute_of(BAD, by=ME, member=1), "not the one that the manifest names"),
    ],
    ids=["right", "opening", "honest, opening", "of another", "junk", "another share", "another member", "slot"],
)
def test_a_false_dispute_names_the_member_that_signed_it(make: Callable[[], Signed], complaint: str) -> None:
    signed = make()
    verdict = judge(VIEW, ROUND, 1, signed)
    assert verdict.culprit == signed.signer
    assert complaint in verdict.reason


def test_a_dealing_that_everybody_can_see_is_unsound_needs_no_opening() -> None:
    """An honest member opens nothing of it, so who disputes it gives its own share away, and is named."""
    unproven = dataclasses.replace(BAD.manifest, dealing=None)
    verdict = judge(VIEW, ROUND, 1, dispute_of(BAD, manifest=DEALER.sign(unproven).encoded))
    assert verdict.culprit == ME.key
    assert "what no member opens" in verdict.reason


@pytest.mark.parametrize(
    "signed",
    [
        dispute_of(BAD, by=STRANGER),
        dispute_of(BAD, manifest=b"junk"),
        dispute_of(BAD, manifest=ME.sign(BAD.manifest).encoded),
        ME.sign(Receipt(VIEW.slot(ROUND), BAD.signed.digest, 1)),
    ],
    ids=["stranger", "junk", "no contributor", "no dispute"],
)
def test_what_is_no_dispute_is_its_signers_fault(signed: Signed) -> None:
    with pytest.raises(MalformedError) as raised:
        judge(VIEW, ROUND, 1, signed)
    assert raised.value.culprits == {signed.signer}


def test_nor_is_one_about_another_round() -> None:
    with pytest.raises(MalformedError, match="that there is not"):
        judge(VIEW, type(ROUND)(ROUND + 1), 1, dispute_of(BAD))


# -------------------------------------------------------------------------------------------- those of a member


def disputes(journal: Iterable[Journal] = (), me: Peer = ME) -> Disputes:
    return Disputes(VIEW, ROUND, 1, me.key, me.sign, journal)


def opened(at: Disputes, made: Submitted = BAD) -> Effects:
    return at.open(made.signed, made.encrypted.dealt.sealed[MEMBER - 1], opening_of(made))


def test_it_is_journalled_then_shown_to_every_member_and_only_once() -> None:
    mine = disputes()
    effects = opened(mine)
    assert isinstance(effects[0], Journal)
    assert [send.to for send in of(effects, Send)] == list(VIEW.committee)
    assert blamed(effects) == {DEALER.key: "dealt member 2 a share that is not on its polynomials"}
    assert mine.faulty == {BAD.signed.digest}
    assert opened(mine) == []


def test_a_restart_neither_opens_again_nor_forgets() -> None:
    before = disputes()
    effects = opened(before) + disputes(me=OTHER).hear(dispute_of(BAD))
    again = disputes(of(effects, Journal))
    assert again.faulty == {BAD.signed.digest}
    assert opened(again) == []
    assert sent(again.resend(), Dispute)[:1] == sent(effects, Dispute)[:1]
    assert disputes().resend() == []


def test_what_another_member_proves_is_believed_and_kept() -> None:
    other = disputes(me=OTHER)
    effects = other.hear(dispute_of(BAD))
    assert set(blamed(effects)) == {DEALER.key}
    (record,) = of(effects, Journal)
    assert (record.kind, record.payload) == (KIND, dispute_of(BAD).encoded)
    assert other.faulty == {BAD.signed.digest}


def test_who_disputes_falsely_is_heard_no_more() -> None:
    other = disputes(me=OTHER)
    assert set(blamed(other.hear(dispute_of(HONEST)))) == {ME.key}
    assert other.faulty == set()
    assert other.hear(dispute_of(BAD)) == []
    assert other.hear(dispute_of(starve(DEALER, 3), by=COMMITTEE[2], member=3)) != [], "others are"


def test_nobody_is_heard_without_end() -> None:
    other = disputes(me=OTHER)
    heard = [other.hear(dispute_of(BAD, manifest=PEERS[DEALER.key].sign(each).encoded)) for each in variants(20)]
    assert sum(bool(effects) for effects in heard) <= sum(map(len, CELLS))


def variants(count: int) -> list[Any]:
    return [dataclasses.replace(BAD.manifest, parent=Digest(bytes([n]) * 32)) for n in range(count)]
