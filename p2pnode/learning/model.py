"""The model's canonical bytes: whoever holds the same parameters and optimiser state holds the same digest."""

from __future__ import annotations

import math
from typing import Any, Final

import msgpack
import numpy as np
import numpy.typing as npt

from protocols.errors import MalformedError
from protocols.types import Digest
from protocols.updates.pieces import blob_digest

Tensors = dict[str, npt.NDArray[Any]]
"""Named arrays: a model's parameters, or its optimiser's state."""

VERSION: Final = 1
DTYPES: Final = ("<f4", "<f8", "<i8")
MAX_MODEL_BYTES: Final = 1 << 30
MAX_TENSORS: Final = 1024
MAX_NAME_BYTES: Final = 128
MAX_DIMENSIONS: Final = 8


def model_bytes(params: Tensors, state: Tensors) -> bytes:
    """Canonical bytes: msgpack [version, params, state], each a list of [name, dtype, shape, values] sorted by name.

    Values are little-endian in C order; dtypes are float32, float64 and int64.
    """
    packed: bytes = msgpack.packb([VERSION, _rows(params), _rows(state)])
    return packed


def model_digest(params: Tensors, state: Tensors) -> Digest:
    """What names `model_bytes` (protocols/updates/pieces.py)."""
    return blob_digest(model_bytes(params, state))


def load_model(data: bytes) -> tuple[Tensors, Tensors]:
    """Inverse of `model_bytes`: (params, state).

    Raises:
        MalformedError: too large, or not the canonical encoding of a model.
    """
    if len(data) > MAX_MODEL_BYTES:
        raise MalformedError(f"model: {len(data)} bytes exceed the limit of {MAX_MODEL_BYTES}")
    try:
        version, params, state = msgpack.unpackb(data)
        if type(version) is not int or version != VERSION:
            raise MalformedError(f"model: version {version!r}, this node reads {VERSION}")
        model = _tensors(params), _tensors(state)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise MalformedError(f"model cannot be read: {error}") from error
    if model_bytes(*model) != data:
        raise MalformedError("model: not in canonical encoding")
    return model


def _rows(tensors: Tensors) -> list[list[object]]:
    rows: list[list[object]] = []
    for name, tensor in sorted(tensors.items()):
        dtype = tensor.dtype.newbyteorder("<")
        assert dtype.str in DTYPES, f"tensor {name!r} is {tensor.dtype}; a model holds {', '.join(DTYPES)}"
        rows.append([name, dtype.str, list(tensor.shape), tensor.astype(dtype).tobytes()])
    return rows


def _tensors(rows: object) -> Tensors:
    if not isinstance(rows, list) or len(rows) > MAX_TENSORS:
        raise MalformedError(f"model: needs a list of at most {MAX_TENSORS} tensors")
    return dict(_tensor(*row) for row in rows)


def _tensor(name: object, dtype: object, shape: object, values: object) -> tuple[str, npt.NDArray[Any]]:
    if not isinstance(name, str) or len(name.encode()) > MAX_NAME_BYTES:
        raise MalformedError(f"model: a tensor's name is text of at most {MAX_NAME_BYTES} bytes")
    if dtype not in DTYPES or not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise MalformedError(f"model: tensor {name!r} has dtype {dtype!r} and shape {shape!r}")
    if not all(type(length) is int and 0 <= length <= MAX_MODEL_BYTES for length in shape):
        raise MalformedError(f"model: tensor {name!r} has shape {shape!r}")
    width = np.dtype(str(dtype))
    if not isinstance(values, bytes) or len(values) != math.prod(shape) * width.itemsize:
        raise MalformedError(f"model: tensor {name!r} does not hold {shape} values of {dtype}")
    return name, np.frombuffer(values, width).reshape(shape).astype(width.newbyteorder("="))
