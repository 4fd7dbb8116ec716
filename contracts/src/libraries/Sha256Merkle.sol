// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The SHA-256 Merkle trees of protocols/README.md, section 8.3, as protocols/merkle.py has them
/// @dev A node is SHA-256(0x01 || left || right); an odd node is promoted as it is. Positions and counts are the
///      caller's, never the proof's: so an inner node cannot pass for a leaf.
library Sha256Merkle {
    bytes32 private constant EMPTY = 0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855;

    error NoSha256();

    /// @dev Where the precompile is missing the call succeeds and answers nothing: any tree would have the same root, and any
    ///      bytes would be what was stated. Who hashes asks for it once, in its constructor.
    function demandPrecompile() internal pure {
        if (sha256("") != EMPTY) revert NoSha256();
    }

    error PathTooLong(uint256 length, uint256 needed);
    error PathTooShort(uint256 length);
    error NoSuchLeaf(uint256 position, uint256 count);

    /// @notice The root to which a node at a position among `count` leads by siblings from `path[start]` on.
    /// @return reached where the path ends
    /// @return next the first sibling that was not used
    function climb(bytes32 node, uint256 position, uint256 count, bytes32[] calldata path, uint256 start)
        internal
        pure
        returns (bytes32 reached, uint256 next)
    {
        if (position >= count) revert NoSuchLeaf(position, count);
        (reached, next) = (node, start);
        while (count > 1) {
            // A node has a sibling unless it is the last of an odd number.
            if (position & 1 == 1 || position + 1 < count) {
                if (next == path.length) revert PathTooShort(path.length);
                bytes32 sibling = path[next++];
                (bytes32 left, bytes32 right) = position & 1 == 1 ? (sibling, reached) : (reached, sibling);
                reached = sha256(abi.encodePacked(bytes1(0x01), left, right));
            }
            (count, position) = ((count + 1) / 2, position / 2);
        }
    }

    /// @notice As {climb}, by the whole path and no less.
    function root(bytes32 node, uint256 position, uint256 count, bytes32[] calldata path, uint256 start)
        internal
        pure
        returns (bytes32 found)
    {
        uint256 next;
        (found, next) = climb(node, position, count, path, start);
        if (next != path.length) revert PathTooLong(path.length, next);
    }
}
