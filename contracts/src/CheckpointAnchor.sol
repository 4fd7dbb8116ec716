// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICheckpointAnchor} from "./interfaces/ICheckpointAnchor.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";
import {ROLE_COMPUTE, ROLE_VALIDATOR} from "./Roles.sol";

/// @notice See {ICheckpointAnchor}.
contract CheckpointAnchor is ICheckpointAnchor {
    /// @notice How many checkpoints may stand above the newest final one: bounds the walk that makes them final.
    uint256 public constant MAX_UNFINAL = 256;

    ISubnetRegistry public immutable SUBNETS;
    IOperatorRegistry public immutable OPERATORS;

    mapping(uint256 subnetId => bytes32[]) private _headers;
    mapping(uint256 subnetId => mapping(bytes32 header => Checkpoint)) private _checkpoints;
    /// @inheritdoc ICheckpointAnchor
    mapping(uint256 subnetId => bytes32) public finalHeader;
    /// @inheritdoc ICheckpointAnchor
    mapping(uint256 subnetId => mapping(uint64 height => mapping(address validator => bytes32))) public attestedBy;

    constructor(ISubnetRegistry subnets, IOperatorRegistry operators) {
        SUBNETS = subnets;
        OPERATORS = operators;
    }

    /// @inheritdoc ICheckpointAnchor
    function propose(uint256 subnetId, uint64 height, bytes32 header, bytes32 parent, bytes32 paramsDigest) external {
        if (SUBNETS.openedBlock(subnetId) == 0) revert SubnetClosed(subnetId);
        (uint8 roles,,) = OPERATORS.standing(subnetId, msg.sender);
        if (roles & ROLE_COMPUTE == 0) revert NotComputing(subnetId, msg.sender);
        if (header == 0) revert ZeroHeader();
        Checkpoint storage entry = _checkpoints[subnetId][header];
        if (entry.blockNumber != 0) revert AlreadyProposed(subnetId, header, entry.height);

        entry.depth = _depthAbove(subnetId, height, parent);
        entry.header = header;
        entry.parent = parent;
        entry.paramsDigest = paramsDigest;
        entry.proposer = msg.sender;
        entry.height = height;
        entry.blockNumber = SafeCast.toUint64(block.number);
        entry.totalStake = SafeCast.toUint96(OPERATORS.validatorStake(subnetId));
        _headers[subnetId].push(header);
        emit Proposed(subnetId, height, header, parent, paramsDigest, msg.sender);
    }

    /// @inheritdoc ICheckpointAnchor
    function attest(uint256 subnetId, uint64 height, bytes32 header) external {
        Checkpoint storage entry = _checkpoints[subnetId][header];
        if (entry.blockNumber == 0 || entry.height != height) revert UnknownCheckpoint(subnetId, height, header);
        (uint8 roles, uint96 stake, uint64 joined) = OPERATORS.standing(subnetId, msg.sender);
        if (roles & ROLE_VALIDATOR == 0) revert NotValidating(subnetId, msg.sender);
        // Who joined in the proposal's own block may be missing in its total, so only earlier ones count.
        if (joined >= entry.blockNumber) revert JoinedTooLate(subnetId, msg.sender, joined, entry.blockNumber);
        bytes32 earlier = attestedBy[subnetId][height][msg.sender];
        if (earlier != 0) revert AlreadyAttested(subnetId, height, msg.sender, earlier);

        attestedBy[subnetId][height][msg.sender] = header;
        entry.attestedStake += stake;
        emit Attested(subnetId, height, header, msg.sender, stake);
        bool quorum = uint256(entry.attestedStake) * 3 >= uint256(entry.totalStake) * 2;
        if (quorum && !entry.isFinal) _finalise(subnetId, header);
    }

    /// @inheritdoc ICheckpointAnchor
    function checkpointCount(uint256 subnetId) external view returns (uint256) {
        return _headers[subnetId].length;
    }

    /// @inheritdoc ICheckpointAnchor
    function checkpoints(uint256 subnetId, uint256 start, uint256 limit)
        external
        view
        returns (Checkpoint[] memory page)
    {
        bytes32[] storage headers = _headers[subnetId];
        uint256 left = start < headers.length ? headers.length - start : 0;
        page = new Checkpoint[](limit < left ? limit : left);
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = _checkpoints[subnetId][headers[start + i]];
        }
    }

    /// @dev The depth of a new checkpoint on `parent`, after checking that it may stand there.
    function _depthAbove(uint256 subnetId, uint64 height, bytes32 parent) private view returns (uint32 depth) {
        Checkpoint storage below = _checkpoints[subnetId][parent];
        bytes32 tip = finalHeader[subnetId];
        Checkpoint storage last = _checkpoints[subnetId][tip];
        if (parent == 0) {
            if (tip != 0) revert UnknownParent(subnetId, parent);
            return 1;
        }
        if (below.blockNumber == 0) revert UnknownParent(subnetId, parent);
        if (height <= below.height) revert NotAboveParent(height, below.height);
        if (tip != 0 && height <= last.height) revert BelowFinal(subnetId, height, last.height);
        depth = below.depth + 1;
        if (depth > last.depth + MAX_UNFINAL) revert FinalityLags(subnetId, last.height, MAX_UNFINAL);
    }

    /// @dev Makes a checkpoint and its ancestors final, down to the newest final one, on which they must stand: a
    ///      quorum for a checkpoint is a quorum for its history, so one missed attestation cannot stop the chain.
    function _finalise(uint256 subnetId, bytes32 header) private {
        bytes32 tip = finalHeader[subnetId];
        bytes32 cursor = header;
        while (cursor != tip) {
            Checkpoint storage entry = _checkpoints[subnetId][cursor];
            if (cursor == 0 || entry.isFinal) revert ConflictsWithFinal(subnetId, header, tip);
            entry.isFinal = true;
            emit Finalised(subnetId, entry.height, cursor);
            cursor = entry.parent;
        }
        finalHeader[subnetId] = header;
    }
}
