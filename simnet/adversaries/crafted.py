"""What a dishonest contributor made, with what those who check the world need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from protocols.encryption.scheme import Lanes
from protocols.rounds.contribution import Encrypted


@dataclass(frozen=True)
class Crafted(Encrypted):
    """What is known of an update beside itself.

    Attributes:
        truth: what its ciphertexts add to a sum; None where it can be added to no sum that opens.
        starved: members whose dealt share is wrong, and can be shown to be.
    """

    truth: Lanes | None
    starved: frozenset[int] = frozenset()
