"""Members that lie about a share which they received: believed, they would have any honest dealer left out."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.effects import Effect, Effects, Send
from protocols.encryption.sealing import find_opening
from protocols.errors import RemoteError
from protocols.rounds import dispute
from protocols.rounds.dealing import share_context
from protocols.rounds.dispute import judge
from protocols.rounds.manifests import open_manifest
from protocols.wire.envelope import Signed
from protocols.wire.messages import Dispute, Manifest, Receipt, Submission
from tests.protocols.playbook import (
    CELLS,
    EPOCH_KEYS,
    PEERS,
    ROUND,
    VIEW,
    Behaviour,
    Peer,
    Playbook,
    blamed,
    of,
    sent,
    whole_round,
)
from tests.security.test_bad_dealings import total_without, totals
from tests.security.workshop import starve, submitting

LIAR = PEERS[VIEW.committee[0]]
VICTIM = CELLS[0][0]


def accusing(open_truly: bool, by: Peer = LIAR) -> Behaviour:
    """Where it should receipt the victim's share it says that the share is wrong."""

    def behaviour(effect: Effect) -> Effects:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Receipt) or effect.to != VICTIM.key:
            return [effect]
        submission = submission_of_victim()
        said = Dispute(VIEW.slot(ROUND), submission.manifest, submission.sealed, opening(submission, open_truly))
        return [Send(member, by.sign(said)) for member in VIEW.committee]

    return behaviour


def submission_of_victim() -> Submission:
    sends = of(HONEST.actors[VICTIM.key].effects, Send)
    (submission,) = sent([send for send in sends if send.to == LIAR.key], Submission)
    return submission


def opening(submission: Submission, truly: bool) -> bytes:
    signed = open_manifest(submission, VIEW, ROUND, 1)
    assert isinstance(signed.message, Manifest)
    assert signed.message.dealing is not None
    if not truly:
        return bytes(32)
    context = share_context(VIEW, signed.message, VICTIM.key, 1)
    return find_opening(EPOCH_KEYS[1], signed.message.dealing.public, submission.sealed, context)


HONEST: Playbook = whole_round()
SUBMISSIONS = sent(HONEST.effects(), Submission)
HONEST_SEALED = sorted({each.sealed for each in SUBMISSIONS} - {b""})
HONEST_MANIFESTS = sorted({each.manifest for each in SUBMISSIONS})


@pytest.mark.parametrize("truly", [True, False], ids=["its right share", "junk"])
def test_believed_a_liar_has_an_honest_dealer_left_out(truly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def believe(view: object, height: object, chunks: object, signed: Signed) -> dispute.Verdict:
        message = signed.message
        assert isinstance(message, Dispute)
        manifest = open_manifest(message.manifest, VIEW, ROUND, 1)
        return dispute.Verdict(manifest.signer, manifest.digest, "says a member")

    monkeypatch.setattr(dispute, "judge", believe)
    play = whole_round({LIAR.key: accusing(truly)})
    assert VICTIM.key in blamed(play.effects())
    assert totals(play) == {total_without(VICTIM)}


@pytest.mark.parametrize("truly", [True, False], ids=["its right share", "junk"])
def test_everybody_sees_who_lies_and_the_dealer_stays(truly: bool) -> None:
    play = whole_round({LIAR.key: accusing(truly)})
    assert set(blamed(play.effects())) == {LIAR.key}
    for member in VIEW.committee[1:]:
        assert set(blamed(play.actors[member].effects)) == {LIAR.key}
    assert totals(play) == {total_without()}


def test_a_member_that_says_nothing_of_a_wrong_share_does_no_harm() -> None:
    """Nor one that claims to have got junk: it is as if it had got nothing, and t others have checked theirs."""

    def quiet(effect: Effect) -> Effects:
        return [] if isinstance(effect, Send) and isinstance(effect.signed.message, Dispute) else [effect]

    play = whole_round({LIAR.key: quiet, VICTIM.key: submitting(starve(VICTIM, 1))})
    assert set(blamed(play.effects())) <= {VICTIM.key}, "by the member itself, who tells nobody"
    assert totals(play) == {total_without()}


def test_a_lie_and_its_opposite_are_told_apart_by_anybody() -> None:
    """The verdict takes nothing but the epoch's view and the dispute: no key, no memory, no trust."""
    bad = starve(VICTIM, 1)
    right, wrong = (
        submission_of_victim(),
        Submission(VIEW.slot(ROUND), bad.signed.encoded, bad.encrypted.dealt.sealed[0]),
    )
    culprits = []
    for submission in (right, wrong):
        said = Dispute(VIEW.slot(ROUND), submission.manifest, submission.sealed, opening(submission, truly=True))
        culprits.append(judge(VIEW, ROUND, 1, LIAR.sign(said)).culprit)
    assert culprits == [LIAR.key, VICTIM.key]


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "opening": st.binary(min_size=32, max_size=32),
            "sealed": st.one_of(st.binary(min_size=1, max_size=64), st.sampled_from(HONEST_SEALED)),
            "manifest": st.one_of(st.binary(min_size=1, max_size=64), st.sampled_from(HONEST_MANIFESTS)),
        },
    ),
    number=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_no_dispute_whatever_it_says_names_an_honest_dealer(changes: dict[str, bytes], number: int) -> None:
    accuser = PEERS[VIEW.committee[number - 1]]
    true = submission_of_victim()
    said = Dispute(VIEW.slot(ROUND), true.manifest, true.sealed, opening(true, truly=True))
    try:
        culprits = {judge(VIEW, ROUND, 1, accuser.sign(dataclasses.replace(said, **changes))).culprit}
    except RemoteError as error:
        culprits = set(error.culprits)
    assert culprits == {accuser.key}
