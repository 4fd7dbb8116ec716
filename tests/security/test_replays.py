"""What was signed for one place, shown in another: the next round, another epoch, subnet or chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from protocols.agreement.certificate import check_header, check_list, check_prevotes, list_digest, signatures
from protocols.encryption.sealing import DealingKey, EpochKeyPair, find_opening, seal, unseal
from protocols.errors import MalformedError, RemoteError
from protocols.rounds.dealing import check_dealing, open_share
from protocols.rounds.epoch import EpochView
from protocols.rounds.manifests import open_manifest
from protocols.types import NO_DIGEST, Height, Secret
from protocols.wire.envelope import Signed, body_of, verify
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellResult,
    Header,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    MemberSignature,
    Message,
    PrevoteCertificate,
    SetList,
    Submission,
    Vote,
    slot_of,
)
from tests.p2pnode.test_inbound import scene
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    PARAMS,
    ROUND,
    VIEW,
    set_of,
    submit,
    whole_round,
)

T = PARAMS.threshold
LATER = replace(VIEW, epoch=VIEW.epoch + 1)
ELSEWHERE: dict[str, tuple[EpochView, Height]] = {
    "the next round": (VIEW, Height(ROUND + 1)),
    "another epoch": (LATER, Height(LATER.heights[0])),
    "another subnet": (replace(VIEW, subnet=VIEW.subnet + 1), ROUND),
    "another chain": (replace(VIEW, chain_id=VIEW.chain_id + 1), ROUND),
    "another committee": (replace(VIEW, committee=VIEW.committee[::-1]), ROUND),
}
"""The same people everywhere, with the same keys: nothing but the place tells the difference."""
places = pytest.mark.parametrize(("view", "height"), ELSEWHERE.values(), ids=ELSEWHERE)

SETS = SetList(VIEW.slot(ROUND), (set_of(0, [submit(peer) for peer in CELLS[0]]),))
CELLS_DONE = (CellResult(0, 3, NO_DIGEST, NO_DIGEST),)
HEADER = Header(
    VIEW.slot(ROUND), NO_DIGEST, NO_DIGEST, NO_DIGEST, NO_DIGEST, (CellResult(0, 3, NO_DIGEST, NO_DIGEST),), None
)


def signed_by_t(message: Message) -> tuple[MemberSignature, ...]:
    return signatures({member: COMMITTEE[member - 1].sign(message) for member in range(1, T + 1)}, T)


LIST = ListCertificate(SETS, 0, signed_by_t(Vote(SETS.slot, 0, PRECOMMIT, list_digest(SETS), None)))
PREVOTES = PrevoteCertificate(0, None, signed_by_t(Vote(SETS.slot, 0, PREVOTE, list_digest(SETS), None)))
CHECKPOINT = HeaderCertificate(HEADER, signed_by_t(HeaderVote(HEADER)))


def test_where_they_belong_they_are_good() -> None:
    check_list(LIST, VIEW)
    check_prevotes(PREVOTES, SETS, VIEW)
    check_header(CHECKPOINT, VIEW)


# ------------------------------------------------------------------------------------------------- certificates


def careless_check(certificate: ListCertificate, view: EpochView) -> bool:
    """t members of the committee have signed this list. It does not ask for where."""
    body = body_of(Vote(certificate.sets.slot, certificate.view, PRECOMMIT, list_digest(certificate.sets), None))
    good = [each for each in certificate.votes if verify(body, view.committee[each.member - 1], each.signature)]
    return len(good) >= view.params.threshold


def test_who_asks_only_for_signatures_takes_a_certificate_of_another_place() -> None:
    same_people = [view for view, _ in ELSEWHERE.values() if view.committee == VIEW.committee]
    assert len(same_people) == 4
    assert all(careless_check(LIST, view) for view in same_people)


def moved(view: EpochView, height: Height) -> list[tuple[Callable[[], None], str]]:
    """Each certificate as it was signed, and with its place changed to where it is shown."""
    slot = view.slot(height)
    sets, header = replace(SETS, slot=slot), replace(HEADER, slot=slot)
    return [
        (lambda: check_list(LIST, view), "as signed"),
        (lambda: check_list(replace(LIST, sets=sets), view), "moved"),
        (lambda: check_prevotes(PREVOTES, SETS, view), "as signed"),
        (lambda: check_prevotes(PREVOTES, sets, view), "moved"),
        (lambda: check_header(CHECKPOINT, view), "as signed"),
        (lambda: check_header(replace(CHECKPOINT, header=header), view), "moved"),
    ]


@places
def test_with_us_no_certificate_holds_anywhere_else(view: EpochView, height: Height) -> None:
    for check, how in moved(view, height):
        if how == "as signed" and view is VIEW:
            continue  # the same epoch: it is what it says it is, of its own round, and opens nothing in another
        with pytest.raises(RemoteError):
            check()


# ------------------------------------------------------------------------------------------------------ dealings

VICTIM = submit(CELLS[0][0])


def test_a_share_that_is_sealed_to_a_key_alone_opens_wherever_it_is_shown() -> None:
    dealer, member = DealingKey(Secret(b"d" * 32)), EpochKeyPair.generate(Secret(b"m" * 32))
    sealed = seal(dealer, member.public, b"a share", b"")
    for _ in ELSEWHERE:
        assert unseal(find_opening(member, dealer.public, sealed, b""), sealed, b"") == b"a share"


@places
def test_with_us_neither_dealing_nor_share_opens_anywhere_else(view: EpochView, height: Height) -> None:
    there = replace(VICTIM.manifest, slot=view.slot(height))
    signer = VICTIM.signed.signer
    with pytest.raises(MalformedError):
        check_dealing(view, there, signer)
    for member, key in EPOCH_KEYS.items():
        with pytest.raises(MalformedError):
            open_share(view, there, signer, member, key, VICTIM.encrypted.dealt.sealed[member - 1])
    with pytest.raises(RemoteError):
        open_manifest(VICTIM.signed.encoded, view, height, 1)


# ------------------------------------------------------------------------------------------------- every message


def spoken() -> dict[str, Signed]:
    """One message of every kind that is sent in an honest round."""
    found: dict[str, Signed] = {}
    for effect in whole_round().effects():
        signed = getattr(effect, "signed", None)
        if isinstance(signed, Signed):
            found.setdefault(type(signed.message).__name__, signed)
    return found


SPOKEN = spoken()


@pytest.mark.parametrize("kind", sorted(SPOKEN))
async def test_no_message_of_another_place_reaches_a_machine(autojump_clock: object, kind: str) -> None:
    """Heard where it belongs it is delivered, so that it is the place that counts."""
    signed = SPOKEN[kind]
    assert slot_of(signed.message) == VIEW.slot(ROUND)
    async with scene() as at:
        at.begin(ROUND)
        await at.hear(signed.encoded)
        assert signed.message in [message for _, message in at.driver.posted]
    for view, _ in ELSEWHERE.values():
        if view is VIEW:
            continue  # the next round of the same epoch: it goes to its own round's machines
        async with scene() as at:
            at.views.clear()
            at.views[view.epoch] = view
            at.inbound._params = view.params
            at.begin(ROUND)
            await at.hear(signed.encoded)
            assert [message for number, message in at.driver.posted if number >= 0] == []
            assert {each["kind"] for each in at.seen.named("refused")} <= {"slot"}


def test_every_kind_with_a_slot_is_among_them() -> None:
    missing = {"Proposal", "Vote", "Release", "HeaderVote", "Aggregate", "Availability", "Receipt", Submission.__name__}
    assert missing <= set(SPOKEN)
