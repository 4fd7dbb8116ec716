"""What chance does: how many dishonest peers the beacon puts together. Exact, in fractions.

The beacon draws without replacement, so the number of dishonest among m drawn is hypergeometric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import comb, inf, log2

from protocols.params import CELL_MAX, Params


def hypergeometric_tail(population: int, marked: int, drawn: int, least: int) -> Fraction:
    """Chance that of `drawn` peers at least `least` are among the `marked` ones of the population."""
    hits = range(max(0, least), min(marked, drawn) + 1)
    favourable = sum(comb(marked, hit) * comb(population - marked, drawn - hit) for hit in hits)
    return Fraction(favourable, comb(population, drawn))


def binomial_tail(share: Fraction, drawn: int, least: int) -> Fraction:
    """The same for an endless population with this share of marked ones."""
    hits = range(max(0, least), drawn + 1)
    return sum((comb(drawn, hit) * share**hit * (1 - share) ** (drawn - hit) for hit in hits), Fraction(0))


def cell_sizes(params: Params, peers: int) -> list[int]:
    """Members of each cell that `protocols.rounds.cells.draw_cells` deals so many data peers into."""
    count = peers // params.cell_min
    seated = min(peers, count * CELL_MAX)
    return [(seated + cell) // count for cell in range(count)]


def lonely_cell(params: Params, peers: int, dishonest: Fraction, honest: int) -> Fraction:
    """Bound on the chance that a draw has a cell in which some admissible set holds fewer than `honest` honest peers.

    Dishonest peers choose which set it is: they come all, and only as many honest ones as a quorum needs beside them.
    So a cell of m with quorum s is lonely if more than s - honest of it are dishonest. Union bound over the cells.
    """
    marked = int(dishonest * peers)
    chances = (
        count * hypergeometric_tail(peers, marked, size, params.quorum(size) - honest + 1)
        for size, count in Counter(cell_sizes(params, peers)).items()
    )
    return min(Fraction(1), sum(chances, Fraction(0)))


def draws_of_an_epoch(params: Params) -> int:
    """The epoch's own cells, and those of each of its rounds: a spoiler can have them drawn anew for every round.

    (`protocols.rounds.suspects`.) It knows these draws from the epoch's beginning on, so each of them counts.
    """
    return 1 + params.rounds_per_epoch


def lonely_epoch(params: Params, peers: int, dishonest: Fraction, honest: int) -> Fraction:
    """Bound on the chance that any round of an epoch has such a cell, whatever happens in it."""
    return min(Fraction(1), draws_of_an_epoch(params) * lonely_cell(params, peers, dishonest, honest))


def corrupt_committee(size: int, liars: int, candidates: int, dishonest: Fraction) -> Fraction:
    """Chance that a committee drawn from so many candidates has more than `liars` dishonest members."""
    return hypergeometric_tail(candidates, int(dishonest * candidates), size, liars + 1)


def clean_cells(params: Params, peers: int, spoilers: Fraction) -> Fraction:
    """Expected share of cells without a spoiler."""
    sizes = cell_sizes(params, peers)
    marked = int(spoilers * peers)
    none = (count * (1 - hypergeometric_tail(peers, marked, size, 1)) for size, count in Counter(sizes).items())
    return sum(none, Fraction(0)) / len(sizes)


def worst(chance: Callable[[int], Fraction], populations: Iterable[int]) -> tuple[Fraction, int]:
    """The largest chance over populations, and where it is reached."""
    return max((chance(population), population) for population in populations)


def bits(chance: Fraction) -> float:
    """How unlikely: -log2 of a chance; infinite for what cannot happen."""
    return log2(chance.denominator) - log2(chance.numerator) if chance else inf
