"""A contributor that signs two manifests for one slot, and shows one to some members and the other to the rest."""

from __future__ import annotations

import pytest

from protocols.agreement.evidence import decode_evidence, evidence_of
from protocols.effects import Conclude, Effect, Effects, Send, Tell
from protocols.errors import RemoteError
from protocols.rounds.manifests import Manifests
from protocols.told import Certified
from protocols.types import NO_DIGEST, PeerKey
from protocols.wire.messages import CellSet, Submission
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    ROUND,
    VIEW,
    Behaviour,
    Playbook,
    Submitted,
    blamed,
    of,
    submit,
    whole_round,
)

TWOFACED = CELLS[0][1]
ONE, OTHER = submit(TWOFACED), submit(TWOFACED, seed=2)


def showing(pick: dict[PeerKey, Submitted]) -> Behaviour:
    """Sends each peer the manifest that is meant for it; nobody gets the honest machine's own."""

    def behaviour(effect: Effect) -> Effects:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Submission):
            return [effect]
        made, index = pick.get(effect.to, ONE), VIEW.member_index(effect.to)
        sealed = made.encrypted.dealt.sealed[index - 1] if index else b""
        return [Send(effect.to, TWOFACED.sign(Submission(VIEW.slot(ROUND), made.signed.encoded, sealed)))]

    return behaviour


def listed(play: Playbook) -> set[tuple[PeerKey, bytes]]:
    """What was certified, by contributor and manifest."""
    told = [effect.event for effect in of(play.effects(), Tell) if isinstance(effect.event, Certified)]
    return {
        (e.contributor, e.manifest) for each in told for cell in each.certificate.sets.cells for e in cell.contributions
    }


def test_counted_by_manifest_one_peer_would_stand_twice_in_a_set_beside_the_victim() -> None:
    """Victim, and the same accomplice twice: three in a list, two in the sum. Whoever counts entries admits it."""
    victim = submit(CELLS[0][0])
    entries = [each.contribution for each in (victim, ONE, OTHER)]
    padded = CellSet(0, tuple(sorted(entries, key=lambda each: (each.contributor, each.manifest))))
    assert len(padded.contributions) >= VIEW.cell_quorum(0), "enough entries"
    assert not VIEW.admits(padded), "but not enough contributors"


@pytest.mark.parametrize("half", [1, 2, 3])
def test_shown_to_some_members_each_the_round_ends_without_it_or_with_one_of_them(half: int) -> None:
    pick = {member.key: ONE if number < half else OTHER for number, member in enumerate(COMMITTEE)}
    play = whole_round({TWOFACED.key: showing(pick)})
    assert of(play.effects(), Conclude), "the round is concluded all the same"
    assert len({manifest for contributor, manifest in listed(play) if contributor == TWOFACED.key}) <= 1
    assert set(blamed(play.effects())) <= {TWOFACED.key}, "nobody else is named"
    others = {peer.key for cell in CELLS for peer in cell} - {TWOFACED.key}
    assert others <= {contributor for contributor, _ in listed(play)}


def test_who_gets_both_names_it_and_anybody_can_verify() -> None:
    manifests = Manifests(VIEW, ROUND, NO_DIGEST, 1)
    first, second = (Submission(VIEW.slot(ROUND), made.signed.encoded, b"") for made in (ONE, OTHER))
    manifests.accept(first, TWOFACED.key)
    with pytest.raises(RemoteError) as refused:
        manifests.accept(second, TWOFACED.key)
    assert refused.value.culprits == {TWOFACED.key}
    evidence = evidence_of(ONE.signed, OTHER.signed)
    assert evidence is not None
    again = decode_evidence(evidence.encode())
    assert (again.culprit, again.reason) == (TWOFACED.key, evidence.reason)
