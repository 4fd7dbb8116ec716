"""From an accusation to the proof: what is fetched, from whom, and what happens if nobody serves it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from protocols.effects import Effects, Fetch, Job, Journal, Prosecute, SetTimer
from protocols.encryption.ring import PRIMES
from protocols.events import Event, Fetched, FetchFailed, TimerFired
from protocols.types import Digest
from protocols.verification.proofs import KIND, PROOF_MAX_BYTES, SumProof, WrongSum, proof_holds
from protocols.verification.prosecution import RETRY_S, TRIES_MAX, Prosecution
from protocols.wire.codec import decode
from tests.protocols.playbook import ROUND, SCHEME, VIEW, observed, of, run_job
from tests.protocols.verification.test_proofs import LIAR, accused, off_by_one

WRONG, PACKED = accused(off_by_one(0, 130))


class Desk:
    """A machine whose fetches find what is served, each digest's first holder included."""

    def __init__(self, served: Mapping[Digest, bytes]) -> None:
        self.machine, self.served, self.effects, self.now = Prosecution(VIEW, ROUND, SCHEME), served, Effects(), 0.0

    def handle(self, first: Event) -> Desk:
        todo: list[Event] = [first]
        while todo:
            for effect in self.machine.handle(todo.pop(0), self.now):
                self.effects.append(effect)
                if isinstance(effect, Job):
                    todo.append(run_job(effect))
                elif isinstance(effect, Fetch):
                    blob = self.served.get(effect.digests[0])
                    todo.append(FetchFailed(effect) if blob is None else Fetched(effect, (blob,)))
        return self


SERVED = dict(zip(WRONG.digests, PACKED, strict=True))


def test_a_wrong_sum_is_proven_journalled_and_brought_to_the_court_once() -> None:
    desk = Desk(SERVED).handle(WRONG).handle(WRONG)
    (brought,), (kept,) = of(desk.effects, Prosecute), of(desk.effects, Journal)
    assert proof_holds(brought.proof, PRIMES)
    assert (kept.kind, kept.height, kept.slot) == (KIND, ROUND, LIAR.key)
    assert decode(kept.payload, SumProof, PROOF_MAX_BYTES) == brought.proof
    assert desk.effects.index(kept) < desk.effects.index(brought), "first it is made durable"
    assert observed(desk.effects, "proven") == [{"height": ROUND, "cell": 0, "culprit": LIAR.key.hex(), "chunk": 0}]


def test_parts_are_asked_of_who_made_them_and_the_sum_of_who_announced_it() -> None:
    fetches = of(Desk({}).handle(WRONG).effects, Fetch)
    assert [each.holders[0] for each in fetches] == [*WRONG.contributors, LIAR.key]
    assert all(set(VIEW.committee) <= set(each.holders) for each in fetches)


def test_what_is_late_is_asked_for_again_of_others() -> None:
    desk = Desk({digest: SERVED[digest] for digest in WRONG.digests[1:]}).handle(WRONG)
    assert of(desk.effects, Prosecute) == []
    assert [(timer.name, timer.at) for timer in of(desk.effects, SetTimer)] == [("evidence", RETRY_S)]
    desk.served = SERVED
    desk.handle(TimerFired("evidence"))
    assert len(of(desk.effects, Prosecute)) == 1
    first, again = [each for each in of(desk.effects, Fetch) if each.digests == WRONG.digests[:1]]
    assert again.holders[0] == first.holders[1]


def test_a_sum_that_is_never_served_is_given_up_with_words() -> None:
    desk = Desk({digest: SERVED[digest] for digest in WRONG.digests[:-1]}).handle(WRONG)
    for _ in range(TRIES_MAX + 3):
        desk.handle(TimerFired("evidence"))
    (told,) = observed(desk.effects, "unproven")
    assert "not served any more" in str(told["reason"])
    assert len([each for each in of(desk.effects, Fetch) if each.digests == WRONG.digests[-1:]]) == TRIES_MAX + 1


@pytest.mark.parametrize("position", [0, len(WRONG.digests) - 1])
def test_junk_is_replaced_by_the_real_bytes_of_another(position: int) -> None:
    junk = SERVED | {WRONG.digests[position]: PACKED[1]}
    desk = Desk(junk).handle(WRONG)
    assert of(desk.effects, Prosecute) == []
    desk.served = SERVED
    desk.handle(TimerFired("evidence"))
    assert len(of(desk.effects, Prosecute)) == 1


def test_several_culprits_are_several_cases() -> None:
    other = WrongSum(VIEW.committee[0], *(getattr(WRONG, name) for name in WRONG.__slots__[1:]))
    desk = Desk(SERVED).handle(WRONG).handle(other)
    assert [each.proof.culprit for each in of(desk.effects, Prosecute)] == [LIAR.key, VIEW.committee[0]]
