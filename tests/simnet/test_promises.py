"""What counts as saying two things, for every kind of message that there is."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace

import pytest

from protocols.types import Digest
from protocols.wire.messages import (
    PREVOTE,
    TAGS,
    Submission,
    Vote,
)
from simnet import promises
from simnet.promises import contradictions
from tests.protocols.playbook import CELLS, ROUND, VIEW, submit

SLOT = VIEW.slot(ROUND)
PEER = CELLS[0][0]


def vote(view: int, digest: bytes) -> Vote:
    return Vote(SLOT, view, PREVOTE, Digest(digest * 32), None)


def test_two_votes_of_one_phase_contradict_each_other_and_two_of_two_views_do_not() -> None:
    said = [PEER.sign(vote(0, b"a")), PEER.sign(vote(1, b"b")), PEER.sign(vote(0, b"a"))]
    assert contradictions(said) == {}
    said.append(PEER.sign(vote(0, b"c")))
    assert contradictions(said) == {PEER.key: [("vote", ROUND, 0, PREVOTE)]}


def test_a_dealing_in_two_manifests_is_one_seed_used_twice() -> None:
    made = submit(PEER)
    manifest = made.signed.message
    again = PEER.sign(replace(manifest, slot=replace(SLOT, height=ROUND + 1)))  # type: ignore[type-var]
    submissions = [PEER.sign(Submission(SLOT, each.encoded, b"")) for each in (made.signed, again)]
    places = contradictions(submissions)[PEER.key]
    assert {place[0] for place in places} == {"of one seed"}
    assert contradictions(submissions[:1]) == {}


@pytest.mark.parametrize("kind", TAGS.values(), ids=lambda kind: kind.__name__)
def test_every_kind_of_message_is_thought_of(kind: type) -> None:
    cases = [each for node in ast.walk(ast.parse(inspect.getsource(promises.promises))) for each in _classes(node)]
    assert kind.__name__ in cases


def _classes(node: ast.AST) -> list[str]:
    return [node.cls.id] if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name) else []
