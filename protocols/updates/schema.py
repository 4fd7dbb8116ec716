"""What an update is made of: named tensors on fixed-point grids. The task sets it, everybody checks against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from protocols.encryption.layout import Layout, Section, check_value_bits
from protocols.errors import LocalError
from protocols.params import VALUE_BITS
from protocols.privacy.promise import Privacy

LIMBS_MAX: Final = 3
"""Sums of 3-limb values over a whole subnet (512 cells of 16) fit in 61 bits; those of 4-limb values would not."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of an update.

    Attributes:
        name: unique within the update.
        shape: of the tensor; () for a scalar.
        step: grid step; a value x travels as the integer round(x / step).
        tau: bound of the tensor's L2 norm before the grid (float('inf') is not allowed).
        limbs: lanes per value, 1 to 3; a value's integer fits in so many signed digits of base 2^value_bits.
        value_bits: bits of a lane's value, 2 to 16: fewer make the grid coarser and the update smaller.
        noise: the largest noise that may lie on a value.
        peak: bound of each single value's magnitude, for coarse grids: a norm is far above what one value reaches.
    """

    name: str
    shape: tuple[int, ...]
    step: float
    tau: float
    limbs: int = 1
    value_bits: int = VALUE_BITS
    noise: float = 0.0
    peak: float = math.inf

    def __post_init__(self) -> None:
        check_value_bits(self.value_bits)
        if not 1 <= self.limbs <= LIMBS_MAX:
            raise LocalError(f"tensor {self.name!r}: limbs must be 1 to {LIMBS_MAX}, not {self.limbs}")
        if not (self.step > 0 and math.isfinite(self.step) and self.tau > 0 and math.isfinite(self.tau)):
            raise LocalError(f"tensor {self.name!r}: step and tau must be finite and above zero")
        if not self.peak > 0:
            raise LocalError(f"tensor {self.name!r}: peak must be above zero, not {self.peak}")
        if self.bound > self.limb_bound:
            raise LocalError(
                f"tensor {self.name!r}: values up to {min(self.tau, self.peak)} need integers up to {self.bound}, but "
                f"{self.limbs} limb(s) hold {self.limb_bound}; take a larger step, a smaller tau or peak, or more limbs"
            )

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def bound(self) -> int:
        """The largest integer of an honest contribution: no value exceeds the tensor's norm or peak and the noise."""
        return math.ceil((min(self.tau, self.peak) + self.noise) / self.step)

    @property
    def limb_bound(self) -> int:
        """The largest integer that the limbs can carry: every signed digit at its largest."""
        digit = (1 << (self.value_bits - 1)) - 1
        return digit * sum(1 << (self.value_bits * limb) for limb in range(self.limbs))


@dataclass(frozen=True, slots=True)
class UpdateSchema:
    """The tensors of an update, in the order in which they travel, and the noise that is promised on their sums."""

    tensors: tuple[TensorSpec, ...]
    privacy: Privacy | None = None

    def __post_init__(self) -> None:
        names = [tensor.name for tensor in self.tensors]
        if not names or len(set(names)) != len(names):
            raise LocalError("an update needs at least one tensor, and tensor names must be unique")
        for tensor in self.tensors if self.privacy is not None else ():
            assert self.privacy is not None
            self.privacy.check_step(tensor.step)
            if tensor.noise < self.privacy.largest_noise:
                raise LocalError(f"tensor {tensor.name!r} has room for noise of {tensor.noise}, less than is promised")

    @property
    def limbs(self) -> int:
        """Lanes that a whole update fills."""
        return sum(tensor.size * tensor.limbs for tensor in self.tensors)

    @property
    def layout(self) -> Layout:
        """How the lanes sit in ciphertexts: a section for each run of tensors with equal value bits."""
        runs = groupby((tensor for tensor in self.tensors if tensor.size), key=lambda tensor: tensor.value_bits)
        return Layout(
            tuple(Section(sum(tensor.size * tensor.limbs for tensor in run), value_bits) for value_bits, run in runs)
        )
