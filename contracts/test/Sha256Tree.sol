// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice The trees of protocols/merkle.py, written once more: an odd node is promoted as it is.
library Sha256Tree {
    function root(bytes32[] memory level) internal pure returns (bytes32) {
        if (level.length == 0) return 0;
        while (level.length > 1) level = _above(level);
        return level[0];
    }

    function path(bytes32[] memory level, uint256 place) internal pure returns (bytes32[] memory siblings) {
        siblings = new bytes32[](32);
        uint256 count;
        for (; level.length > 1; (level, place) = (_above(level), place / 2)) {
            if (place ^ 1 < level.length) siblings[count++] = level[place ^ 1];
        }
        assembly ("memory-safe") {
            mstore(siblings, count)
        }
    }

    function _above(bytes32[] memory level) private pure returns (bytes32[] memory next) {
        next = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            bool alone = 2 * i + 1 == level.length;
            next[i] = alone ? level[2 * i] : sha256(bytes.concat(bytes1(0x01), level[2 * i], level[2 * i + 1]));
        }
    }
}
