// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Merkle roots over what accounts have earned in a subnet
/// @notice The subnet's poster posts them; each becomes active after `ACTIVATION_DELAY`, and until then, and later too, the
///         guardian can disable it.
interface IPostedRoots {
    /// @param root of a tree of double hashes keccak256(keccak256(abi.encode(...))), pairs sorted (as OpenZeppelin's): its
    ///        first 26 bytes, which are compared; the event has all of it
    /// @param activeFrom from this time on it counts, seconds
    /// @param disabled whether the guardian took it back
    struct Root {
        bytes26 root;
        uint48 activeFrom;
        bool disabled;
    }

    event RootPosted(uint256 indexed subnetId, uint256 indexed index, bytes32 root, uint48 activeFrom);
    event RootDisabled(uint256 indexed subnetId, uint256 indexed index);

    error NotPoster(uint256 subnetId, address caller);
    error UnknownRoot(uint256 subnetId, uint256 index);
    error RootNotActive(uint256 subnetId, uint256 index, uint48 activeFrom, bool disabled);
    error WrongProof(uint256 subnetId, uint256 index);

    /// @notice Disables a root for good; the guardian only.
    function disableRoot(uint256 subnetId, uint256 index) external;

    /// @notice A root by its index.
    function rootOf(uint256 subnetId, uint256 index) external view returns (Root memory);

    /// @notice How many roots were posted for a subnet.
    function rootCount(uint256 subnetId) external view returns (uint256);

    /// @notice Seconds between posting a root and the first claim by it.
    function ACTIVATION_DELAY() external view returns (uint48);
}
