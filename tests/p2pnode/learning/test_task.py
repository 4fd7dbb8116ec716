from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnode.learning.model import model_digest
from p2pnode.learning.task import load_spec, load_task
from protocols.errors import LocalError
from protocols.updates.clip import from_grid, to_grid

OWN_TASK = '''
"""The mean of one column, by federated averaging."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from p2pnode.data.schema import Dataset, DataSchema, Examples, number
from p2pnode.learning.fedavg import FedAvg
from p2pnode.learning.local import LocalSgd
from p2pnode.learning.optimizer import OuterSgd
from p2pnode.learning.task import Definition

@dataclass(frozen=True)
class Options:
    rate: float = 0.5

def define(options: Options) -> Definition:
    schema = DataSchema((number("unused", 0, 1),), number("height", 0, 3))
    data = Examples(np.zeros((8, 1)), np.linspace(1, 2, 8))
    method = FedAvg(LocalSgd(loss, epochs=20, batch=8, rate=options.rate), OuterSgd(), tau=4.0)
    init = lambda seed: {"mean": np.zeros((), np.float32)}
    metrics = lambda model, held_out: {"mean": float(model["mean"])}
    return Definition(schema, lambda: Dataset(data, data), init, method, metrics)

def loss(model, x, y):
    return (model["mean"] - y) ** 2 / 2
'''


@pytest.fixture
def own_task(tmp_path):
    path = tmp_path / "height.py"
    path.write_text(OWN_TASK)
    return path


def test_an_unknown_task_is_told_the_known_ones():
    for name in ("digitz", "no.such.module", "..", ""):
        with pytest.raises(LocalError, match="known: breast_cancer, digits, mnist, spector"):
            load_task(name)
    with pytest.raises(LocalError, match=r"gone\.py does not exist"):
        load_task("gone.py")


def test_a_users_own_file_is_a_task(own_task, simulate):
    task = load_task(str(own_task))
    model, _ = simulate(task, peers=2, rounds=1)
    assert task.metrics(model, task.dataset().held_out)["mean"] == pytest.approx(1.5, abs=1e-3)
    assert task.spec.name == "height"


def test_a_dotted_name_is_a_task(own_task, tmp_path, monkeypatch):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    own_task.rename(tmp_path / "pack" / "height.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_task("pack.height").spec.name == "pack.height"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "fails: ZeroDivisionError"),
        ("def define(options): ...", "has no 'Options'"),
        ("class Options: ...\ndef define(options): ...", "Options must be a dataclass"),
        (
            "from dataclasses import dataclass\n@dataclass\nclass Options: ...\ndef define(options): return 3",
            "must return a Definition, not int",
        ),
    ],
)
def test_a_broken_module_is_explained(tmp_path, source, message):
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(LocalError, match=message):
        load_task(str(path))


def test_a_stranger_loads_the_task_from_what_the_chain_says():
    founded = load_task("digits", {"rate": "0.3"})
    joined = load_spec(founded.spec)
    assert joined.spec == founded.spec
    assert joined.spec.options["rate"] == 0.3
    assert joined.method == founded.method  # equal trainers share their compiled function


def test_a_module_that_differs_from_the_subnets_is_refused_before_it_runs(own_task):
    spec = load_task(str(own_task)).spec
    elsewhere = own_task.with_name("copy.py")
    elsewhere.write_bytes(own_task.read_bytes())
    assert load_spec(spec, str(elsewhere)).spec == spec
    own_task.write_text("raise SystemExit('this must not run')")
    with pytest.raises(LocalError, match=r"'height': your module .*height\.py .* differs from the subnet's"):
        load_spec(spec, str(own_task))


def test_the_chain_cannot_name_a_module_to_run(own_task):
    with pytest.raises(LocalError, match="'height', which is not one of ours; give its module"):
        load_spec(load_task(str(own_task)).spec)


def test_the_chain_cannot_set_a_path_on_this_machine_nor_a_user_a_shared_option():
    spec = load_task("mnist").spec
    assert load_spec(spec, local={"data": "here.npz"}).spec == spec
    with pytest.raises(LocalError, match="options are not those of the module"):
        load_spec(replace(spec, options={**spec.options, "data": "there.npz"}))
    with pytest.raises(LocalError, match="or yours change them"):
        load_spec(spec, local={"rate": 9.0})


@pytest.fixture(scope="module")
def first_round():
    task = load_task("digits", {"epochs": 1, "outer_momentum": 0.9})
    model, train = task.init(0), task.dataset().train
    shares = [train.take(slice(60 * peer, 60 * peer + 60)) for peer in range(5)]
    updates = [task.local_update(model, share, peer) for peer, share in enumerate(shares)]
    return task, model, [to_grid(update, task.update_schema) for update in updates]


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(5)))
def test_the_order_of_peers_leaves_no_trace(first_round, order):
    task, model, grids = first_round

    def digest(order):
        sums = {name: sum(grids[peer][name] for peer in order) for name in grids[0]}
        state = task.initial_state(model)
        return model_digest(*task.apply(model, state, from_grid(sums, task.update_schema), len(order)))

    assert digest(order) == digest(range(5))
    assert digest(order) != digest(order[:4])


def test_a_sum_of_nobody_moves_nothing():
    task = load_task("spector")
    with pytest.raises(LocalError, match="at least one contribution"):
        task.apply(task.init(0), {}, {}, 0)
