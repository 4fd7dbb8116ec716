"""What is found of parameters, and that every claim can be broken."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from protocols.params import Params
from protocols.presets import ASSUMED, CLAIMED, PRESETS
from protocols.security import room
from protocols.security.claims import Assumptions, Claims, Finding, broken, findings

PARAMS, ASSUMED_THERE = PRESETS["testnet"], ASSUMED["testnet"]
CLAIMS = CLAIMED["testnet"]
assert CLAIMS is not None


def named(params: Params = PARAMS, assumed: Assumptions = ASSUMED_THERE, claims: Claims | None = CLAIMS) -> set[str]:
    return {finding.name.split(",")[0] for finding in broken(params, assumed, claims)}


def test_names_are_unique_and_every_finding_has_reason_and_source() -> None:
    found = findings(PARAMS, ASSUMED_THERE, CLAIMS)
    assert len({finding.name for finding in found}) == len(found)
    assert all(finding.value and finding.why and finding.source for finding in found)


def test_one_update_in_a_sum_has_the_bits_of_half_the_variance() -> None:
    found = {finding.name: finding for finding in findings(PARAMS, ASSUMED_THERE, CLAIMS)}
    assert found["one update in a sum"].bits == 128
    assert "sigma 3.24, 2.29 beside the opened sum" in found["one update in a sum"].value
    assert found["the same, between the table's rows"].bits == pytest.approx(156.5, abs=0.1)
    assert found["the same, floor"].bits == pytest.approx(124.1, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"scheme": "plaintext"}, "scheme"),
        ({"k_min": 12}, "some cell with fewer than 2 honest contributors"),
        ({"k_min": 12, "dropouts": 4}, "some cell with fewer than 2 honest contributors"),
        ({"threshold": 10}, "committee with more liars"),
        ({"threshold": 10}, "liars that cannot fork the vote"),
        ({"committee": 7, "threshold": 5}, "committee with more liars"),
    ],
)
def test_parameters_that_reach_less_break_their_claim(changes: dict[str, object], claim: str) -> None:
    assert not named()
    assert claim in named(PARAMS.with_(**changes))


@pytest.mark.parametrize(
    ("assumed", "claim"),
    [
        (replace(ASSUMED_THERE, peers=Fraction(1, 4)), "some cell with fewer than 2 honest contributors"),
        (replace(ASSUMED_THERE, population=2048), "some cell with fewer than 2 honest contributors"),
        (replace(ASSUMED_THERE, members=Fraction(1, 8)), "committee with more liars"),
        (replace(ASSUMED_THERE, spoilers=Fraction(1, 50)), "cells without a spoiler"),
    ],
)
def test_worse_peers_break_it_too(assumed: Assumptions, claim: str) -> None:
    assert named(assumed=assumed) == {claim}


@pytest.mark.parametrize(
    ("claims", "claim"),
    [
        (replace(CLAIMS, encryption_bits=192), "one update in a sum"),
        (replace(CLAIMS, honest=3), "some cell with fewer than 3 honest contributors"),
        (replace(CLAIMS, degree_bits=136), "bad dealing that passes the degree check"),
    ],
)
def test_more_is_not_promised_than_is_reached(claims: Claims, claim: str) -> None:
    assert claim in named(claims=claims) <= {claim, "one update"}


def test_one_honest_contributor_is_no_encryption_at_all() -> None:
    """The sum of the keys less those of the dishonest would be its key."""
    assert "one update in a sum" in named(claims=replace(CLAIMS, honest=1))


@pytest.mark.parametrize(
    ("bound", "value", "claim"),
    [
        ("lane_bits", lambda value_bits: value_bits + 3, "lanes"),
        ("NOISE_ROOM", 9, "noise"),
        ("LOG2_Q", 90.5, "modulus"),
        ("FIELD", 257, "shares"),
    ],
)
def test_what_must_fit_is_demanded_of_everybody(
    bound: str, value: object, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings.cache_clear()
    monkeypatch.setattr(room, bound, value)
    assert claim in named(PRESETS["dev"], claims=None)
    findings.cache_clear()


def test_without_claims_the_numbers_are_shown_and_nothing_else_is_demanded() -> None:
    assert not named(PRESETS["dev"], claims=None)
    shown = {finding.name: finding for finding in findings(PRESETS["dev"], ASSUMED_THERE, None)}
    lonely: Finding = shown["some cell with fewer than 2 honest contributors, an epoch"]
    assert (lonely.bits, lonely.claim) == (0, None)
