"""The audit command fails on what it must, and the contracts pass it."""

import pytest

from contracts import audit


def finding(impact, check):
    return {"impact": impact, "check": check, "description": f"{check} in X.y() (src/X.sol#1)\n\tmore"}


def test_high_and_medium_findings_have_no_answer():
    found = [finding("High", "reentrancy-eth"), finding("Medium", "unused-return"), finding("Low", "timestamp")]
    every = frozenset(one["check"] for one in found)
    assert audit.problems(found, every) == [
        "High: reentrancy-eth: reentrancy-eth in X.y() (src/X.sol#1)",
        "Medium: unused-return: unused-return in X.y() (src/X.sol#1)",
    ]


def test_every_other_finding_needs_one():
    found = [finding("Low", "timestamp"), finding("Informational", "assembly")]
    (left,) = audit.problems(found, frozenset({"timestamp"}))
    assert left.startswith("not answered in docs/contracts-security.md: assembly")


def test_answers_are_those_of_the_document_s_table():
    known = audit.answers(audit.ANSWERS.read_text())
    assert {"timestamp", "calls-loop", "naming-convention"} <= known
    assert audit.answers("| `timestamp` | before the table |") == frozenset()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_contracts_pass():
    assert audit.main() == 0
