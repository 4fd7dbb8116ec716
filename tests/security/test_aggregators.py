"""Aggregators that vouch for nothing, refuse a victim or fall silent: one of a stripe's two may, nothing changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.effects import Attest, Conclude, Effect, Effects, Publish, Send, Store
from protocols.rounds.availability import Vouchers
from protocols.rounds.opening import CellOpening
from protocols.types import Digest, PeerKey
from protocols.wire.envelope import open_envelope
from protocols.wire.messages import Availability, ListCertificate, Submission
from tests.protocols.playbook import (
    CELLS,
    CONTRIBUTORS,
    MEMBERS,
    PEERS,
    ROUND,
    VALIDATOR,
    VIEW,
    Behaviour,
    Peer,
    Playbook,
    blamed,
    of,
    sent,
    whole_round,
)

ONE, TWO = (PEERS[key] for key in VIEW.aggregators(ROUND, 0, 0))
VICTIM, OTHER = (peer for peer in CELLS[0] if peer not in (ONE, TWO))


def certified(play: Playbook) -> set[PeerKey]:
    """Whose updates were certified."""
    lists = {each.sets for each in sent(play.effects(), ListCertificate)}
    return {each.contributor for sets in lists for cell in sets.cells for each in cell.contributions}


def concluded(play: Playbook) -> bool:
    return all(of(play.actors[peer.key].effects, Conclude) for peer in MEMBERS)


class Accomplices:
    """A contributor that serves nobody, and an aggregator that vouches for it all the same."""

    def __init__(self) -> None:
        self.manifest: Digest | None = None

    def contributor(self, effect: Effect) -> Effects:
        for submission in sent([effect], Submission):
            self.manifest = open_envelope(submission.manifest).digest
        return [] if isinstance(effect, Store) else [effect]

    def aggregator(self, effect: Effect) -> Effects:
        if not isinstance(effect, Send) or not isinstance(effect.signed.message, Availability):
            return [effect]
        said = effect.signed.message
        assert self.manifest is not None
        manifests = tuple(sorted({*said.manifests, self.manifest}))
        return [Send(effect.to, ONE.sign(Availability(said.slot, said.cell, manifests)))]

    def play(self) -> Playbook:
        return whole_round({VICTIM.key: self.contributor, ONE.key: self.aggregator})


def test_where_one_word_is_enough_an_aggregator_and_its_accomplice_close_the_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def believing(self: Vouchers, manifest: Digest) -> tuple[int, ...]:
        return () if manifest in self.named() else (0,)

    monkeypatch.setattr(Vouchers, "lacking", believing)
    play = Accomplices().play()
    assert VICTIM.key in certified(play)
    assert not any(of(actor.effects, Conclude) for actor in play.actors.values())


def test_with_us_who_serves_nobody_is_left_out_and_the_others_go_on() -> None:
    play = Accomplices().play()
    assert certified(play) == {peer.key for peer in CONTRIBUTORS} - {VICTIM.key}
    assert concluded(play)
    assert of(play.actors[VALIDATOR.key].effects, Attest)


def refusing(aggregator: Peer) -> Behaviour:
    """An aggregator that passes over the victim: no receipt, no word of it."""

    def behaviour(effect: Effect) -> Effects:
        if not isinstance(effect, Send):
            return [effect]
        said = effect.signed.message
        if isinstance(said, Availability):
            others = tuple(each for each in said.manifests if each != VICTIMS.get("manifest"))
            return [Send(effect.to, aggregator.sign(Availability(said.slot, said.cell, others)))]
        return [] if effect.to == VICTIM.key else [effect]

    return behaviour


VICTIMS: dict[str, Digest] = {}


def noted(effect: Effect) -> Effects:
    for submission in sent([effect], Submission):
        VICTIMS["manifest"] = open_envelope(submission.manifest).digest
    return [effect]


BOTH: dict[PeerKey, Behaviour] = {ONE.key: refusing(ONE), TWO.key: refusing(TWO), VICTIM.key: noted}


def test_members_that_never_look_themselves_leave_out_whom_both_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CellOpening, "out_of_trust", lambda *_: [])
    assert VICTIM.key not in certified(whole_round(BOTH))


def test_with_us_whom_both_aggregators_refuse_counts_all_the_same() -> None:
    play = whole_round(BOTH)
    assert certified(play) == {peer.key for peer in CONTRIBUTORS}
    assert concluded(play)
    assert blamed(play.effects()) == {}


# -------------------------------------------------------------------------------------- selective silence, every step


def kinds_of(play: Playbook) -> dict[str, PeerKey]:
    """Every kind of message of an honest round, and who sent it first."""
    found: dict[str, PeerKey] = {}
    for key, actor in play.actors.items():
        for effect in actor.effects:
            if isinstance(effect, Send | Publish):
                found.setdefault(type(effect.signed.message).__name__, key)
    return found


STEPS = kinds_of(whole_round())


def silent(kind: str, half: bool) -> Callable[[Effect], Effects]:
    """Says nothing of this kind, to nobody or only to every second peer."""

    def behaviour(effect: Effect) -> Effects:
        says = isinstance(effect, Send | Publish) and type(effect.signed.message).__name__ == kind
        spared = half and isinstance(effect, Send) and effect.to[0] % 2 == 0
        return [effect] if not says or spared else []

    return behaviour


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", sorted(STEPS))
def test_a_round_stands_one_that_is_silent_at_one_step(kind: str, half: bool) -> None:
    play = whole_round({STEPS[kind]: silent(kind, half)})
    assert sum(bool(of(play.actors[peer.key].effects, Conclude)) for peer in MEMBERS) >= VIEW.params.threshold
    assert blamed(play.effects()) == {}, "silence is no lie"
    expected = {peer.key for peer in CONTRIBUTORS}
    assert certified(play) >= expected - {STEPS[kind]}
