from typing import Any

from protocols.events import Started
from protocols.rounds.custody import Custody
from protocols.told import CellOpened
from protocols.types import NO_DIGEST
from protocols.wire.messages import CellResult, Dispute, Vote
from simnet.overseen import Answer, Overseen
from tests.protocols.playbook import CELLS, COMMITTEE, ROUND, round_of, submit

ME = COMMITTEE[0]


def custody() -> Any:
    return next(each for each in round_of(ME).machines if isinstance(each, Custody))


def test_an_overseen_machine_answers_as_it_does_alone_and_what_it_had_a_use_for_is_noted() -> None:
    noted: list[Answer] = []
    overseen, plain = Overseen(custody(), "me", ME.key, ROUND, noted.append), custody()
    made = submit(CELLS[0][0])
    ignored = CellOpened(CellResult(0, 0, NO_DIGEST, NO_DIGEST), None)
    for event in (Started(), made.to(1), ignored):
        assert overseen.handle(event, 0.0) == plain.handle(event, 0.0)
    assert [type(each.event) for each in noted] == [Started, type(made.to(1))]
    assert [(each.machine, each.state, each.blamed) for each in noted][1] == ("Custody", "COLLECTING", ())
    assert overseen.accepts(Dispute)
    assert not overseen.accepts(Vote)
