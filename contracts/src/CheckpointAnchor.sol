// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAttestation} from "./interfaces/IAttestation.sol";
import {ICheckpointAnchor} from "./interfaces/ICheckpointAnchor.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";
import {ROLE_COMPUTE} from "./Roles.sol";

/// @notice See {ICheckpointAnchor}.
contract CheckpointAnchor is ICheckpointAnchor, AccessManaged {
    /// @notice How many checkpoints may stand above the newest final one: bounds the walk that makes them final.
    uint256 public constant MAX_UNFINAL = 256;

    ISubnetRegistry public immutable SUBNETS;
    /// @inheritdoc ICheckpointAnchor
    IAttestation public immutable ATTESTATION;
    uint256 public immutable BOND_WEI;
    /// @inheritdoc ICheckpointAnchor
    uint256 public immutable CHALLENGE_SECONDS;

    /// @inheritdoc ICheckpointAnchor
    mapping(uint256 subnetId => mapping(address proposer => bytes32)) public rollingOf;
    /// @inheritdoc ICheckpointAnchor
    mapping(uint256 subnetId => bytes32) public finalKey;
    mapping(uint256 subnetId => mapping(address proposer => Bond)) private _bonds;
    mapping(uint256 subnetId => mapping(bytes32 key => Record)) private _records;

    constructor(
        ISubnetRegistry subnets,
        IAttestation attestation,
        uint256 bondWei,
        uint256 challengeSeconds,
        address authority
    ) AccessManaged(authority) {
        SUBNETS = subnets;
        ATTESTATION = attestation;
        BOND_WEI = bondWei;
        CHALLENGE_SECONDS = challengeSeconds;
    }

    // -- bonds --------------------------------------------------------------------------------------------------------

    /// @inheritdoc ICheckpointAnchor
    function bond(uint256 subnetId) external payable {
        // From its opening on a reader sees every bond, and so every rolling hash, from its beginning.
        if (SUBNETS.openedBlock(subnetId) == 0) revert SubnetClosed(subnetId);
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (address operators,) = SUBNETS.contractsOf(subnetId);
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (uint8 roles,,) = IOperatorRegistry(operators).standing(subnetId, msg.sender);
        if (roles & ROLE_COMPUTE == 0) revert NotComputing(subnetId, msg.sender);
        if (msg.value != BOND_WEI) revert WrongBond(msg.value, BOND_WEI);
        Bond storage mine = _bonds[subnetId][msg.sender];
        if (mine.amount != 0 || mine.leftAt != 0) revert AlreadyBonded(subnetId, msg.sender);
        mine.amount = SafeCast.toUint128(msg.value);
        bytes32 rolling = keccak256(abi.encode(subnetId, msg.sender, block.number));
        rollingOf[subnetId][msg.sender] = rolling;
        emit Bonded(subnetId, msg.sender, rolling);
    }

    /// @inheritdoc ICheckpointAnchor
    function unbond(uint256 subnetId) external {
        Bond storage mine = _bonds[subnetId][msg.sender];
        if (mine.amount == 0 || mine.leftAt != 0) revert NotBonded(subnetId, msg.sender);
        mine.leftAt = SafeCast.toUint48(block.timestamp);
        delete rollingOf[subnetId][msg.sender];
        emit Unbonded(subnetId, msg.sender);
    }

    /// @inheritdoc ICheckpointAnchor
    function withdrawBond(uint256 subnetId) external {
        Bond memory mine = _bonds[subnetId][msg.sender];
        // Zero means never or none, of what nobody else can move.
        // slither-disable-next-line incorrect-equality
        if (mine.leftAt == 0) revert NotBonded(subnetId, msg.sender);
        uint256 free = mine.leftAt + CHALLENGE_SECONDS;
        bool locked = block.timestamp <= free || mine.disputes != 0;
        if (locked) revert BondLocked(subnetId, msg.sender, free, mine.disputes);
        delete _bonds[subnetId][msg.sender];
        emit BondReturned(subnetId, msg.sender, mine.amount);
        Address.sendValue(payable(msg.sender), mine.amount);
    }

    // -- checkpoints --------------------------------------------------------------------------------------------------

    /// @inheritdoc ICheckpointAnchor
    function propose(uint256 subnetId, uint64 height, bytes32 header, bytes32 parent, bytes32 paramsDigest) external {
        bytes32 rolling = rollingOf[subnetId][msg.sender];
        if (rolling == 0) revert NotBonded(subnetId, msg.sender);
        bytes32 key = keccak256(abi.encode(subnetId, height, header, parent, paramsDigest));
        rollingOf[subnetId][msg.sender] = _roll(rolling, key, block.timestamp << 48 | block.number);
        emit Proposed(subnetId, height, header, parent, paramsDigest, msg.sender);
    }

    /// @inheritdoc ICheckpointAnchor
    function open(uint256 subnetId, Checkpoint calldata checkpoint, Place calldata place) external {
        if (checkpoint.header == 0) revert ZeroHeader();
        bytes32 key = keyOf(subnetId, checkpoint);
        Record storage record = _records[subnetId][key];
        if (record.status != Status.None) revert AlreadyOpened(subnetId, key);
        _checkProposed(subnetId, key, place);
        record.depth = _depthAbove(subnetId, checkpoint.height, checkpoint.parent);
        record.parent = checkpoint.parent;
        record.proposer = place.proposer;
        record.proposedAt = _windowFrom(subnetId, checkpoint.parent, place.time);
        record.proposedBlock = place.blockNumber;
        record.height = checkpoint.height;
        record.status = Status.Open;
        emit Opened(subnetId, checkpoint.height, key, place.proposer);
        ATTESTATION.begin(subnetId, checkpoint.height, key);
    }

    /// @inheritdoc ICheckpointAnchor
    /// @dev A quorum for a checkpoint is one for its history, so one missed vote cannot stop the chain.
    function finalise(uint256 subnetId, bytes32 key) external {
        if (ATTESTATION.quorumAt(subnetId, key) == 0) revert NoQuorum(subnetId, key);
        bytes32 tip = finalKey[subnetId];
        bytes32 cursor = key;
        while (cursor != tip) {
            Record storage record = _records[subnetId][cursor];
            // Below a first checkpoint stands nothing (None), below a fork one that is final already.
            if (record.status != Status.Open) revert ConflictsWithFinal(subnetId, key, tip);
            if (record.disputes != 0) revert Disputed(subnetId, cursor);
            uint256 closesAt = record.proposedAt + CHALLENGE_SECONDS;
            if (block.timestamp <= closesAt) revert WindowOpen(subnetId, cursor, closesAt);
            record.status = Status.Final;
            emit Finalised(subnetId, record.height, cursor);
            cursor = record.parent;
        }
        finalKey[subnetId] = key;
    }

    // -- disputes -----------------------------------------------------------------------------------------------------

    /// @inheritdoc ICheckpointAnchor
    function hold(uint256 subnetId, bytes32 key) external restricted {
        Record storage record = _records[subnetId][key];
        if (record.status != Status.Open) revert UnknownCheckpoint(subnetId, key);
        uint256 closesAt = record.proposedAt + CHALLENGE_SECONDS;
        if (block.timestamp > closesAt) revert WindowClosed(subnetId, key, closesAt);
        ++record.disputes;
        ++_bonds[subnetId][record.proposer].disputes;
        emit Held(subnetId, key, record.disputes);
    }

    /// @inheritdoc ICheckpointAnchor
    function settle(uint256 subnetId, bytes32 key, bool upheld) external restricted returns (uint256 amount) {
        Record storage record = _records[subnetId][key];
        if (record.disputes == 0) revert NotHeld(subnetId, key);
        Bond storage behind = _bonds[subnetId][record.proposer];
        --record.disputes;
        --behind.disputes;
        emit Settled(subnetId, key, upheld);
        if (!upheld) return 0;
        record.status = Status.Rejected;
        amount = behind.amount;
        if (amount == 0) return 0;
        behind.amount = 0;
        delete rollingOf[subnetId][record.proposer];
        emit BondForfeited(subnetId, record.proposer, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    // -- views --------------------------------------------------------------------------------------------------------

    /// @inheritdoc ICheckpointAnchor
    function keyOf(uint256 subnetId, Checkpoint calldata checkpoint) public pure returns (bytes32) {
        return keccak256(abi.encode(subnetId, checkpoint));
    }

    /// @inheritdoc ICheckpointAnchor
    function recordOf(uint256 subnetId, bytes32 key) external view returns (Record memory) {
        return _records[subnetId][key];
    }

    /// @inheritdoc ICheckpointAnchor
    function bondOf(uint256 subnetId, address proposer) external view returns (Bond memory) {
        return _bonds[subnetId][proposer];
    }

    function _roll(bytes32 rolling, bytes32 key, uint256 when) private pure returns (bytes32) {
        return keccak256(abi.encode(rolling, key, when));
    }

    /// @dev That the proposal leads to the proposer's present rolling hash.
    function _checkProposed(uint256 subnetId, bytes32 key, Place calldata place) private view {
        bytes32 rolling = _roll(place.before, key, uint256(place.time) << 48 | place.blockNumber);
        for (uint256 i = 1; i < place.later.length; i += 2) {
            rolling = _roll(rolling, place.later[i - 1], uint256(place.later[i]));
        }
        // Two hashes.
        // slither-disable-next-line incorrect-equality
        bool stands = rolling == rollingOf[subnetId][place.proposer];
        if (!stands) revert NotProposed(subnetId, key, place.proposer);
    }

    /// @dev A window begins no sooner than that of what stands below. A checkpoint can be opened, and so disputed, only above
    ///      an opened one: who proposed it before its parent was known would have its window pass meanwhile.
    function _windowFrom(uint256 subnetId, bytes32 parent, uint48 time) private view returns (uint48) {
        uint48 below = _records[subnetId][parent].proposedAt;
        return below > time ? below : time;
    }

    /// @dev The depth of a new record on `parent`, after checking that it may stand there.
    function _depthAbove(uint256 subnetId, uint64 height, bytes32 parent) private view returns (uint32 depth) {
        bytes32 tip = finalKey[subnetId];
        Record storage last = _records[subnetId][tip];
        if (tip != 0 && height <= last.height) revert BelowFinal(subnetId, height, last.height);
        if (parent == 0) {
            if (tip != 0) revert UnknownParent(subnetId, parent);
            return 1;
        }
        Record storage below = _records[subnetId][parent];
        bool stands = below.status == Status.Open || below.status == Status.Final;
        if (!stands) revert UnknownParent(subnetId, parent);
        if (height <= below.height) revert NotAboveParent(height, below.height);
        depth = below.depth + 1;
        if (depth > last.depth + MAX_UNFINAL) revert FinalityLags(subnetId, last.height, MAX_UNFINAL);
    }
}
