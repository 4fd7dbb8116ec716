"""Gaussian noise from a secret seed, so that a test can repeat what in a node nobody can."""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from protocols.errors import LocalError
from protocols.types import Secret

SEED_BYTES: Final = 32
LARGEST: Final = 9.5
"""No value is larger: the smallest uniform is 2^-65, and sqrt(-2 ln 2^-65) = 9.492. A Gaussian is once in 10^21."""


def gaussian(seed: Secret, use: str, count: int) -> npt.NDArray[np.float64]:
    """Independent standard normal values, float64[count]. A seed serves one update; each use has its own stream.

    Box and Muller (1958) on 64-bit words of SHAKE-256. What floating point makes of the low bits does not matter: the
    values are rounded to a grid on which their deviation is several steps, in secret, before anybody sees them.

    Raises:
        LocalError: the seed is not 32 bytes.
    """
    value = seed.reveal()
    if len(value) != SEED_BYTES:
        raise LocalError(f"a seed of noise has {SEED_BYTES} bytes, not {len(value)}")
    parts = (b"2pm/noise/v1", value, use.encode())
    label = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    pairs = -(-count // 2)
    words = np.frombuffer(hashlib.shake_256(label).digest(16 * pairs), "<u8").reshape(2, pairs)
    uniform = (words.astype(np.float64) + 0.5) * 2.0**-64
    radius, angle = np.sqrt(-2 * np.log(uniform[0])), 2 * np.pi * uniform[1]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
