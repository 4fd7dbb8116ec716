"""What a subnet is founded with; field by field the structs of contracts/src/interfaces/ISubnetRegistry.sol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Windows:
    """How long disputes may take, in seconds."""

    anchor_seconds: int = 0
    challenge_seconds: int = 0
    resolution_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Economics:
    """Who gets what; basis points of 10,000. Computing power to data is 7 to 3, as 2PM specifies."""

    verifier_bps: int = 1000
    dao_bps: int = 500
    compute_parts: int = 7
    data_parts: int = 3
    reward_bps: int = 5000
    backer_bps: int = 1000
    poster: bytes = bytes(20)

    def encoded(self) -> tuple[object, ...]:
        """In the order of the contract's struct."""
        return _values(self)


@dataclass(frozen=True, slots=True)
class Parent:
    """An earlier subnet's model that this one builds on, and its part of the royalties."""

    subnet_id: int
    bps: int


@dataclass(frozen=True, slots=True)
class Terms:
    """All of it; addresses of 20 bytes, digests of 32."""

    founder: bytes
    operators: bytes
    anchor: bytes
    params: bytes
    task: bytes
    model: bytes = bytes(32)
    schema: bytes = bytes(32)
    windows: Windows = Windows()
    economics: Economics = Economics()
    parents: tuple[Parent, ...] = ()

    def encoded(self) -> tuple[object, ...]:
        """In the order of the contract's struct."""
        return (
            *(self.founder, self.operators, self.anchor, self.model, self.schema, self.params, self.task),
            *(_values(self.windows), _values(self.economics), [_values(parent) for parent in self.parents]),
        )


def _values(struct: Windows | Economics | Parent) -> tuple[object, ...]:
    return tuple(getattr(struct, name) for name in struct.__slots__)
