from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.agreement.certificate import list_digest
from protocols.rounds.epoch import EpochView
from protocols.types import NO_DIGEST, Verdict
from protocols.updates.gossip import PROOF, SUBNET, epoch_of, judge
from protocols.wire import messages
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    PEERS,
    PUBLIC_KEYS,
    ROUND,
    STRANGER,
    VALIDATOR,
    VIEW,
    Peer,
    a_view,
)
from tests.protocols.wire.test_messages import EVERY, HEADER, SETS, SIGNATURES

NEXT = a_view(epoch=1)
MEMBER, CONTRIBUTOR = COMMITTEE[0], CELLS[0][0]
AGGREGATOR = PEERS[VIEW.aggregators(ROUND, 0, 0)[0]]
IDLE = next(peer for peer in CELLS[0] if peer.key not in VIEW.aggregators(ROUND, 0, 0))
SUM = messages.Aggregate(VIEW.slot(ROUND), 0, list_digest(SETS), (0,), (NO_DIGEST,))
KEY = messages.EpochKey(31337, 1, 0, VIEW.committee_root, 1, PUBLIC_KEYS[1])
CERTIFICATE = messages.ListCertificate(SETS, 0, SIGNATURES)
HEADER_CERTIFICATE = messages.HeaderCertificate(HEADER, SIGNATURES)
HUGE = messages.Aggregate(VIEW.slot(ROUND), 0, NO_DIGEST, (0,), (NO_DIGEST,) * 2000)


def only_this_epoch(epoch: int) -> EpochView | None:
    return VIEW if epoch == 0 else None


def verdict(topic: str, peer: Peer, message: messages.Message) -> Verdict:
    return judge(topic, peer.key, peer.sign(message).encoded, only_this_epoch)[0]


@pytest.mark.parametrize(
    ("expected", "topic", "peer", "message"),
    [
        (Verdict.ACCEPT, SUBNET, MEMBER, KEY),
        (Verdict.ACCEPT, SUBNET, MEMBER, CERTIFICATE),
        (Verdict.ACCEPT, SUBNET, MEMBER, HEADER_CERTIFICATE),
        (Verdict.ACCEPT, PROOF, AGGREGATOR, SUM),
        (Verdict.ACCEPT, PROOF, IDLE, SUM),  # which cells are mixed anew, and so who adds, only the round itself knows
        # not on this topic
        (Verdict.REJECT, PROOF, MEMBER, KEY),
        (Verdict.REJECT, SUBNET, AGGREGATOR, SUM),
        (Verdict.REJECT, PROOF, AGGREGATOR, HUGE),
        # no part in it
        (Verdict.REJECT, SUBNET, CONTRIBUTOR, KEY),
        (Verdict.REJECT, SUBNET, STRANGER, CERTIFICATE),
        (Verdict.REJECT, SUBNET, VALIDATOR, HEADER_CERTIFICATE),
        (Verdict.REJECT, PROOF, MEMBER, SUM),
        (Verdict.REJECT, PROOF, AGGREGATOR, dataclasses.replace(SUM, cell=2)),
        (Verdict.REJECT, PROOF, AGGREGATOR, dataclasses.replace(SUM, slot=VIEW.slot(VIEW.heights[-1] + 1))),
        # an epoch that we do not know
        (Verdict.IGNORE, SUBNET, MEMBER, dataclasses.replace(KEY, epoch=1, committee_root=NEXT.committee_root)),
        (Verdict.IGNORE, PROOF, AGGREGATOR, dataclasses.replace(SUM, slot=NEXT.slot(5))),
        (Verdict.IGNORE, SUBNET, STRANGER, dataclasses.replace(KEY, epoch=2**32 - 1)),
    ],
)
def test_who_may_gossip_what(expected: Verdict, topic: str, peer: Peer, message: messages.Message) -> None:
    assert verdict(topic, peer, message) is expected


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_what_one_peer_owes_another_is_never_gossiped(message: messages.Message) -> None:
    certificates = messages.ListCertificate | messages.HeaderCertificate
    carried = isinstance(message, messages.EpochKey | messages.Status | certificates)
    assert (verdict(SUBNET, MEMBER, message) is Verdict.ACCEPT) == carried
    assert (verdict(PROOF, AGGREGATOR, message) is Verdict.ACCEPT) == isinstance(message, messages.Aggregate)


def test_nobody_publishes_under_anothers_name() -> None:
    encoded = MEMBER.sign(KEY).encoded
    assert judge(SUBNET, COMMITTEE[1].key, encoded, only_this_epoch) == (Verdict.REJECT, None)
    assert judge(SUBNET, MEMBER.key, encoded, only_this_epoch) == (Verdict.ACCEPT, MEMBER.sign(KEY))


@given(st.binary(max_size=200) | st.integers(0, 150).map(lambda at: flipped(MEMBER.sign(KEY).encoded, at)))
def test_junk_is_rejected_and_never_raises(payload: bytes) -> None:
    assert judge(SUBNET, MEMBER.key, payload, only_this_epoch) == (Verdict.REJECT, None)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_the_epoch_of_a_message() -> None:
    assert [epoch_of(message) for message in (KEY, SUM, CERTIFICATE, HEADER_CERTIFICATE)] == [0, 0, 0, 0]
    assert epoch_of(dataclasses.replace(SUM, slot=NEXT.slot(5))) == 1
