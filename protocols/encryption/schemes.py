"""The schemes by the names that a subnet's parameters give them."""

from __future__ import annotations

from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.plaintext import PlaintextScheme
from protocols.encryption.scheme import Scheme
from protocols.errors import LocalError


def scheme(name: str) -> Scheme:
    """The scheme of that name.

    Raises:
        LocalError: there is none.
    """
    known: dict[str, type[Scheme]] = {kind.name: kind for kind in (OneTimeKeyScheme, PlaintextScheme)}
    if name not in known:
        raise LocalError(f"unknown encryption scheme {name!r}; known: {', '.join(known)}")
    return known[name]()
