"""What a preset claims, and what parameters reach: every number with its reason and its source."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Final

from protocols.encryption.degree import COMBINATIONS
from protocols.encryption.layout import lane_bits
from protocols.encryption.ring import DEGREE
from protocols.params import CELL_MAX, VALUE_BITS, Params
from protocols.security import draws, lattice, room

STANDARD: Final = "HE standard (Albrecht et al., 2018)"
HONEST: Final = 2
"""Honest contributors that leave one another room to hide: with one alone, the sum of keys would be its key."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Who is assumed to be dishonest.

    Attributes:
        peers: share of the registered data peers that are, and pool what they see.
        members: share of the registered committee candidates that are.
        spoilers: share of the data peers that spoil whatever sum they are in.
        absent: share of members and data peers that are offline, beside them.
        population: data peers, or candidates, that a subnet has at most.
    """

    peers: Fraction
    members: Fraction
    spoilers: Fraction
    absent: Fraction
    population: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a preset promises under its assumptions. Bits are -log2 of a chance, or of an attack's cost.

    Attributes:
        encryption_bits: reading one update out of an opened sum, now or with a quantum computer later.
        honest: contributors that every opened set then has (h).
        cell_bits: that an epoch has a cell with fewer.
        committee_bits: that an epoch's committee has more liars than its threshold stands.
        degree_bits: making a bad dealing that passes the degree check.
        clean_cells: least share of cells without a spoiler.
    """

    encryption_bits: int = 128
    honest: int = HONEST
    cell_bits: float = 9
    committee_bits: float = 8
    degree_bits: float = 128
    clean_cells: Fraction = Fraction(4, 5)


@dataclass(frozen=True, slots=True)
class Finding:
    """One property of parameters.

    Attributes:
        name: unique among a preset's.
        value: what it is, in words.
        bits: -log2 of a chance or of an attack's cost, or spare bits; None where bits say nothing.
        claim: what is promised; None where nothing is.
        holds: whether it is kept.
        why, source: where the number comes from.
    """

    name: str
    value: str
    bits: float | None
    claim: str | None
    holds: bool
    why: str
    source: str


@lru_cache(maxsize=64)
def findings(params: Params, assumed: Assumptions, claims: Claims | None) -> tuple[Finding, ...]:
    """Everything that is known of parameters. Without claims, only what must hold for sums to be right is demanded."""
    return (
        *_encryption(params, claims),
        *_sharing(params, assumed, claims),
        *_cells(params, assumed, claims),
        *_room(),
    )


def broken(params: Params, assumed: Assumptions, claims: Claims | None) -> tuple[Finding, ...]:
    """The findings that do not keep their claim."""
    return tuple(finding for finding in findings(params, assumed, claims) if not finding.holds)


