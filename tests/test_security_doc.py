"""docs/security.md promises nothing without a test: every test that it names exists, and every attack is named."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"\b(tests/[\w/]+\.py)::(\w+)")

ATTACKS = (
    "Two sets that differ by one",
    "An update sent again after its set was certified",
    "A dealing of a wrong degree, f members silent",
    "A dealing made after the beacon",
    "One member starved",
    "A key that does not fit the ciphertext",
    "A dealing copied, once and by thirteen sybils",
    "A ciphertext copied, negated or scaled",
    "A dealing replayed from a void round",
    "A dispute as a decryption oracle",
    "A member that lies about a share it received",
    "f + 1 members that fork the agreement",
    "Wrong summed shares",
    "Late and adaptive summed shares",
    "A proposer that shows different lists",
    "Aggregators that both refuse a victim",
    "Two manifests for a slot",
    "Selective silence at every step",
    "Lane overflow",
    "Huge errors",
    "Residues at or above their prime",
    "Wrong lengths and indices",
    "A seed reused after a crash",
    "Replays across rounds, epochs, subnets and chains",
    "t - 1 members with all other peers, pooling everything",
)
"""What a round among strangers must stand; none may lose its row, nor the test that shows it bite."""


def rows(text: str) -> list[str]:
    """The claims' table, a line for each claim."""
    _, _, table = text.partition("| claim | test |\n| --- | --- |\n")
    return table.split("\n\n")[0].strip().splitlines()


def functions_of(path: str) -> set[str]:
    file = ROOT / path
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def missing(text: str) -> list[str]:
    """Claims without a test, and named tests that are not there."""
    without = [row for row in rows(text) if not NAMED.search(row)]
    gone = [f"{path}::{name}" for path, name in NAMED.findall(text) if name not in functions_of(path)]
    return without + gone


def unnamed(text: str, attacks: list[str]) -> list[str]:
    """Files of attacks that no claim names."""
    return sorted(set(attacks) - {path for path, _ in NAMED.findall(text)})


def document() -> str:
    return (ROOT / "docs/security.md").read_text()


def test_every_claim_names_a_test_that_exists():
    assert len(rows(document())) > 20
    assert missing(document()) == []


def test_every_file_of_attacks_shows_some_claim():
    attacks = [file.relative_to(ROOT).as_posix() for file in (ROOT / "tests/security").glob("test_*.py")]
    assert unnamed(document(), attacks) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("| all is well | |", "| all is well | |"),
        ("| gone | tests/test_security_doc.py::test_gone |", "tests/test_security_doc.py::test_gone"),
        ("| gone | tests/gone.py::test_it |", "tests/gone.py::test_it"),
    ],
)
def test_an_empty_promise_is_seen(row, problem):
    assert missing(f"{document().rstrip()}\n{row}\n") == [problem]


def test_an_attack_without_claim_is_seen():
    assert unnamed(document(), ["tests/security/test_new.py"]) == ["tests/security/test_new.py"]


def attacks(text: str) -> dict[str, list[str]]:
    """The attacks' table: by attack, the cells behind it."""
    _, _, table = text.partition("| attack | works where one is careless | fails with us | who is named |\n")
    lines = table.split("\n\n")[0].splitlines()[1:]
    return {cells[0]: cells[1:] for line in lines if (cells := [cell.strip() for cell in line.strip("|").split("|")])}


def test_every_attack_has_a_test_of_the_careless_and_one_of_ours():
    table = attacks(document())
    assert tuple(table) == ATTACKS
    for attack, (careless, ours, named) in table.items():
        assert NAMED.fullmatch(careless), attack
        assert NAMED.fullmatch(ours), attack
        assert careless != ours, attack
        assert NAMED.fullmatch(named) or named.startswith("nobody"), attack
