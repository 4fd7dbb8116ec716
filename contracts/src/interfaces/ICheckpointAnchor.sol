// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The checkpoints of every subnet, and which of them are final
/// @notice Computing operators propose headers, staked validators attest them. The final ones form one chain: a header
///         with two thirds of the stake becomes final together with its ancestors, and nothing final is ever undone.
interface ICheckpointAnchor {
    /// @param header digest of the checkpoint's header; unique in its subnet
    /// @param parent the header it builds on; zero for a first one
    /// @param paramsDigest digest of the model's parameters
    /// @param proposer who sent it
    /// @param height the round it closes; above its parent's
    /// @param depth how many checkpoints stand below it
    /// @param blockNumber where it was proposed
    /// @param attestedStake of validators that attested it, in wei
    /// @param totalStake of all active validators when it was proposed, in wei
    /// @param isFinal whether it is final
    struct Checkpoint {
        bytes32 header;
        bytes32 parent;
        bytes32 paramsDigest;
        address proposer;
        uint64 height;
        uint32 depth;
        uint64 blockNumber;
        uint96 attestedStake;
        uint96 totalStake;
        bool isFinal;
    }

    event Proposed(
        uint256 indexed subnetId, uint64 indexed height, bytes32 indexed header, bytes32 parent, bytes32 paramsDigest,
        address proposer
    );
    event Attested(
        uint256 indexed subnetId, uint64 indexed height, bytes32 indexed header, address validator, uint256 stake
    );
    event Finalised(uint256 indexed subnetId, uint64 indexed height, bytes32 indexed header);

    error SubnetClosed(uint256 subnetId);
    error NotComputing(uint256 subnetId, address account);
    error NotValidating(uint256 subnetId, address account);
    error JoinedTooLate(uint256 subnetId, address account, uint64 joinedBlock, uint64 proposedBlock);
    error ZeroHeader();
    error AlreadyProposed(uint256 subnetId, bytes32 header, uint64 height);
    error UnknownParent(uint256 subnetId, bytes32 parent);
    error UnknownCheckpoint(uint256 subnetId, uint64 height, bytes32 header);
    error NotAboveParent(uint64 height, uint64 parentHeight);
    error BelowFinal(uint256 subnetId, uint64 height, uint64 finalHeight);
    error FinalityLags(uint256 subnetId, uint64 finalHeight, uint256 limit);
    error ConflictsWithFinal(uint256 subnetId, bytes32 header, bytes32 finalHeader);
    error AlreadyAttested(uint256 subnetId, uint64 height, address validator, bytes32 header);

    /// @notice Proposes a checkpoint; heights of abandoned rounds are skipped.
    function propose(uint256 subnetId, uint64 height, bytes32 header, bytes32 parent, bytes32 paramsDigest) external;

    /// @notice Attests a checkpoint, once per validator and height.
    function attest(uint256 subnetId, uint64 height, bytes32 header) external;

    /// @notice How many checkpoints have been proposed in a subnet.
    function checkpointCount(uint256 subnetId) external view returns (uint256);

    /// @notice At most `limit` checkpoints in the order of their proposals, from index `start` on.
    function checkpoints(uint256 subnetId, uint256 start, uint256 limit) external view returns (Checkpoint[] memory);

    /// @notice The newest final header, zero if there is none.
    function finalHeader(uint256 subnetId) external view returns (bytes32);

    /// @notice Which header a validator attested at a height, zero if none.
    function attestedBy(uint256 subnetId, uint64 height, address validator) external view returns (bytes32);
}
