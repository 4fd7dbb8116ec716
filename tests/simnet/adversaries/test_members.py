"""Each kind does what its name says; what it leads to is for the trials to show."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocols.agreement.certificate import list_digest
from protocols.agreement.evidence import evidence_of
from protocols.agreement.machine import Agreement
from protocols.effects import Effects, Send
from protocols.encryption.packing import pack_share, unpack_share
from protocols.events import Received
from protocols.rounds.custody import Custody
from protocols.rounds.dispute import judge
from protocols.told import Ready
from protocols.types import NO_DIGEST, Secret
from protocols.wire.messages import (
    PREVOTE,
    CellResult,
    Header,
    HeaderCertificate,
    HeaderVote,
    ListCertificate,
    Message,
    Proposal,
    Release,
    SetList,
    Status,
    Vote,
)
from simnet.adversaries import members
from simnet.adversaries.stage import Strategy
from tests.protocols.playbook import CELLS, COMMITTEE, ROUND, SCHEME, VIEW, round_of, sent, set_of, submit
from tests.simnet.adversaries.stand import a_scene

ME = COMMITTEE[0]
MADE = [submit(peer) for peer in CELLS[0]]
SETS = SetList(VIEW.slot(ROUND), (set_of(0, MADE),))
SLOT = VIEW.slot(ROUND)
SHARE = pack_share(SCHEME.deal(Secret(bytes(32)), 3, 4)[0])
MACHINES = {type(each): each for each in round_of(ME).machines}


def strategy(kind: type[Strategy], seed: int = 0) -> Any:
    made = kind(a_scene(seed=seed))
    made.victims = frozenset(VIEW.committee[1:])
    return made


def told(kind: type[Strategy], message: Message, seeds: int = 8) -> list[Effects]:
    """What goes to member 2 in place of one message, for some seeds."""
    effect = Send(VIEW.committee[1], ME.sign(message))
    return [list(strategy(kind, seed).change(effect)) for seed in range(seeds)]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (members.EquivocalProposals, Proposal(0, SETS, None)),
        (members.DoubleVotes, Vote(SLOT, 0, PREVOTE, list_digest(SETS), None)),
        (
            members.FalseHeaders,
            HeaderVote(
                Header(
                    SLOT, NO_DIGEST, NO_DIGEST, NO_DIGEST, NO_DIGEST, (CellResult(0, 4, NO_DIGEST, NO_DIGEST),), None
                )
            ),
        ),
        (members.SecondRelease, Release(SLOT, 0, NO_DIGEST, SHARE)),
    ],
)
def test_those_who_say_two_things_can_be_proven_to(kind: type[Strategy], message: Message) -> None:
    for effects in told(kind, message):
        lies = [each.signed for each in effects if isinstance(each, Send) and each.signed.message != message]
        assert all(evidence_of(ME.sign(message), lie) is not None for lie in lies)
        assert effects
    assert any(len(effects) == 2 for effects in told(kind, message))


def test_nil_voters_and_who_releases_nothing() -> None:
    (effects, *_) = told(members.NilVotes, Vote(SLOT, 0, PREVOTE, list_digest(SETS), None))
    assert [vote.sets for vote in sent(effects, Vote)] == [None]
    assert told(members.NoRelease, Release(SLOT, 0, NO_DIGEST, SHARE), 1) == [[]]


def test_wrong_shares_are_wrong() -> None:
    for effects in told(members.WrongShares, Release(SLOT, 0, NO_DIGEST, SHARE)):
        assert [release.share != SHARE for release in sent(effects, Release)] == [True]


def test_adaptive_shares_wait_for_those_of_others() -> None:
    made = strategy(members.AdaptiveShares)
    agreement, release = MACHINES[Agreement], Release(SLOT, 0, NO_DIGEST, SHARE)
    own = Send(VIEW.committee[1], ME.sign(release))
    assert made.does(agreement, Received(ME.sign(release)), [own], 0.0) == []
    others = [np.full(4096, number, np.uint32) for number in (1, 2)]
    answers = [
        made.does(agreement, Received(peer.sign(replace(release, share=pack_share(share)))), [], 0.0)
        for peer, share in zip(COMMITTEE[1:], others, strict=False)
    ]
    assert answers[0] == []
    (lie,) = sent(answers[1], Release)
    assert (unpack_share(lie.share) != unpack_share(SHARE)).any()


def test_who_votes_for_all_proposes_out_of_turn_and_lacks_everything() -> None:
    agreement, held = MACHINES[Agreement], {0: frozenset(each.contribution for each in MADE)}
    proposed = Received(COMMITTEE[1].sign(Proposal(3, SETS, None)))
    votes = sent(strategy(members.VotesForAll).does(agreement, proposed, [], 0.0), Vote)
    assert {vote.phase for vote in votes} == {1, 2}
    ready = Ready(held, final=True)
    assert {each.view for each in sent(strategy(members.OutOfTurn).does(agreement, ready, [], 0.0), Proposal)} == {
        0,
        1,
        2,
    }
    lies = [sent(strategy(members.LackingLies, seed).does(agreement, ready, [], 0.0), Status) for seed in range(9)]
    assert any(status.missing for each in lies for status in each)


def test_forged_certificates_are_published() -> None:
    agreement, proposed = MACHINES[Agreement], Received(COMMITTEE[1].sign(Proposal(0, SETS, None)))
    made = [strategy(members.ForgedCertificates, seed).does(agreement, proposed, [], 0.0) for seed in range(20)]
    assert any(sent(effects, ListCertificate | HeaderCertificate) for effects in made)  # type: ignore[arg-type]


def test_a_lying_dispute_names_its_own_signer() -> None:
    for seed in range(9):
        effects = strategy(members.LyingDisputes, seed).does(MACHINES[Custody], MADE[0].to(1), [], 0.0)
        for effect in effects:
            assert judge(VIEW, ROUND, 1, effect.signed).culprit == ME.key


def test_who_is_blind_to_some_is_told_nothing_of_them() -> None:
    made = strategy(members.BlindToSome)
    heard = [made.hears(MACHINES[Custody], each.to(1)) for each in (*MADE, *map(submit, CELLS[1]))]
    assert heard.count(None) == 2
