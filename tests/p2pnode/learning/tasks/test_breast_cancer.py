from __future__ import annotations

from sklearn.datasets import load_breast_cancer

from p2pnode.learning.task import load_task


def test_it_learns(simulate):
    task = load_task("breast_cancer")
    model, _ = simulate(task, peers=8, rounds=10)
    metrics = task.metrics(model, task.dataset().held_out)
    assert metrics["accuracy"] >= 0.96
    assert metrics["loss"] < 0.1


def test_the_columns_are_scikit_learns():
    schema = load_task("breast_cancer").schema
    assert [column.name for column in schema.features] == load_breast_cancer().feature_names.tolist()
