from __future__ import annotations

import trio
from trio.testing import MockClock

from p2pnode.epoch_watch import POLL_MAX_S, EpochWatch
from p2pnode.errors import ChainError
from protocols.errors import LocalError
from protocols.rounds.epoch import EpochView
from simnet.memory import VirtualClock
from tests.p2pnode.kit import Seen
from tests.protocols.playbook import a_view

Answer = EpochView | Exception | None


class Epochs:
    """Answers for each epoch in turn; the last answer stays."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers = {int(name[1:]): answer for name, answer in answers.items()}
        self.asked: list[tuple[int, float]] = []

    async def view(self, epoch: int) -> EpochView | None:
        self.asked.append((epoch, trio.current_time()))
        await trio.lowlevel.checkpoint()
        script = self.answers[epoch]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def watched(epochs: Epochs, *wanted: int, seconds: float = 60) -> tuple[list[int], Seen]:
    known: list[int] = []
    seen = Seen()
    watch = EpochWatch(epochs, VirtualClock(), seen, lambda view: known.append(view.epoch))  # type: ignore[arg-type]
    for epoch in wanted:
        watch.want(epoch)
    with trio.move_on_after(seconds):
        await watch.run()
    return known, seen


async def test_a_settled_epoch_is_told_once(autojump_clock: MockClock) -> None:
    epochs = Epochs(e0=[None, None, a_view(epoch=0)], e1=[None])
    known, seen = await watched(epochs, 0, 1)
    assert known == [0]
    assert [each for each, _ in epochs.asked].count(0) == 3
    assert seen.events == []


async def test_a_chain_that_fails_is_asked_less_often_and_reported_once(autojump_clock: MockClock) -> None:
    dead = ChainError("no chain answers at http://127.0.0.1:1")
    epochs = Epochs(e0=[dead])
    known, seen = await watched(epochs, 0)
    assert seen.events == [("chain-failed", {"epoch": 0, "reason": str(dead)})]
    assert epochs.asked[-1][1] - epochs.asked[-2][1] == POLL_MAX_S
    assert known == []


async def test_a_chain_that_comes_back_is_used_again(autojump_clock: MockClock) -> None:
    dead = ChainError("dead")
    epochs = Epochs(e0=[dead] * 5 + [None, dead, a_view(epoch=0)])
    known, seen = await watched(epochs, 0)
    assert known == [0]
    assert seen.names == ["chain-failed", "chain-failed"]


async def test_an_epoch_that_cannot_be_drawn_leaves_the_others(autojump_clock: MockClock) -> None:
    epochs = Epochs(e0=[LocalError("3 operators for a committee of 7")], e1=[a_view(epoch=1)])
    known, seen = await watched(epochs, 0, 1)
    assert known == [1]
    assert seen.events == [("epoch-failed", {"epoch": 0, "reason": "3 operators for a committee of 7"})]
