from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from p2pnode.data.schema import Examples
from p2pnode.learning.private import CHUNK, ClippedGradients, PrivacyOptions, private_sgd
from p2pnode.learning.task import load_task
from protocols.errors import LocalError

MODEL = {"w": np.array([0.5, -1.0], np.float32), "b": np.array(0.25, np.float32)}
CLIP = 0.7


def loss(model, x, y):
    return (x @ model["w"] + model["b"] - y) ** 2


def examples(rows: int, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(rng.normal(size=(rows, 2)).astype(np.float32), rng.normal(size=rows).astype(np.float32))


def one_by_one(rows: Examples) -> dict[str, np.ndarray]:
    total = {name: np.zeros(tensor.shape) for name, tensor in MODEL.items()}
    for x, y in zip(rows.x, rows.y, strict=True):
        gradient = jax.grad(lambda model, x=x, y=y: loss(model, x[None], y[None])[0])(MODEL)
        norm = np.sqrt(sum((np.asarray(slope, np.float64) ** 2).sum() for slope in gradient.values()))
        for name in total:
            total[name] -= np.asarray(gradient[name]) * min(1, CLIP / norm)
    return total


def norm(tensors: dict[str, np.ndarray]) -> float:
    return float(np.sqrt(sum((tensor**2).sum() for tensor in tensors.values())))


@pytest.mark.parametrize("rows", [1, CHUNK - 1, CHUNK, 3 * CHUNK + 5])
def test_the_descent_is_the_sum_of_rows_clipped_one_by_one(rows: int) -> None:
    got = ClippedGradients(loss, CLIP).descent(MODEL, examples(rows))
    for name, expected in one_by_one(examples(rows)).items():
        assert got[name] == pytest.approx(expected, rel=1e-3, abs=1e-3)
        assert got[name].dtype == np.float64


def test_without_clipping_one_row_can_do_anything_with_it_no_more_than_the_clip() -> None:
    rows = examples(40)
    wild = Examples(np.vstack([rows.x, [[1e6, -1e6]]]).astype(np.float32), np.append(rows.y, 3e5).astype(np.float32))
    gradients = ClippedGradients(loss, CLIP)
    moved = {name: gradients.descent(MODEL, wild)[name] - gradients.descent(MODEL, rows)[name] for name in MODEL}
    assert 0.99 * CLIP < norm(moved) <= CLIP
    plain = {name: np.asarray(each) for name, each in jax.grad(lambda m: loss(m, wild.x, wild.y).sum())(MODEL).items()}
    assert norm(plain) > 1e6


def test_a_row_without_a_gradient_counts_nothing() -> None:
    rows = examples(5)
    broken = Examples(np.vstack([rows.x, [[np.inf, 0]]]).astype(np.float32), np.append(rows.y, 0).astype(np.float32))
    gradients = ClippedGradients(loss, CLIP)
    for name, expected in gradients.descent(MODEL, rows).items():
        assert gradients.descent(MODEL, broken)[name] == pytest.approx(expected)


def test_the_schema_has_room_for_rows_and_noise_and_says_what_is_promised() -> None:
    task = load_task("digits", {"noise_multiplier": 4.0, "budget": 8.0, "clip": 0.5, "private_rows": 60})
    schema = task.update_schema
    assert schema.privacy is not None
    assert (schema.privacy.sigma, schema.privacy.budget) == (2.0, 8.0)
    for tensor in schema.tensors:
        assert tensor.tau == 30
        assert tensor.bound * tensor.step >= 30 + schema.privacy.largest_noise


def test_without_noise_the_task_is_what_it_was() -> None:
    assert private_sgd(loss, PrivacyOptions()) is None
    assert load_task("digits").update_schema.privacy is None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"noise_multiplier": -1.0}, "above 0"),
        ({"noise_multiplier": 4.0, "delta": 0.0}, "delta"),
        ({"noise_multiplier": 4.0, "private_rows": 0}, "private_rows 0"),
        ({"noise_multiplier": 1.0, "budget": 1.0}, "does not last for one round"),
    ],
)
def test_options_that_promise_nothing_are_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        load_task("digits", options)


def test_noise_that_the_grid_would_swallow_is_refused() -> None:
    with pytest.raises(LocalError, match="steps of the grid"):
        load_task("digits", {"noise_multiplier": 0.01, "private_rows": 4096}).update_schema  # noqa: B018  # computed


def test_the_step_is_taken_on_the_mean_over_all_rows() -> None:
    method = private_sgd(loss, PrivacyOptions(noise_multiplier=4.0, private_rate=2.0, private_momentum=0.0))
    assert method is not None
    moved, _ = method.apply(
        MODEL, method.initial_state(MODEL), {name: 64 * 3 * jnp.ones_like(MODEL[name]) for name in MODEL}, 3
    )
    assert moved["w"] == pytest.approx(MODEL["w"] + 2)
    assert method.public_metrics({}) == {}
