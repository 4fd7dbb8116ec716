// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICheckpointAnchor} from "./ICheckpointAnchor.sol";

/// @title Says where a checkpoint's computation begins and ends, and what one step of it leads to
/// @notice The {IDisputeGame} narrows a dispute down to one step; a verifier decides this step, in one call.
interface IStepVerifier {
    /// @param subnetId the subnet
    /// @param key of the checkpoint that is disputed
    /// @param task the committed computation: hash of key, number of steps, root over their states
    /// @param height of the checkpoint
    /// @param place what tells this step apart from those of other games: `game << 32 | index`
    /// @param before the state before the step, on which both sides agree
    struct Step {
        uint256 subnetId;
        bytes32 key;
        bytes32 task;
        uint64 height;
        uint64 place;
        bytes32 before;
    }

    /// @notice The states with which a checkpoint's computation must begin and end.
    function ends(uint256 subnetId, ICheckpointAnchor.Checkpoint calldata checkpoint)
        external
        view
        returns (bytes32 first, bytes32 last);

    /// @notice What the step leads to; reverts unless the proof shows it.
    /// @param proof in the verifier's own form
    function resultOf(Step calldata step, bytes calldata proof) external view returns (bytes32);

    /// @notice Whether a right defender can always prove its step by itself, so that its silence loses. If not, a step
    ///         that nobody proves leaves the game without a winner.
    function silenceLoses() external view returns (bool);
}
