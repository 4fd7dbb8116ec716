"""The Merkle trees under which cumulative amounts are posted: as OpenZeppelin's MerkleProof reads them.

A leaf is hashed twice, a node is the hash of its children in ascending order, an odd node is promoted.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from contracts.dao import Pot


def reward_leaf(chain_id: int, distributor: bytes, subnet_id: int, pot: Pot, account: bytes, cumulative: int) -> bytes:
    """What an account has earned in all for one role, as `RewardDistributor.leafOf` has it, 32 bytes."""
    types = ["uint256", "address", "uint256", "uint8", "address", "uint256"]
    return keccak(encode(types, (chain_id, distributor, subnet_id, int(pot), account, cumulative)))


def share_leaf(chain_id: int, vault: bytes, subnet_id: int, account: bytes, shares: int) -> bytes:
    """What a root grants to an account, as `RoyaltyVault.leafOf` has it, 32 bytes."""
    types = ["uint256", "address", "uint256", "address", "uint256"]
    return keccak(encode(types, (chain_id, vault, subnet_id, account, shares)))


class RewardTree:
    """A tree over leaves of 32 bytes; raises `ValueError` if there are none.

    Attributes:
        root: 32 bytes.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves:
            raise ValueError("nobody has earned anything: there is no tree")
        self._levels = [[keccak(leaf) for leaf in leaves]]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = (below[i : i + 2] for i in range(0, len(below), 2))
            self._levels.append([keccak(b"".join(sorted(pair))) if len(pair) == 2 else pair[0] for pair in pairs])
        self.root = self._levels[-1][0]

    def proof(self, position: int) -> list[bytes]:
        """The siblings from a leaf up to the root."""
        path = []
        for level in self._levels[:-1]:
            sibling = position ^ 1
            path += [level[sibling]] if sibling < len(level) else []
            position //= 2
        return path
