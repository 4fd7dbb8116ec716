"""How a run ended, whichever backend ran it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        digests: the final parameters' digest (hex) of each member that finished.
        model: the final parameters and optimiser state as `p2pnode.learning.model` encodes them.
    """

    digests: dict[str, str] = field(default_factory=dict)
    model: bytes = b""
