import json

import pytest

from contracts.deploy import DeployError, Economics, deploy
from contracts.devchain import devchain

KEY = b"\x05" * 32


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    with devchain(tmp_path_factory.mktemp("chain") / "chain.jsonl", block_seconds=0.1) as running:
        yield running


def test_a_second_run_finds_what_the_first_one_built(chain, tmp_path):
    out = tmp_path / "deployment.json"
    first = deploy(chain.url, KEY, out, Economics(min_stake_wei=5, exit_delay_s=6))
    assert len({first.authority, first.vault, first.source, first.subnets, first.operators, first.anchor}) == 6
    written = out.read_bytes()
    assert deploy(chain.url, KEY, out) == first
    assert out.read_bytes() == written


def test_a_broken_off_run_is_continued(chain, tmp_path):
    out = tmp_path / "deployment.json"
    first = deploy(chain.url, KEY, out)
    known = json.loads(out.read_text())
    del known["anchor"]
    out.write_text(json.dumps(known))
    second = deploy(chain.url, KEY, out)
    assert (second.subnets, second.operators) == (first.subnets, first.operators)
    assert second.anchor != first.anchor


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain_id": 1}, "belongs to chain 1"),
        ({"subnets": "11" * 20}, "no contract stands there"),
        (None, "is no deployment file"),
    ],
)
def test_a_wrong_file_has_a_name(chain, tmp_path, change, words):
    out = tmp_path / "deployment.json"
    deploy(chain.url, KEY, out)
    out.write_text(json.dumps(json.loads(out.read_text()) | change) if change else "[]")
    with pytest.raises(DeployError, match=words):
        deploy(chain.url, KEY, out)


def test_a_dead_url_has_a_name(tmp_path):
    with pytest.raises(DeployError, match=r"no chain answers at http://127\.0\.0\.1:1;"):
        deploy("http://127.0.0.1:1", KEY, tmp_path / "out.json")
