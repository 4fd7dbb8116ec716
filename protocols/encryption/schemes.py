"""The schemes by the names that a subnet's parameters give them."""

from __future__ import annotations

from typing import Final

from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.ring import Ring, data_ring
from protocols.encryption.scheme import Scheme
from protocols.errors import LocalError

COMPILED_FROM: Final = 8
"""Ciphertexts of an update (130,000 values) from which compiled kernels repay the seconds that they take to load."""


def scheme(name: str, ciphertexts: int = 1) -> Scheme:
    """The scheme of that name; the kernels follow from how many ciphertexts its updates have.

    Raises:
        LocalError: there is none.
    """
    known: dict[str, type[OneTimeKeyScheme | PlaintextScheme]] = {
        kind.name: kind for kind in (OneTimeKeyScheme, PlaintextScheme)
    }
    if name not in known:
        raise LocalError(f"unknown encryption scheme {name!r}; known: {', '.join(known)}")
    return known[name](_compiled_ring() if ciphertexts >= COMPILED_FROM else data_ring())


def _compiled_ring() -> Ring:
    from protocols.encryption.compiled import compiled_ring  # takes a second and 90 MB

    return compiled_ring()
