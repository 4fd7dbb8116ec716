import numpy as np

from p2pnode.learning.task import load_task


def test_an_update_follows_from_model_rows_and_seed() -> None:
    task = load_task("simnet.tiny")
    rows, others = task.dataset().train.take(np.arange(3)), task.dataset().train.take(np.arange(3, 6))
    model = task.init(0)
    update = task.local_update(model, rows, 1)["weights"]
    assert (task.local_update(model, rows, 1)["weights"] == update).all()
    assert (task.local_update(model, rows, 2)["weights"] != update).any()
    assert (task.local_update(model, others, 1)["weights"] != update).any()
    moved, _ = task.apply(model, {}, {"weights": update}, 1)
    assert (moved["weights"] == update).all()


def test_with_repeats_it_is_the_same_whatever_the_seed() -> None:
    task = load_task("simnet.tiny", {"repeats": 1})
    rows, model = task.dataset().train, task.init(0)
    assert (task.local_update(model, rows, 1)["weights"] == task.local_update(model, rows, 2)["weights"]).all()
