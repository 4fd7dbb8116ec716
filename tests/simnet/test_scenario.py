from pathlib import Path
from typing import Any

import pytest

from protocols.errors import LocalError
from simnet.scenario import MOMENTS, make_scenario, read_scenario


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pears": 3}, "unknown key 'pears'"),
        ({"peers": "many"}, "peers = 'many'"),
        ({"peers": 0}, "peers = 0"),
        ({"k_min": 30}, "k_min"),
        ({"peers": 3, "k_min": 4, "dropouts": 0}, "3 peers cannot fill one cell"),
        ({"threshold": 9, "committee": 7}, "threshold 9 exceeds the committee of 7"),
        ({"params": {"kmin": 3}}, "unknown protocol parameter 'kmin'"),
        ({"split": "dirichlet:-1"}, "unknown split"),
        ({"split": "sorted"}, "unknown split"),
        ({"preset": "testnet", "k_min": 5}, "do not reach what it claims"),
        ({"preset": "mainnet"}, "unknown preset"),
        ({"faults": [{"kind": "explode", "at_height": 1}]}, "faults.0.kind"),
        ({"faults": [{"kind": "vanish", "at_height": 1, "when": 3}]}, "unknown key 'faults.0.when'"),
        ({"faults": [{"kind": "vanish", "at_height": 1}]}, "names no peers"),
        ({"faults": [{"kind": "cut", "at_height": 1, "peers": [1]}]}, "virtual time only"),
        ({"faults": [{"kind": "kill", "at_height": 1, "peers": [1]}]}, "give each node its own, --processes 28"),
        ({"churn": {"share": 0.3}, "backend": "virtual"}, "which the virtual backend has not"),
        ({"churn": {"share": 1.0}}, "churn.share = 1.0"),
        ({"engine": "abacus"}, "engine = 'abacus'"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(LocalError, match=words):
        make_scenario(values)


def test_later_layers_win_and_shortcuts_become_parameters() -> None:
    scenario = make_scenario(
        {"peers": 9, "k_min": 4, "options": {"rate": 1, "epochs": 2}}, {"peers": 12, "options": {"rate": 0.5}}
    )
    assert (scenario.peers, scenario.options) == (12, {"rate": 0.5, "epochs": 2})
    params = scenario.protocol()
    assert (params.k_min, params.final_height, params.scheme) == (4, 10, "one-time-key")
    assert make_scenario({"plaintext": True}).protocol().scheme == "plaintext"


def test_scenario_file(tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    fault = '[[faults]]\nkind = "vanish"\nat_height = 1\npeers = [2]\n'
    path.write_text('task = "spector"\npeers = 3\nk_min = 3\ndropouts = 0\n' + fault)
    scenario = make_scenario(read_scenario(path))
    assert (scenario.task, scenario.protocol().cell_min, scenario.faults[0].names()) == ("spector", 3, ("peer-02",))


def test_adversaries_in_a_scenario_file(tmp_path: Path) -> None:
    path = tmp_path / "liars.toml"
    path.write_text(
        'peers = 10\nbackend = "virtual"\ncompute = 7\n'
        '[[adversaries]]\nkind = "wrong-shares"\npeers = [2]\n'
        '[[adversaries]]\nkind = "random"\npeers = ["peer-03", 8]\n'
    )
    scenario = make_scenario(read_scenario(path))
    assert [(each.kind, each.names()) for each in scenario.adversaries] == [
        ("wrong-shares", ("peer-02",)),
        ("random", ("peer-03", "peer-08")),
    ]


def test_unreadable_scenario_files(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="No such file"):
        read_scenario(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("peers = = 3")
    with pytest.raises(LocalError, match="not TOML"):
        read_scenario(tmp_path / "bad.toml")


def test_churn_kills_so_many_others_in_each_round() -> None:
    values = {"peers": 20, "rounds": 40, "processes": 24, "churn": {"share": 0.3, "seconds": 2}}
    scenario = make_scenario(values)
    kills = scenario.all_faults
    assert [fault.at_height for fault in kills] == list(range(40))
    assert {(fault.kind, fault.seconds, len(set(fault.names()))) for fault in kills} == {("kill", 2.0, 6)}
    assert len({fault.peers for fault in kills}) > 30
    assert {fault.after for fault in kills} == set(MOMENTS)
    assert {name for fault in kills for name in fault.names()} == {f"peer-{number:02d}" for number in range(20)}
    assert make_scenario(values).all_faults == kills
    assert make_scenario(values | {"seed": 1}).all_faults != kills
