// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStepVerifier} from "./IStepVerifier.sol";
import {ISubnetRegistry} from "./ISubnetRegistry.sol";

/// @title A step is what two thirds of the validators' weight say it is, each by a signed statement
/// @notice What it proves: validators that hold two thirds of the stake under which the checkpoint is voted on state, each by
///         EIP-712 (kind 6), that the step leads from the agreed state to this one. A validator that states two
///         different results for one step of one game is slashed by the {ICourt}.
///         What it does not prove: that they computed it. It is as good as finality itself, which the same two thirds
///         give; what the game adds is that each of them has to state one small step, which anybody can recompute and
///         hold against them, instead of a whole checkpoint. It takes steps that no contract can: training runs in
///         floating point, and the outer step over the whole model.
/// @dev The first state stands for the parent and all that the header says (sets, sums, total), the last one for the
///      parameters' digest. What lies between is the program of the task, known to whoever runs it.
interface IQuorumStep is IStepVerifier {
    /// @notice The proof, ABI encoded.
    /// @param epoch of the statement
    /// @param result what the step leads to
    /// @param table the words of the snapshot under which the checkpoint is voted on
    /// @param signers bit i: validator i signed
    /// @param signatures for the {IQuorumVerifier} of the subnet
    struct Vote {
        uint64 epoch;
        bytes32 result;
        uint256[] table;
        uint256 signers;
        bytes signatures;
    }

    error TooLittleWeight(uint256 weight, uint256 total);

    /// @notice Where subnets are found; statements are signed for it.
    function SUBNETS() external view returns (ISubnetRegistry);
}
