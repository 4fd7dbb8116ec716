from __future__ import annotations

import pytest
import statsmodels.api as sm

from p2pnode.learning.task import load_task

STATSMODELS = {"GPA": 2.82611, "TUCE": 0.09516, "PSI": 2.37869, "const": -13.02135}


@pytest.mark.parametrize("peers", [3, 7])
def test_the_peers_find_the_coefficients_of_the_pooled_rows(simulate, peers):
    task = load_task("spector")
    model, _ = simulate(task, peers=peers, rounds=6)
    metrics = task.metrics(model, task.dataset().held_out)
    assert {name: metrics[name] for name in STATSMODELS} == pytest.approx(STATSMODELS, abs=1e-4)


def test_the_log_likelihood_is_statsmodels(simulate):
    task = load_task("spector")
    data = sm.datasets.spector.load_pandas()
    fitted = sm.Logit(data.endog, sm.add_constant(data.exog)).fit(disp=False)
    model, state = simulate(task, peers=3, rounds=8)
    assert task.metrics(model, task.dataset().held_out)["log_likelihood"] == pytest.approx(fitted.llf, abs=1e-7)
    public = task.public_metrics(state)
    assert public["public_log_likelihood"] == pytest.approx(fitted.llf, abs=1e-6)
    assert public["public_rows"] == 32


def test_statistics_travel_in_several_limbs():
    assert {spec.limbs for spec in load_task("spector").update_schema.tensors} == {3}
