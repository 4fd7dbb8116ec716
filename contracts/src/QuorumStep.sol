// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAttestation} from "./interfaces/IAttestation.sol";
import {ICheckpointAnchor} from "./interfaces/ICheckpointAnchor.sol";
import {IQuorumStep} from "./interfaces/IQuorumStep.sol";
import {IStepVerifier} from "./interfaces/IStepVerifier.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";
import {KIND_STEP, Statement, Statements} from "./Statements.sol";

/// @notice See {IQuorumStep}.
contract QuorumStep is IQuorumStep {
    /// @inheritdoc IQuorumStep
    ISubnetRegistry public immutable SUBNETS;

    constructor(ISubnetRegistry subnets) {
        SUBNETS = subnets;
    }

    /// @inheritdoc IStepVerifier
    function ends(uint256 subnetId, ICheckpointAnchor.Checkpoint calldata checkpoint)
        external
        pure
        returns (bytes32 first, bytes32 last)
    {
        first = keccak256(abi.encode("first state", subnetId, checkpoint.parent, checkpoint.header));
        last = keccak256(abi.encode("last state", checkpoint.paramsDigest));
    }

    /// @inheritdoc IStepVerifier
    function resultOf(Step calldata step, bytes calldata proof) external view returns (bytes32) {
        Vote memory vote = abi.decode(proof, (Vote));
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (, address anchor) = SUBNETS.contractsOf(step.subnetId);
        IAttestation attestation = ICheckpointAnchor(anchor).ATTESTATION();
        uint48 snapshotId = attestation.tallyOf(step.subnetId, step.key).snapshotId;
        IAttestation.Snapshot memory taken = attestation.snapshotOf(step.subnetId, snapshotId);
        if (keccak256(abi.encodePacked(vote.table)) != taken.table) {
            revert IAttestation.UnknownTable(step.subnetId, snapshotId);
        }
        bytes32 value = Statements.stepValue(step.task, step.before, vote.result);
        bytes32 digest = Statements.digest(
            Statement(KIND_STEP, step.subnetId, vote.epoch, step.height, step.place, value), address(SUBNETS)
        );
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (uint256 weight,) = attestation.VERIFIER().verify(digest, vote.table, vote.signers, vote.signatures);
        if (weight * 3 < uint256(taken.total) * 2) revert TooLittleWeight(weight, taken.total);
        return vote.result;
    }

    /// @inheritdoc IStepVerifier
    /// @dev A defender cannot make validators sign.
    function silenceLoses() external pure returns (bool) {
        return false;
    }
}