def _encryption(params: Params, claims: Claims | None) -> list[Finding]:
    honest = claims.honest if claims else HONEST
    sigma = lattice.hint_sigma(room.SIGMA, honest)
    instance = DEGREE, room.LOG2_Q, sigma
    size = lattice.standard_log2_q(room.LOG2_Q, sigma)
    seen = f"n {DEGREE}, log2 q {room.LOG2_Q:.1f}, sigma {room.SIGMA:.2f}, {sigma:.2f} beside the opened sum"
    limit, quantum = lattice.CLASSICAL[DEGREE][128], lattice.QUANTUM[DEGREE][128]
    return [
        _finding(
            "scheme",
            params.scheme,
            None,
            ("encrypts every update", params.scheme == "one-time-key") if claims else None,
            "plaintext is there to compare with; it hides nothing",
            "protocol, section 9",
        ),
        _least(
            "one update in a sum",
            seen,
            lattice.table_bits(lattice.CLASSICAL, *instance),
            claims.encryption_bits if claims else None,
            f"table: 128 bits up to log2 q = {limit} for secrets distributed as the errors ({lattice.TERNARY_4096} for "
            f"ternary ones); extrapolated: the opened sum of keys leaves an honest key beside {honest - 1} more "
            f"(1 - 1/{honest}) of its variance and its errors', which counts as log2 q = {size:.2f} at its sigma",
            f"{STANDARD}, table 1; Hint-MLWE, eprint 2023/623",
        ),
        _finding(
            "the same, between the table's rows",
            f"block size {lattice.primal_attack(*instance)[0]}",
            lattice.primal_bits(*instance),
            None,
            "primal uSVP, cost 8 d 2^(0.292 b + 16.4): the model that gives the table's own rows",
            "eprint 2015/1092, section 6.3; eprint 2015/046",
        ),
        _finding(
            "the same, floor",
            "Core-SVP",
            lattice.core_svp_bits(*instance),
            None,
            "counts a single sieve call of 2^(0.292 b), all else as free; not what the claim is made in",
            "eprint 2015/1092, section 6",
        ),
        _least(
            "one update, recorded for a quantum computer",
            f"log2 q at most {quantum}; shares under ML-KEM-768 and X25519",
            lattice.table_bits(lattice.QUANTUM, *instance),
            claims.encryption_bits if claims else None,
            "of the ring; of ML-KEM-768 its standard says category 3, as AES-192",
            f"{STANDARD}, table 2; FIPS 203",
        ),
    ]


