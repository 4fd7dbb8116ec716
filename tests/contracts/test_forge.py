"""The contracts' own tests (contracts/test) pass, and every leaf of a behaviour tree is one of them."""

import json
import os
import re

import pytest

from contracts import forge
from contracts.build import FOLDER

pytestmark = pytest.mark.timeout(1800)  # all is compiled first, by a compiler in JavaScript

TREES = sorted((FOLDER / "test").glob("*.tree"))
LEAF = re.compile(r"^[│ ]*[├└]── .* -> (\w+)$", re.MULTILINE)
LINE = re.compile(r"^[│ ]*[├└]── ", re.MULTILINE)


def results(profile, monkeypatch):
    """What forge says of every test: contract, name without arguments, status."""
    monkeypatch.setitem(os.environ, "FOUNDRY_PROFILE", profile)
    done = forge.run("test", "--json")
    try:
        suites = json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError:
        pytest.fail(f"forge did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return {
        (suite.split(":")[1], name.split("(")[0]): one
        for suite, found in suites.items()
        for name, one in found["test_results"].items()
    }


def failures(found):
    return {
        f"{contract}.{name}": one["reason"] for (contract, name), one in found.items() if one["status"] != "Success"
    }


@pytest.fixture(scope="module")
def quick():
    with pytest.MonkeyPatch.context() as monkeypatch:
        return results("default", monkeypatch)


def test_all_tests_of_the_contracts_pass(quick):
    assert quick
    assert failures(quick) == {}


def leaves(text):
    """The tests that a tree names; a line without children and without a test is a mistake."""
    lines = text.splitlines()[1:]
    depth = [len(LINE.match(line).group()) for line in lines]
    for number, line in enumerate(lines):
        inner = number + 1 < len(lines) and depth[number + 1] > depth[number]
        assert inner != (" -> " in line), f"neither a branch nor a leaf: {line}"
    return LEAF.findall(text)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.stem)
def test_every_leaf_of_a_tree_is_a_test_and_every_test_a_leaf(tree, quick):
    text = tree.read_text()
    written = sorted(name for contract, name in quick if contract == f"{tree.stem}Test")
    assert text.splitlines()[0] == tree.stem
    assert sorted(leaves(text)) == written


def test_a_line_that_promises_nothing_is_noticed():
    assert leaves("A\n└── when x\n    └── it reverts -> test_x") == ["test_x"]
    with pytest.raises(AssertionError, match="neither a branch nor a leaf"):
        leaves("A\n└── when x\n    └── it reverts")


def invariants(found):
    return {name: one["kind"]["Invariant"] for name, one in found.items() if "Invariant" in one["kind"]}


def test_handlers_call_and_are_not_called_in_vain(quick):
    made = invariants(quick)
    assert {name for name, one in made.items() if one["calls"] < 500} == set()
    # A handler catches what a contract refuses; what reverts in the handler itself was no call at all.
    assert {name: one["reverts"] for name, one in made.items() if one["reverts"] * 10 > one["calls"]} == {}
    assert idle({name: one["metrics"] for name, one in made.items()}) == {}


def idle(made):
    """What of the handlers does little, over all runs: a function that hardly ever did anything, or most calls in sum.

    Of what is called, what had nothing to do or was refused is discarded (`Handler` in contracts/test/Kit.sol).
    """
    found = {}
    for name, functions in made.items():
        done = {function: one["calls"] - one["discards"] for function, one in functions.items()}
        rare = {function: calls for function, calls in done.items() if calls < 5}
        if rare or 2 * sum(done.values()) < sum(one["calls"] for one in functions.values()):
            found[name] = rare or done
    return found


def test_a_handler_that_is_refused_is_noticed():
    busy, idler = {"calls": 100, "discards": 0}, {"calls": 100, "discards": 96}
    assert idle({"a": {"busy": busy}}) == {}
    assert idle({"a": {"busy": busy, "idle": idler, "idle too": {**idler, "discards": 90}}}) == {"a": {"idle": 4}}
    assert idle({"a": {"x": {**busy, "discards": 51}}}) == {"a": {"x": 49}}


def test_the_table_of_what_must_always_hold_names_every_invariant(quick):
    text = (FOLDER.parent / "docs" / "contracts-security.md").read_text()
    _, _, table = text.partition("## What must always hold")
    harness = {("KitTest", "invariant_randomCallsReachTheTarget")}
    named = set(re.findall(r"`(invariant_\w+)`", table.partition("## Attacks")[0]))
    assert named == {name for contract, name in invariants(quick) if (contract, name) not in harness}


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_they_pass_as_the_product_is_compiled_and_under_a_million_calls(monkeypatch):
    found = results("deep", monkeypatch)
    assert failures(found) == {}
    assert sum(one["calls"] for one in invariants(found).values()) >= 1_000_000
