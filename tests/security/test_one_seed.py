"""One seed encrypts one update, ever: what two would tell, and that a contributor cannot be brought to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.effects import Effects, Job, Journal, Send, Store
from protocols.encryption import message
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.scheme import PublicContext
from protocols.errors import TransitionError
from protocols.events import Event, Started, TimerFired
from protocols.rounds.contribution import Contribution
from protocols.types import NO_DIGEST, Secret
from tests.protocols.playbook import CELLS, PUBLIC_KEYS, ROUND, VIEW, of, run_job, trained

SCHEME = OneTimeKeyScheme()
CONTEXT = PublicContext(bytes(32), 3, 0)
ONE, OTHER = np.random.default_rng(1).integers(-1000, 1000, (2, 16_384))
ME = CELLS[0][0]


def difference_read(first: Secret, second: Secret) -> np.ndarray:
    """What anybody reads from two ciphertexts of one slot: their difference, taken for a message."""
    gap = SCHEME.ring.subtract(SCHEME.encrypt(ONE, first, CONTEXT), SCHEME.encrypt(OTHER, second, CONTEXT))
    return message.decode(SCHEME.ring, SCHEME.ring.inverse(gap))[0]


def test_two_updates_under_one_seed_show_their_difference_to_everybody() -> None:
    seed = Secret(bytes([5]) * 32)
    assert (difference_read(seed, seed) == ONE - OTHER).all()


def test_under_fresh_seeds_they_show_nothing() -> None:
    read = difference_read(Secret(bytes([5]) * 32), Secret(bytes([6]) * 32))
    assert (read == ONE - OTHER).mean() < 0.001


class Contributor:
    """A node that crashes whenever the test likes; its entropy never repeats, its journal stays."""

    def __init__(self) -> None:
        self.entropy: Iterator[bytes] = (bytes([number]) * 32 for number in range(256))
        self.journal: list[Journal] = []
        self.sent: set[bytes] = set()
        self.encrypted: list[tuple[bytes, bytes]] = []
        self.jobs: list[Job] = []
        self.restart()

    def restart(self) -> None:
        seed, self.jobs = next(self.entropy), []
        keys = PUBLIC_KEYS
        self.machine = Contribution(
            VIEW, ROUND, NO_DIGEST, ME.key, ME.sign, SCHEME, lambda: keys, seed, tuple(self.journal)
        )

    def handle(self, event: Event, crash_after: int | None = None) -> None:
        try:
            effects = self.machine.handle(event, 0)
        except TransitionError:
            return
        self.perform(effects[:crash_after])
        if crash_after is not None:
            self.restart()

    def perform(self, effects: Effects) -> None:
        self.journal += of(effects, Journal)
        self.sent |= {send.signed.encoded for send in of(effects, Send)}
        for job in of(effects, Job):
            lanes, seed = job.arguments[5], job.arguments[6]
            self.encrypted.append((seed.reveal(), lanes.tobytes()))
            self.jobs.append(job)


Life = list[tuple[Event | str, int | None]]
anything = st.one_of(
    st.just(Started()),
    st.just(TimerFired("keys")),
    st.integers(0, 5).map(lambda value: trained(np.full(6, value))),
    st.sampled_from(["finish a job", "restart"]),
)
crashes = st.none() | st.integers(0, 9)
lives = st.lists(st.tuples(anything, crashes), max_size=6)
usual = st.tuples(crashes, crashes, crashes).map(
    lambda when: list(zip([Started(), trained(np.arange(6)), "finish a job"], when, strict=True))
)


@given(st.tuples(lives, usual, lives, usual, lives).map(lambda parts: [each for part in parts for each in part]))
def test_whatever_happens_no_seed_serves_twice_and_one_manifest_leaves(life: Life) -> None:
    """Training that answers twice with other updates, crashes between any two effects, restarts."""
    node = Contributor()
    for event, crash_after in life:
        if event == "restart":
            node.restart()
        elif event == "finish a job" and node.jobs:
            node.handle(run_job(node.jobs.pop(0)), crash_after)
        elif not isinstance(event, str):
            node.handle(event, crash_after)
    seeds = [seed for seed, _ in node.encrypted]
    assert len(seeds) == len(set(seeds))
    assert len(node.journal) <= 1
    assert len(node.sent) <= len(VIEW.committee) + 1, "for each receiver the same bytes, however often"
    assert not node.sent or node.journal


def until_sent(node: Contributor) -> None:
    node.handle(Started())
    node.handle(trained(np.arange(6)))
    node.handle(run_job(node.jobs.pop()))


@pytest.mark.parametrize("restarts", [1, 3])
def test_what_left_once_is_sent_again_and_nothing_else(restarts: int) -> None:
    node = Contributor()
    until_sent(node)
    before = set(node.sent)
    assert len(before) == 5, "one for each member, and the same one for both aggregators"
    for _ in range(restarts):
        node.restart()
        node.handle(Started())
        node.handle(trained(np.arange(6) + 1))
        node.handle(TimerFired("keys"))
    assert node.sent == before
    assert len(node.encrypted) == 1


def test_a_forgetful_contributor_would_be_caught_by_this_test() -> None:
    node = Contributor()
    until_sent(node)
    before = set(node.sent)
    node.journal.clear()
    node.restart()
    until_sent(node)
    assert not node.sent <= before


def test_a_crash_before_the_journal_lets_nothing_out() -> None:
    node = Contributor()
    node.handle(Started())
    node.handle(trained(np.arange(6)))
    effects = node.machine.handle(run_job(node.jobs.pop()), 0)
    durable = [type(effect) for effect in effects].index(Journal)
    assert of(effects[:durable], Send) == []
    assert of(effects[:durable], Store), "ciphertexts may lie there; nobody is told of them"
