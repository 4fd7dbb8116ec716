// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @notice A Merkle tree over double hashes with sorted pairs, made where the tests need one.
library Tree {
    function root(bytes32[] memory inner) internal pure returns (bytes32) {
        bytes32[] memory level = _leaves(inner);
        while (level.length > 1) {
            level = _above(level);
        }
        return level[0];
    }

    function proof(bytes32[] memory inner, uint256 place) internal pure returns (bytes32[] memory path) {
        bytes32[] memory level = _leaves(inner);
        path = new bytes32[](0);
        while (level.length > 1) {
            if (place ^ 1 < level.length) path = _with(path, level[place ^ 1]);
            level = _above(level);
            place /= 2;
        }
    }

    function _leaves(bytes32[] memory inner) private pure returns (bytes32[] memory level) {
        level = new bytes32[](inner.length);
        for (uint256 i = 0; i < inner.length; ++i) {
            level[i] = keccak256(bytes.concat(inner[i]));
        }
    }

    function _above(bytes32[] memory level) private pure returns (bytes32[] memory next) {
        next = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            bool alone = 2 * i + 1 == level.length;
            next[i] = alone ? level[2 * i] : Hashes.commutativeKeccak256(level[2 * i], level[2 * i + 1]);
        }
    }

    function _with(bytes32[] memory path, bytes32 one) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
        longer[path.length] = one;
    }
}
