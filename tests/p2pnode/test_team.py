"""Who runs which machines."""

from __future__ import annotations

import pytest

from p2pnode.team import RoundContext, aggregation, default_machines
from protocols.effects import Publish
from protocols.rounds.release import ReleaseRule
from protocols.types import NO_DIGEST, PeerKey
from protocols.updates.gossip import PROOF
from protocols.updates.schema import TensorSpec, UpdateSchema
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    EPOCH_KEYS,
    ROUND,
    SCHEMA,
    SCHEME,
    STRANGER,
    VALIDATOR,
    VIEW,
    Peer,
    whole_round,
)

AGGREGATORS = VIEW.aggregators(ROUND, 0, 0)
MEMBER = ["Custody", "CellOpening", "CellOpening", "Conclusion"]


def context(peer: Peer, *, contributes: bool = True, schema: UpdateSchema = SCHEMA) -> RoundContext:
    return RoundContext(
        view=VIEW,
        height=ROUND,
        parent=NO_DIGEST,
        me=peer.key,
        sign=peer.sign,
        scheme=SCHEME,
        schema=schema,
        keys=dict,
        epoch_key=EPOCH_KEYS[1],
        rule=ReleaseRule(3),
        entropy=lambda: bytes(32),
        journal=(),
        contributes=contributes,
    )


def in_cell(aggregates: bool) -> Peer:
    return next(peer for peer in CELLS[0] if (peer.key in AGGREGATORS) is aggregates)


@pytest.mark.parametrize(
    ("peer", "contributes", "machines"),
    [
        (STRANGER, True, []),
        (in_cell(aggregates=False), True, ["Contribution"]),
        (in_cell(aggregates=False), False, []),
        (in_cell(aggregates=True), True, ["Aggregation", "Contribution"]),
        (in_cell(aggregates=True), False, ["Aggregation"]),
        (COMMITTEE[0], True, MEMBER),
        (VALIDATOR, True, ["Audit", "Prosecution"]),
    ],
)
def test_a_place_in_the_epoch_decides_what_runs(peer: Peer, contributes: bool, machines: list[str]) -> None:
    running = [type(machine).__name__ for machine in default_machines(context(peer, contributes=contributes))]
    assert running == ["Agreement", *machines]


@pytest.mark.parametrize(("values", "chunks"), [(1, 1), (16_384, 1), (16_385, 2)])
def test_an_update_takes_as_many_ciphertexts_as_its_lanes_need(values: int, chunks: int) -> None:
    schema = UpdateSchema((TensorSpec("weights", (values,), step=1.0, tau=10.0),))
    assert context(STRANGER, schema=schema).chunks == chunks


def test_a_cells_sum_is_announced_on_the_proof_topic() -> None:
    announced: dict[PeerKey, set[str]] = {}
    for key, actor in whole_round().actors.items():
        announced[key] = {effect.topic for effect in actor.effects if isinstance(effect, Publish)}
    assert all(PROOF in announced[key] for key in AGGREGATORS)
    assert type(aggregation(context(in_cell(aggregates=True)))).__name__ == "Aggregation"
