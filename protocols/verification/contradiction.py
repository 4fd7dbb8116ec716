"""Two statements by one operator for one slot: all that a court needs (contracts/src/interfaces/ICourt.sol).

Evidence by the peer's key (protocols/agreement/evidence.py) excludes; this, by the operator's, costs stake. Which slots
there are is protocols/README.md, section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field
from typing import Final

from protocols.effects import Effects, Journal, Observe, Prosecute
from protocols.errors import LocalError
from protocols.types import Address, Height, PeerKey
from protocols.verification.proofs import KIND as OFFENCE
from protocols.verification.proofs import PROOF_MAX_BYTES, Contradiction, Proof, Stated, SumProof
from protocols.wire.codec import decode, encode
from protocols.wire.messages import Aggregate

KIND: Final = "contradiction"
"""Of the journal's records: a contradiction that is to be brought to the court, once."""
CONTRADICTION_MAX_BYTES: Final = 1024


def contradiction(operator: Address, first: tuple[Stated, bytes], second: tuple[Stated, bytes]) -> Contradiction | None:
    """What two signed statements of an operator prove, in whatever order they came; None if they go together."""
    (one, _), (other, _) = first, second
    if one.slot != other.slot or (one.epoch, one.value) == (other.epoch, other.value):
        return None
    (one, signed), (other, also) = sorted((first, second), key=lambda each: (astuple(each[0]), each[1]))
    return Contradiction(operator, one, signed, other, also)


def accuse(found: Contradiction) -> Effects:
    """Journalled first: what was found is brought to the court, whatever happens to this node."""
    stated = found.first
    about = {"height": stated.height, "kind": stated.kind, "place": stated.place, "culprit": found.operator.hex()}
    return [
        Journal(KIND, Height(stated.height), found.operator, encode(found)),
        Observe("contradiction", about),
        Prosecute(found),
    ]


@dataclass
class Announcements:
    """What each aggregator of a cell announced: the first, and the first that carries another statement."""

    _said: dict[tuple[int, PeerKey], list[Aggregate]] = field(default_factory=dict)
    _proven: set[tuple[int, PeerKey]] = field(default_factory=set)

    def note(self, sender: PeerKey, aggregate: Aggregate) -> None:
        """Of others no more than two are kept: two prove what ten would."""
        said = self._said.setdefault((aggregate.cell, sender), [])
        if len(said) < 2 and all(each.statement != aggregate.statement for each in said):
            said.append(aggregate)

    def doubled(self, cell: int, sender: PeerKey) -> tuple[Aggregate, Aggregate] | None:
        """Two that may contradict each other, and were not proven yet."""
        said = self._said.get((cell, sender), [])
        if len(said) < 2 or (cell, sender) in self._proven:
            return None
        return said[0], said[1]

    def prove(self, cell: int, sender: PeerKey) -> None:
        """They were proven; raises `LocalError` if there are none."""
        if self.doubled(cell, sender) is None:
            raise LocalError(f"cell {cell}: nothing of this aggregator contradicts itself")
        self._proven.add((cell, sender))


def proofs_in(records: Iterable[Journal]) -> Iterator[Proof]:
    """What a journal says is to be brought to the court; raises `MalformedError`."""
    for record in records:
        if record.kind == OFFENCE:
            yield decode(record.payload, SumProof, PROOF_MAX_BYTES)
        elif record.kind == KIND:
            yield decode(record.payload, Contradiction, CONTRADICTION_MAX_BYTES)
