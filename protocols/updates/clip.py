"""Fixed point: an update's real tensors, clipped in norm, as integers on each tensor's grid; sums of them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocols.errors import LocalError
from protocols.updates.schema import TensorSpec, UpdateSchema

_LARGEST: Final = float(np.nextafter(2.0**63, 0))
"""The largest float64 that fits in int64."""


Noise = Callable[[TensorSpec], npt.NDArray[np.float64]]
"""A tensor's noise, of its shape and in its units."""


def to_grid(
    tensors: Mapping[str, npt.NDArray[Any]], schema: UpdateSchema, noise: Noise | None = None
) -> dict[str, npt.NDArray[np.int64]]:
    """Each tensor scaled down to its L2 norm tau where it is longer, noise added, divided by its step, rounded to even.

    Scaling into a ball brings no two tensors further apart, so it leaves what one row can change within its clip.

    Raises:
        LocalError: tensors are missing or unknown, of another shape, not real numbers, or hold a NaN or an infinity.
    """
    if set(tensors) != {spec.name for spec in schema.tensors}:
        raise LocalError(f"an update has the tensors of its schema, not {', '.join(sorted(tensors)) or 'none'}")
    return {spec.name: _tensor_to_grid(tensors[spec.name], spec, noise) for spec in schema.tensors}


def _tensor_to_grid(tensor: npt.NDArray[Any], spec: TensorSpec, noise: Noise | None) -> npt.NDArray[np.int64]:
    if tensor.shape != spec.shape or tensor.dtype.kind not in "fiu":
        raise LocalError(f"tensor {spec.name!r} is real{list(spec.shape)}, not {tensor.dtype}{list(tensor.shape)}")
    values = tensor.astype(np.float64)
    if not np.isfinite(values).all():
        raise LocalError(
            f"tensor {spec.name!r} holds a NaN or an infinity; the training diverged or its data is unclean"
        )
    clipped = _clip_norm(values, spec.tau)
    steps = np.rint((clipped if noise is None else clipped + noise(spec)) / spec.step)
    largest = min(float(spec.bound), _LARGEST)
    return np.clip(np.clip(steps, -largest, largest).astype(np.int64), -spec.bound, spec.bound)


def _clip_norm(values: npt.NDArray[np.float64], tau: float) -> npt.NDArray[np.float64]:
    """Values with an L2 norm of at most tau; squares are taken relative to the largest, so that none overflows."""
    peak = float(np.abs(values).max(initial=0.0))
    if peak == 0:
        return values
    unit = values / peak
    norm = float(np.sqrt(np.sum(unit * unit)))
    return values if peak <= tau / norm else unit * (tau / norm)


def off_grid(
    tensors: Mapping[str, npt.NDArray[Any]], integers: Mapping[str, npt.NDArray[np.int64]], schema: UpdateSchema
) -> dict[str, npt.NDArray[np.float64]]:
    """What `to_grid` left of the clipped tensors when it made these integers of them, for error feedback."""
    clipped = {spec.name: _clip_norm(tensors[spec.name].astype(np.float64), spec.tau) for spec in schema.tensors}
    return {spec.name: clipped[spec.name] - integers[spec.name] * spec.step for spec in schema.tensors}


def from_grid(sums: Mapping[str, npt.NDArray[np.int64]], schema: UpdateSchema) -> dict[str, npt.NDArray[np.float64]]:
    """Sums of grid integers as real tensors, float64 of each tensor's shape."""
    return {spec.name: sums[spec.name].astype(np.float64) * spec.step for spec in schema.tensors}
