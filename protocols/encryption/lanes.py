"""Integers of an update's tensors as lanes, and the lanes' sums as the integers' sums.

A value of a tensor with L limbs of b bits (16 unless the tensor says otherwise) is written in L signed digits of base
2^b, each from -2^(b-1) to 2^(b-1) - 1; every digit travels in a lane of its own and is summed there exactly. Tensors
follow one another in the schema's order; within a tensor all lowest digits come first (values in C order), then all
next ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from protocols.encryption.scheme import Lanes
from protocols.errors import LocalError, RemoteError
from protocols.types import Digest
from protocols.updates.schema import TensorSpec, UpdateSchema

Integers = npt.NDArray[np.int64]


def pack_values(values: Mapping[str, Integers], schema: UpdateSchema) -> Lanes:
    """The lanes of one update, int64[schema.limbs].

    Raises:
        LocalError: tensors are missing or unknown, of another shape or type, or beyond their bound.
    """
    if set(values) != {tensor.name for tensor in schema.tensors}:
        raise LocalError(f"an update has the tensors of its schema, not {', '.join(sorted(values)) or 'none'}")
    return np.concatenate([_digits(values[tensor.name], tensor) for tensor in schema.tensors])


def _digits(values: Integers, tensor: TensorSpec) -> Lanes:
    if values.dtype != np.int64 or values.shape != tensor.shape:
        raise LocalError(f"tensor {tensor.name!r} is int64{list(tensor.shape)}, not {values.dtype}{list(values.shape)}")
    if values.size and max(-int(values.min()), int(values.max())) > tensor.bound:
        raise LocalError(
            f"tensor {tensor.name!r} has a value beyond its bound of {tensor.bound}; clip it to its grid first"
        )
    half = 1 << (tensor.value_bits - 1)
    rest, digits = values.ravel(), np.empty((tensor.limbs, tensor.size), dtype=np.int64)
    for limb in range(tensor.limbs):
        digits[limb] = (rest + half & 2 * half - 1) - half
        rest = (rest - digits[limb]) >> tensor.value_bits
    return digits.ravel()


def lanes_digest(lanes: Lanes) -> Digest:
    """SHA-256 of the lanes as int64 LE: by it a peer knows the very same update again."""
    return Digest(hashlib.sha256(np.ascontiguousarray(lanes, "<i8").data).digest())


def unpack_sums(lanes: Lanes, schema: UpdateSchema) -> dict[str, Integers]:
    """The tensors' sums, int64 of each tensor's shape, from the summed lanes.

    Sums over a whole subnet (512 cells of 16 updates) fit in int64.

    Raises:
        LocalError: another number of lanes than the schema's.
    """
    if lanes.shape != (schema.limbs,):
        raise LocalError(f"an update of this schema fills {schema.limbs} lanes, not {lanes.shape}")
    sums, start = {}, 0
    for tensor in schema.tensors:
        stop = start + tensor.size * tensor.limbs
        sums[tensor.name] = _recombine(lanes[start:stop].reshape(tensor.limbs, tensor.size), tensor)
        start = stop
    return sums


def _recombine(digits: Integers, tensor: TensorSpec) -> Integers:
    """Sum of digit_k 2^(value_bits k); at most 3 digits, summed over at most 8,192 contributors: never beyond int64."""
    weights = np.int64(1) << tensor.value_bits * np.arange(tensor.limbs, dtype=np.int64)
    value: Integers = (digits * weights[:, None]).sum(axis=0)
    return value.reshape(tensor.shape)


def check_sum(sums: Mapping[str, Integers], schema: UpdateSchema, contributors: int) -> None:
    """Raises RemoteError if a sum is larger than so many honest contributions could make it."""
    for tensor in schema.tensors:
        values, limit = sums[tensor.name], contributors * tensor.bound
        if values.size and max(-int(values.min()), int(values.max())) > limit:
            raise RemoteError(
                f"the sum of tensor {tensor.name!r} exceeds {limit}, what {contributors} honest contributors reach; "
                "one of them is outside its bound"
            )
