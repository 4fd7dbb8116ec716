"""One trial: a small world whose peers, parameters and adversaries follow from one number, run and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from random import Random
from typing import Any, Final

from protocols.encryption.scheme import Scheme
from protocols.errors import LocalError
from simnet.checkers import Violation, check
from simnet.dummy import DummyScheme
from simnet.events import Event
from simnet.scenario import Scenario, data_peer, make_scenario
from simnet.world import World, run_world

ROUNDS: Final = 10
SHAPES: Final[tuple[dict[str, int], ...]] = (
    {"peers": 8, "k_min": 3, "dropouts": 3, "committee": 4, "threshold": 3},  # one cell of 8, of which 5 suffice
    {"peers": 9, "k_min": 4, "dropouts": 3, "committee": 7, "threshold": 5},  # one cell of 9, of which 6 suffice
    {"peers": 10, "k_min": 3, "dropouts": 2, "committee": 4, "threshold": 3},  # two cells of 5, of which 3 suffice
    {"peers": 10, "k_min": 3, "dropouts": 2, "committee": 7, "threshold": 5},
)
DEADLINES: Final = {"submit_s": 6, "agree_s": 24, "open_s": 12, "grace_s": 2, "epoch_timeout_s": 300}
REPEATING: Final = 0.25
"""Of so many worlds the updates repeat after an abandoned round; who was certified sits the next ones out, by rule."""
REAL_EVERY: Final = 20
"""One trial in so many has the real encryption."""


@dataclass(frozen=True)
class Verdict:
    """How a trial ended.

    Attributes:
        rounds: that some honest node began.
        applied: of these, how many some honest node applied.
    """

    seed: int
    real: bool
    rounds: int
    applied: int
    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        ended = "; ".join(map(str, self.violations)) or "all rules held"
        return f"trial {self.seed}{' (real encryption)' if self.real else ''}: {ended}"


def trial_scenario(seed: int, rounds: int = ROUNDS) -> Scenario:
    """A world with f of n members, a third of the contributors, and at most one aggregator of two dishonest.

    As many peers compute as a committee has members, so that no draw brings more than f liars together.
    """
    random = Random(f"simnet trial {seed}")  # noqa: S311  # reproducible on purpose
    shape = random.choice(SHAPES)
    compute, faulty = shape["committee"], shape["committee"] - shape["threshold"]
    members = random.sample(range(compute), faulty)
    others = random.sample(range(compute, shape["peers"]), max(0, shape["peers"] // 3 - faulty))
    values: dict[str, Any] = {
        "task": "simnet.tiny",
        "options": {"repeats": int(random.random() < REPEATING)},
        "peers": shape["peers"],
        "rounds": rounds,
        "seed": seed,
        "backend": "virtual",
        "validators": 1,
        "compute": compute,
        "params": {
            **{name: shape[name] for name in ("k_min", "dropouts", "committee", "threshold")},
            **DEADLINES,
            "rounds_per_epoch": random.choice([2, 5]),
        },
        "adversaries": [{"kind": "random", "peers": [data_peer(number) for number in sorted([*members, *others])]}],
    }
    return make_scenario(values)


def run_trial(seed: int, rounds: int = ROUNDS, real: bool | None = None) -> Verdict:
    """Runs one world to its end, and checks it."""
    real = seed % REAL_EVERY == REAL_EVERY - 1 if real is None else real
    scheme: Scheme | None = None if real else DummyScheme()
    return judged(World(trial_scenario(seed, rounds), _nobody, scheme=scheme, watched=True), real)


def run_trials(seeds: Iterable[int], rounds: int = ROUNDS, processes: int = 2) -> Iterator[Verdict]:
    """Runs worlds side by side in processes of their own, and tells of each as it ends."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(run_trial, seed, rounds) for seed in seeds]
        for done in as_completed(running):
            yield done.result()


def judged(world: World, real: bool = False) -> Verdict:
    """Runs a watched world, and checks it."""
    seen, stuck = world.witness, list[Violation]()
    assert seen is not None, "only what is watched can be checked"
    try:
        outcome = run_world(world)
    except LocalError as error:
        stuck = [Violation("rounds end", str(error))]
    else:
        digests = {outcome.digests[seen.names[peer]] for peer in seen.honest if seen.names[peer] in outcome.digests}
        if len(digests) > 1:
            stuck = [Violation("one model", "honest peers ended with different parameters")]
    applied = {event.fields["height"] for event in seen.events if event.name == "applied"}
    return Verdict(world.scenario.seed, real, len(seen.views), len(applied), (*stuck, *check(seen)))


def _nobody(_: Event) -> None:
    """Nobody listens."""
