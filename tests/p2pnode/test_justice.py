"""Proofs on their way to the court, in virtual time: once, patiently, and others may be faster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import trio

from p2pnode.errors import ChainError, NoCourtError
from p2pnode.justice import PATIENCE_S, TURN_S, Justice
from protocols.types import Address, Digest, Height, PeerKey
from protocols.verification.proofs import Contradiction, Proof, ProvenLeaf, Stated, SumProof, SumStatement
from simnet.memory import VirtualClock
from tests.p2pnode.kit import Seen

STATED = SumStatement(1, 0, Height(3), 2, 1, (Digest(bytes(32)),), 1, Digest(bytes(32)))
LEAF = ProvenLeaf(bytes(512), ())
PROOF = SumProof(PeerKey(b"c" * 32), STATED, bytes(64), 0, 0, 0, 0, (LEAF,), LEAF)
ABOUT = {"height": 3, "cell": 2, "culprit": (b"c" * 32).hex()}


class Court:
    """Answers as a test says: what is an error is raised."""

    def __init__(self, prosecute: list[Any], punish: list[Any]) -> None:
        self.answers = {"prosecute": prosecute, "punish": punish}
        self.asked: list[tuple[str, float]] = []

    def _answer(self, name: str) -> Any:
        self.asked.append((name, trio.current_time()))
        found = self.answers[name].pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def prosecute(self, _: Proof) -> Any:
        await trio.lowlevel.checkpoint()
        return self._answer("prosecute")

    async def punish(self, _: Proof) -> Any:
        await trio.lowlevel.checkpoint()
        return self._answer("punish")


ONE = Stated(5, 1, 0, 3, 2, bytes(32))
TWICE = Contradiction(Address(b"o" * 20), ONE, bytes(64), replace(ONE, value=b"v" * 32), bytes(64))


async def told(court: Court, turn: int = 0, proof: Proof = PROOF) -> list[tuple[str, Any]]:
    seen = Seen()
    justice = Justice(court, VirtualClock(), seen, turn)  # type: ignore[arg-type]  # all that it asks of a chain
    await justice.prosecute(proof)
    assert justice.reporting == 0
    return [(name, dict(fields)) for name, fields in seen.events]


async def test_a_proof_is_reported_and_its_sentence_executed_when_it_is_due(autojump_clock: object) -> None:
    court = Court([True], [100.0, None])
    assert await told(court) == [("prosecuted", ABOUT), ("punished", ABOUT)]
    assert court.asked[-1][1] - court.asked[-2][1] >= 100


async def test_a_node_whose_turn_comes_later_finds_it_done(autojump_clock: object) -> None:
    court, began = Court([False], [None]), trio.current_time()
    assert [name for name, _ in await told(court, turn=11)] == ["prosecuted-by-others", "punished"]
    assert court.asked[0][1] - began >= 3 * TURN_S


async def test_a_chain_that_does_not_answer_is_asked_again(autojump_clock: object) -> None:
    court = Court([ChainError("away")] * 5 + [True], [ChainError("away"), None])
    assert [name for name, _ in await told(court)] == ["prosecuted", "punished"]


async def test_a_court_that_refuses_for_long_has_the_last_word(autojump_clock: object) -> None:
    court, began = Court([ChainError("the sum is right")] * 1000, []), trio.current_time()
    assert await told(court) == [("prosecute-failed", {**ABOUT, "reason": "the sum is right"})]
    assert trio.current_time() - began >= PATIENCE_S


async def test_without_a_court_it_is_said_at_once(autojump_clock: object) -> None:
    court = Court([NoCourtError("no court is known")], [])
    assert await told(court) == [("prosecute-failed", {**ABOUT, "reason": "no court is known"})]
    assert len(court.asked) == 1


async def test_a_contradiction_is_brought_as_a_wrong_sum_is(autojump_clock: object) -> None:
    about = {"height": 3, "kind": 5, "place": 2, "culprit": (b"o" * 20).hex()}
    assert await told(Court([True], [None]), proof=TWICE) == [("prosecuted", about), ("punished", about)]