def _sharing(params: Params, assumed: Assumptions, claims: Claims | None) -> list[Finding]:
    n, t = params.committee, params.threshold
    liars = params.liars
    share = assumed.members
    worst, candidates = draws.worst(
        lambda count: draws.corrupt_committee(n, liars, count, share), range(n, assumed.population + 1)
    )
    chance = max(worst, draws.binomial_tail(share, n, liars + 1))
    stall = draws.binomial_tail(share + (1 - share) * assumed.absent, n, n - t + 1)
    return [
        _finding(
            "committee's threshold",
            f"{t} of {n}; {t - 1} shares say nothing of a key",
            None,
            None,
            "information-theoretic, as long as members keep their shares to themselves",
            "Shamir, How to share a secret, CACM 1979",
        ),
        _finding(
            "liars that cannot fork the vote",
            f"{liars} of {n}",
            None,
            (f"at least {(n - 1) // 3}, a third of the rest", liars >= (n - 1) // 3) if claims else None,
            "x liars and each half of the honest make two certificates unless t > (n + x) / 2",
            "design of the round; Tendermint, arXiv 1807.04938",
        ),
        _least(
            "committee with more liars, an epoch",
            f"{_percent(chance)} if {_share(share)} of the candidates are dishonest",
            draws.bits(chance),
            claims.committee_bits if claims else None,
            f"tail over the draw, worst of {n} to {assumed.population} candidates ({candidates}), binomial limit; by "
            "operator: stake counts as operators that it can register",
            "hypergeometric distribution, exact",
        ),
        _finding(
            "committee that can be stalled, an epoch",
            f"{_percent(stall)} if these are silent and {_share(assumed.absent)} of the others away",
            draws.bits(stall),
            None,
            f"more than n - t = {n - t} absences complete no round; costs time, no privacy",
            "binomial distribution, exact",
        ),
        _finding(
            "members that must erase",
            f"{n - t + 1} of {n}",
            None,
            None,
            "then fewer than t keys are left: past rounds stay closed whoever is broken into later",
            "protocol, section 5",
        ),
        _least(
            "bad dealing that passes the degree check",
            f"{COMBINATIONS} combinations over a field of 65537, challenged by hash",
            room.degree_check_bits(),
            claims.degree_bits if claims else None,
            "a combination of shares off all polynomials of degree t - 1 looks right at most twice in 65537 tries",
            "Schwartz-Zippel; Fiat-Shamir; decision 0013",
        ),
    ]


def _cells(params: Params, assumed: Assumptions, claims: Claims | None) -> list[Finding]:
    honest = claims.honest if claims else HONEST
    populations = range(params.cell_min, assumed.population + 1)
    lonely, peers = draws.worst(lambda count: draws.lonely_epoch(params, count, assumed.peers, honest), populations)
    dirty, _ = draws.worst(lambda count: 1 - draws.clean_cells(params, count, assumed.spoilers), populations)
    away = _away(params, assumed)
    smallest, largest = params.cell_min, min(CELL_MAX, 2 * params.cell_min - 1)
    return [
        _least(
            f"some cell with fewer than {honest} honest contributors, an epoch",
            f"{_percent(lonely)} if {_share(assumed.peers)} of the data peers are dishonest",
            draws.bits(lonely),
            claims.cell_bits if claims else None,
            f"cells of {smallest} to {largest}, any {params.quorum(smallest)} or more chosen; all cells of an epoch's "
            f"{draws.draws_of_an_epoch(params)} draws, since a spoiler has them mixed anew each round; worst of "
            f"{smallest} to {assumed.population} data peers ({peers})",
            "hypergeometric distribution, exact",
        ),
        _finding(
            "cells without a spoiler",
            f"{_percent(1 - dirty)} if {_share(assumed.spoilers)} of the data peers spoil",
            None,
            (f"at least {_percent(claims.clean_cells)}", 1 - dirty >= claims.clean_cells) if claims else None,
            "who shares a key that is not its ciphertext's spoils its cell; group testing finds out who, over rounds",
            "hypergeometric distribution, exact",
        ),
        _finding(
            "cells that miss their quorum, a round",
            f"{_percent(away)} if {_share(assumed.absent)} of the peers are away",
            None,
            None,
            f"a cell waits for all but {params.dropouts}; more dropouts lose fewer rounds and shelter more liars",
            "binomial distribution, exact",
        ),
    ]


def _room() -> list[Finding]:
    where = "protocol, section 9"
    return [
        _least(
            "lanes",
            f"values of {VALUE_BITS} bits, sums of {CELL_MAX}, lanes of {lane_bits(VALUE_BITS)}",
            room.lane_bits_spare(CELL_MAX),
            0,
            "value bits + ceil(log2 m) must not exceed the lane, or a sum runs into its neighbour",
            where,
        ),
        _least(
            "noise",
            f"errors of {CELL_MAX} contributors below the lanes",
            room.noise_bits_spare(CELL_MAX),
            0,
            "the sum of the largest errors must stay within the noise's room, or sums are not exact",
            where,
        ),
        _least(
            "modulus",
            f"lanes and noise below {room.LOG2_Q:.1f} bits",
            room.modulus_bits_spare(),
            0,
            "a message that wraps around the modulus is lost",
            where,
        ),
        _least(
            "shares",
            f"summed keys of {CELL_MAX} in a field of 65537",
            room.field_bits_spare(CELL_MAX),
            0,
            "the sum of keys is read off the field; it must not wrap",
            where,
        ),
        _least(
            "a wrong summed key",
            "proves itself only within its bound in all coefficients",
            room.false_key_bits(CELL_MAX),
            128,
            "a wrong key leaves uniform noise: released shares need no proof",
            "protocol, section 9.4",
        ),
    ]


def _away(params: Params, assumed: Assumptions) -> Fraction:
    """Chance that the smallest cell misses its quorum in a round, by absence alone."""
    size = params.cell_min
    return draws.binomial_tail(assumed.absent, size, size - params.quorum(size) + 1)


def _least(name: str, value: str, reached: float, least: float | None, why: str, source: str) -> Finding:
    """A finding that claims a number of bits, if any."""
    claim = None if least is None else (f"at least {least:g} bits", reached >= least)
    return _finding(name, value, reached, claim, why, source)


def _finding(
    name: str, value: str, reached: float | None, claim: tuple[str, bool] | None, why: str, source: str
) -> Finding:
    known = None if reached is None or not isfinite(reached) else float(reached)
    text, holds = claim or (None, True)
    return Finding(name, value, known, text, holds, why, source)


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.3g} %"


def _share(share: Fraction) -> str:
    return f"{share.numerator} in {share.denominator}"
