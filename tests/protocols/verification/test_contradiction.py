"""What contradicts itself, what does not, and how a validator comes by both statements."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.effects import Journal, Observe, Prosecute
from protocols.errors import LocalError, MalformedError
from protocols.types import Address, Digest, Height
from protocols.verification.contradiction import (
    CONTRADICTION_MAX_BYTES,
    KIND,
    Announcements,
    accuse,
    contradiction,
    proofs_in,
)
from protocols.verification.proofs import Contradiction, Stated
from protocols.wire.codec import decode
from protocols.wire.messages import Aggregate
from tests.protocols.playbook import CONTRIBUTORS, ROUND, VIEW

OPERATOR = Address(b"o" * 20)
ONE = Stated(5, 1, 0, 3, 2, b"v" * 32)
OTHER = replace(ONE, value=b"w" * 32)
SIGNED, ALSO = b"s" * 64, b"t" * 64


def test_two_values_or_epochs_for_one_slot_contradict_each_other_in_whatever_order() -> None:
    for other in (OTHER, replace(ONE, epoch=1)):
        found = contradiction(OPERATOR, (ONE, SIGNED), (other, ALSO))
        assert found is not None
        assert found == contradiction(OPERATOR, (other, ALSO), (ONE, SIGNED))
        assert {found.first, found.second} == {ONE, other}
        assert (found.first_signature == SIGNED) == (found.first == ONE), "each goes with its signature"


@pytest.mark.parametrize("field", ["kind", "subnet", "height", "place"])
def test_statements_for_two_slots_go_together_and_so_does_one_twice(field: str) -> None:
    elsewhere = replace(OTHER, **{field: 9})
    assert contradiction(OPERATOR, (ONE, SIGNED), (elsewhere, ALSO)) is None
    assert contradiction(OPERATOR, (ONE, SIGNED), (ONE, ALSO)) is None


def test_an_accusation_is_journalled_first_and_found_in_the_journal_again() -> None:
    found = contradiction(OPERATOR, (ONE, SIGNED), (OTHER, ALSO))
    assert found is not None
    kept, told, brought = accuse(found)
    assert isinstance(kept, Journal)
    assert (kept.kind, kept.height, kept.slot) == (KIND, 3, OPERATOR)
    assert decode(kept.payload, Contradiction, CONTRADICTION_MAX_BYTES) == found
    assert told == Observe("contradiction", {"height": 3, "kind": 5, "place": 2, "culprit": OPERATOR.hex()})
    assert brought == Prosecute(found)
    assert list(proofs_in([Journal("vote", Height(1), b"", b"x"), kept])) == [found]
    with pytest.raises(MalformedError):
        list(proofs_in([Journal(KIND, Height(1), b"", kept.payload[:-1])]))


def test_of_many_announcements_two_are_kept_that_say_different_things() -> None:
    said, sender = Announcements(), CONTRIBUTORS[0].key
    made = Aggregate(VIEW.slot(ROUND), 0, Digest(bytes(32)), (0,), (Digest(bytes(32)),), b"a" * 64)
    with pytest.raises(LocalError, match="nothing of this aggregator contradicts itself"):
        said.prove(0, sender)
    for statement in (b"a", b"a", b"b", b"c"):
        said.note(sender, replace(made, statement=statement * 64))
    found = said.doubled(0, sender)
    assert found is not None
    assert [each.statement[:1] for each in found] == [b"a", b"b"]
    assert said.doubled(1, sender) is None
    assert said.doubled(0, CONTRIBUTORS[1].key) is None
    said.prove(0, sender)
    assert said.doubled(0, sender) is None, "once is enough"
