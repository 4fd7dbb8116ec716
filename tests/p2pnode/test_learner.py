"""The same model on all peers, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from p2pnode.data.schema import Examples
from p2pnode.data.splits import split_iid
from p2pnode.learner import CANDIDATES_MAX, Learner
from p2pnode.learning.model import Tensors, model_bytes, model_digest
from p2pnode.learning.task import Task, load_task
from protocols.effects import Head, Train
from protocols.errors import LocalError, MalformedError
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.schema import TensorSpec, UpdateSchema
from protocols.updates.totals import add_cells

PEERS = [PeerKey(bytes([number]) * 32) for number in range(1, 4)]


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("breast_cancer")


@pytest.fixture(scope="module")
def shares(task: Task) -> list[Examples]:
    train = task.dataset().train
    return [train.take(rows) for rows in split_iid(len(train), len(PEERS), seed=1)]


@pytest.fixture
def learners(task: Task, shares: list[Examples]) -> list[Learner]:
    return [Learner(task, 0, peer, share) for peer, share in zip(PEERS, shares, strict=True)]


def total_of(learners: list[Learner]) -> bytes:
    lanes = [learner.train(learner.model, 0) for learner in learners]
    return add_cells([(lanes[0] + lanes[1], 2), (lanes[2], 1)])


def head(params: bytes, height: int = 0) -> Head:
    return Head(height + 1, Digest(bytes([height + 1]) * 32), Digest(params))


def test_all_peers_step_to_the_same_model_whoever_computes_it(learners: list[Learner], task: Task) -> None:
    """Some by the outer step, one from its bytes, one that has no data."""
    learners.append(Learner(task, 0, PeerKey(bytes(32)), None))
    for height in range(2):
        total = total_of(learners[:3])
        digest = learners[0].step(learners[0].model, total).digest
        assert digest != learners[0].model.digest
        blob = b""
        for learner in learners[1:]:
            learner.remember(learner.step(learner.model, total))
            blob = learner.adopt(head(digest, height), None)
        assert learners[0].adopt(head(digest, height), blob) == blob
        assert {learner.model.digest for learner in learners} == {digest}
        assert {learner.head for learner in learners} == {head(digest, height).header}


def test_an_update_depends_on_peer_and_round_alone(learners: list[Learner], shares: list[Examples], task: Task) -> None:
    again = Learner(task, 0, PEERS[0], shares[0])
    assert np.array_equal(learners[0].train(learners[0].model, 3), again.train(again.model, 3))


def test_training_is_from_the_model_it_is_given(learners: list[Learner]) -> None:
    """The head may have moved on by the time that a worker is free."""
    learner = learners[0]
    before = learner.model
    expected = learner.train(before, 0)
    step = learner.step(before, total_of(learners))
    learner.remember(step)
    learner.adopt(head(step.digest), None)
    assert np.array_equal(learner.train(before, 0), expected)
    assert not np.array_equal(learner.train(learner.model, 0), expected)


def test_without_data_there_is_no_update(task: Task) -> None:
    learner = Learner(task, 0, PEERS[0], None)
    with pytest.raises(LocalError, match="no data"):
        learner.train(learner.model, 0)


def test_a_step_is_taken_once_for_a_model_and_a_total(learners: list[Learner]) -> None:
    learner, total = learners[0], total_of(learners)
    model = learner.step(learner.model, total)
    assert learner.step(learner.model, total) is model
    assert learner.step(model, total).digest != model.digest
    assert learner.step(learner.model, total_of([learners[0], learners[1], learners[1]])).digest != model.digest


def test_a_model_that_was_read_before_is_adopted_as_it_is(learners: list[Learner]) -> None:
    one, other = learners[:2]
    model = one.step(one.model, total_of(learners))
    read = other.read(model.blob)
    other.remember(read)
    other.adopt(head(model.digest), model.blob)
    assert other.model is read


def test_a_model_that_is_not_here_is_not_adopted(learners: list[Learner]) -> None:
    learner, before = learners[0], learners[0].model
    with pytest.raises(LocalError, match="not at hand"):
        learner.adopt(head(bytes(32)), None)
    other = learner.step(learner.model, total_of(learners))
    with pytest.raises(LocalError, match="not at hand"):
        learner.adopt(head(bytes(32)), model_bytes(other.params, other.state))
    with pytest.raises(MalformedError):
        learner.adopt(head(bytes(32)), b"junk")
    assert learner.model is before


@pytest.mark.parametrize("spoil", ["shape", "name", "dtype", "state"])
def test_a_certified_model_of_another_task_is_not_adopted(learners: list[Learner], spoil: str) -> None:
    model = learners[0].model
    name, tensor = next(iter(model.params.items()))
    params, state = dict(model.params), dict(model.state)
    match spoil:
        case "shape":
            params[name] = np.zeros((tensor.size + 1,), tensor.dtype)
        case "name":
            params["other"] = params.pop(name)
        case "dtype":
            params[name] = tensor.astype(np.int64)
        case "state":
            state["more"] = np.zeros(3)
    with pytest.raises(MalformedError, match="not this task's"):
        learners[0].adopt(head(model_digest(params, state)), model_bytes(params, state))
    assert learners[0].model is model


def test_a_total_of_another_task_is_refused(learners: list[Learner]) -> None:
    with pytest.raises(MalformedError):
        learners[0].step(learners[0].model, b"\0\0\0\1" + bytes(8))


def test_only_a_few_candidates_are_remembered(learners: list[Learner]) -> None:
    learner = learners[0]
    for number in range(CANDIDATES_MAX + 1):
        learner.remember(replace(learner.model, digest=Digest(bytes([number]) * 32)))
    with pytest.raises(LocalError, match="not at hand"):
        learner.adopt(head(bytes(32)), None)


def test_metrics_are_those_of_the_model_given(learners: list[Learner], task: Task) -> None:
    learner = learners[0]
    held_out = task.dataset().held_out
    assert held_out is not None
    step = learner.step(learner.model, total_of(learners))
    assert learner.metrics(step, held_out) != learner.metrics(learner.model, held_out)
    assert 0 <= learner.metrics(step, held_out)["accuracy"] <= 1


def test_a_learner_shows_no_parameters(learners: list[Learner]) -> None:
    assert "array" not in repr(learners[0].model)


def drawing(seeds: list[bytes]) -> Callable[[], bytes]:
    """Entropy that tells what it gave."""

    def entropy() -> bytes:
        seeds.append(bytes([len(seeds)]) * 32)
        return seeds[-1]

    return entropy


def test_noise_takes_fresh_entropy_for_every_training_and_no_other(shares: list[Examples]) -> None:
    task = load_task("breast_cancer", {"noise_multiplier": 4.0})
    learner, seeds = Learner(task, 0, PEERS[0], shares[0]), list[bytes]()
    wanted = Train(NO_DIGEST, Height(3), 8, 5)
    updates = [learner.train(learner.model, 3, learner.noise(wanted, drawing(seeds))) for _ in range(2)]
    assert len(seeds) == 2
    assert not np.array_equal(*updates)
    with pytest.raises(AssertionError, match="without its noise no update leaves"):
        learner.train(learner.model, 3)
    with pytest.raises(LocalError, match="cannot promise differential privacy"):
        learner.noise(Train(NO_DIGEST, Height(3), 8, 3), drawing(seeds))


def test_the_noise_is_as_wide_as_this_members_share(shares: list[Examples]) -> None:
    task = load_task("digits", {"noise_multiplier": 4.0, "clip": 0.5})
    learner = Learner(task, 0, PEERS[0], task.dataset().train.take(np.arange(60)))
    noise = learner.noise(Train(NO_DIGEST, Height(0), 8, 5), drawing([]))
    lanes = learner.train(learner.model, 0, noise) - learner.train(
        learner.model, 0, lambda tensor: np.zeros(tensor.shape)
    )
    step = learner.schema.tensors[0].step
    assert (lanes * step).std() == pytest.approx(2 / np.sqrt(3), rel=0.05)


def test_without_a_promise_no_entropy_is_drawn(learners: list[Learner]) -> None:
    seeds: list[bytes] = []
    assert learners[0].noise(Train(NO_DIGEST, Height(3), 8, 5), drawing(seeds)) is None
    assert seeds == []


def test_error_feedback_sends_later_what_the_grid_held_back(shares: list[Examples]) -> None:
    """An update of half a grid step: rounded to nothing each time, or with feedback sent every other time."""

    def sent(feedback: bool) -> list[int]:
        step = 2.0**-7

        class Half:
            def __init__(self) -> None:
                self.feedback = feedback

            def update_schema(self, model: object) -> UpdateSchema:
                return UpdateSchema((TensorSpec("x", (3,), step, 4.0, 1, 8, peak=0.5),))

            def local_update(self, model: object, examples: object, seed: int) -> dict[str, np.ndarray]:
                return {"x": np.full(3, step / 2)}

            def initial_state(self, model: object) -> dict[str, np.ndarray]:
                return {}

        task = replace(load_task("breast_cancer"), method=Half())  # type: ignore[arg-type]  # what training needs of it
        learner = Learner(task, 0, PEERS[0], shares[0])
        return [int(learner.train(learner.model, height).sum()) for height in range(6)]

    assert sent(feedback=False) == [0] * 6
    assert sum(sent(feedback=True)) == 3 * 6 // 2


def test_error_feedback_and_noise_exclude_each_other(shares: list[Examples]) -> None:
    for options in ({"feedback": 1}, {"value_bits": 8}, {"peak": 0.5}):
        with pytest.raises(LocalError, match="do not go with noise_multiplier"):
            load_task("digits", {"noise_multiplier": 4.0, **options})

    @dataclass(frozen=True)
    class Both:
        method: object
        feedback: bool = True

        def update_schema(self, model: Tensors) -> UpdateSchema:
            return self.method.update_schema(model)  # type: ignore[attr-defined,no-any-return]  # a Method

    private = load_task("breast_cancer", {"noise_multiplier": 4.0})
    with pytest.raises(LocalError, match="take back the noise"):
        Learner(replace(private, method=Both(private.method)), 0, PEERS[0], shares[0])  # type: ignore[arg-type]
