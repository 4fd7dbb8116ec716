"""What differential privacy a task promises to every row of its peers' data, and each member's share of the noise.

The mechanism: every row changes an update by at most `clip` in L2 norm (per-example clipping; Abadi et al., Deep
learning with differential privacy, CCS 2016), the opened sum of a cell carries Gaussian noise of at least clip times
`noise_multiplier`, and every round counts. The noise is dealt out: each member adds a Gaussian of variance sigma^2 / c
before it rounds to the grid, where c is the least number of members that surely add theirs.

Why rounding costs nothing: a rounded Gaussian is a mixture, over offsets that do not depend on data, of discrete
Gaussians with real centres. Sums of c of them are discrete Gaussians of variance sigma^2 again, up to a factor of
1 + e^-150 where each has a deviation of at least four grid steps (Micciancio and Peikert, Hardness of SIS and LWE with
small parameters, CRYPTO 2013, theorem 3.3), and those have the Gaussian's Renyi divergence (Canonne, Kamath, Steinke,
NeurIPS 2020, proposition 5); mixing does not increase it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Final

from protocols.errors import LocalError
from protocols.params import CELL_MAX
from protocols.privacy.accountant import epsilon_micro, rounds_within
from protocols.privacy.noise import LARGEST

CARRIERS_MIN: Final = 2
"""Members that surely add noise, at least: with one alone, all of it would be its own, and encryption fails too."""
STEPS_MIN: Final = 4
ROUNDS_MAX: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Privacy:
    """The promise. It stands on the chain among the task's options.

    Attributes:
        noise_multiplier: z, deviation of the noise on an opened sum, in units of `clip`.
        clip: L2 norm by which one row can change an update, over all its tensors.
        delta: chance with which epsilon may not hold.
        budget: epsilon that no row's cost exceeds; 0 for no end.
        withheld: share of a cell's members that are assumed to leave their noise out.
    """

    noise_multiplier: float
    clip: float
    delta: float
    budget: float
    withheld: float

    def __post_init__(self) -> None:
        numbers = (self.noise_multiplier, self.clip, self.delta, self.budget, self.withheld)
        if not all(map(isfinite, numbers)) or min(self.noise_multiplier, self.clip) <= 0 or self.budget < 0:
            raise LocalError("privacy: noise_multiplier and clip must be above 0, budget at least 0")
        if not (0 < self.delta < 1 and 0 <= self.withheld < 1):
            raise LocalError(f"privacy: delta {self.delta} must be within (0, 1), withheld {self.withheld} in [0, 1)")
        if self.budget and not self.rounds:
            raise LocalError(
                f"privacy: the budget {self.budget} does not last for one round, which costs "
                f"{self.epsilon_micro(1) / 1e6:.3f}; take a larger noise_multiplier, budget or delta"
            )

    @property
    def sigma(self) -> float:
        """Deviation of the noise on an opened sum, in the update's units."""
        return self.noise_multiplier * self.clip

    @property
    def largest_noise(self) -> float:
        """What no member's noise exceeds."""
        return LARGEST * self.sigma / sqrt(CARRIERS_MIN)

    @property
    def rounds(self) -> int:
        """Rounds that the budget lasts for."""
        return self.rounds_within(self.budget)

    def rounds_within(self, budget: float) -> int:
        """Rounds that a budget lasts for, by these terms; 0 is no end."""
        return rounds_within(self.noise_multiplier, self.delta, int(budget * 1e6), ROUNDS_MAX) if budget else ROUNDS_MAX

    def carriers(self, members: int, quorum: int) -> int:
        """Members of any set that may be opened that surely add their noise: the others come all.

        Args:
            members: of the cell.
            quorum: contributors without whom it is not opened.

        Raises:
            LocalError: fewer than two.
        """
        count = quorum - ceil(self.withheld * members)
        if count < CARRIERS_MIN:
            raise LocalError(
                f"a cell of {members} that opens sums of {quorum} cannot promise differential privacy: if "
                f"{ceil(self.withheld * members)} leave their noise out, {max(count, 0)} of {CARRIERS_MIN} are left; "
                "take a larger k_min, fewer dropouts, or a smaller withheld"
            )
        return count

    def member_sigma(self, members: int, quorum: int) -> float:
        """Deviation of one member's noise, in the update's units; see `carriers`."""
        return self.sigma / sqrt(self.carriers(members, quorum))

    def check_step(self, step: float) -> None:
        """Raises LocalError if a grid is too coarse for even the smallest share of the noise to be Gaussian on it."""
        if self.sigma / sqrt(CELL_MAX) < STEPS_MIN * step:
            raise LocalError(
                f"privacy: noise of {self.sigma} in {CELL_MAX} parts is below {STEPS_MIN} steps of the grid, {step}; "
                "take more noise, or a smaller bound of the update"
            )

    def epsilon_micro(self, rounds: int) -> int:
        """Epsilon in millionths of a row that took part in so many rounds."""
        return epsilon_micro(self.noise_multiplier, self.delta, rounds)

    def header_epsilon_micro(self, height: int) -> int:
        """What a header says: no row has cost more. Every height counts as a round, opened or not, up to the budget."""
        return self.epsilon_micro(min(height + 1, self.rounds))
