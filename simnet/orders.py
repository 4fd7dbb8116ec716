"""What the launcher tells its worker processes; light to import, since the launcher starts them before all else."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from simnet.scenario import Scenario

BLOB_BUDGET_BYTES: Final = 4 << 30
"""Of each node's disk."""


Order = Literal["start", "kill", "revive", "mute", "unmute"]


class Orders(BaseModel):
    """What a worker is to do: run these members of the scenario in this subnet.

    Attributes:
        began: Unix seconds of the run's time 0.
        registry: of the subnets, in hex.
        court: to which offences are reported, in hex; empty if there is none.
        host: the address of this machine at which its nodes listen.
    """

    model_config = ConfigDict(frozen=True)

    worker: str
    scenario: Scenario
    members: tuple[str, ...]
    folder: Path
    began: float
    chain: str
    registry: str
    subnet: int
    court: str = ""
    host: str = "127.0.0.1"


class Command(BaseModel):
    """What a worker is told on the way: to start its nodes, or what is to become of some of them."""

    model_config = ConfigDict(frozen=True)

    do: Order
    peers: tuple[str, ...] = ()
    bootstrap: str = ""
