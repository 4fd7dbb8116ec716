// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAttestation} from "./interfaces/IAttestation.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {IQuorumVerifier} from "./interfaces/IQuorumVerifier.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";
import {KIND_ATTESTATION, Statement, Statements} from "./Statements.sol";

/// @notice See {IAttestation}.
contract Attestation is IAttestation {
    /// @notice The most validators that a table may have.
    uint256 public constant MAX_VALIDATORS = 128;

    /// @dev Aggregated votes of a height: who voted under which snapshot.
    struct Aggregated {
        uint128 voted;
        uint48 snapshotId;
    }

    ISubnetRegistry public immutable SUBNETS;
    /// @inheritdoc IAttestation
    IQuorumVerifier public immutable VERIFIER;
    /// @notice For how long after a vote began nobody reveals.
    uint256 public immutable COMMIT_SECONDS;
    /// @notice How old a snapshot may be under which a vote begins: stake that has left since must still be slashable.
    uint256 public immutable SNAPSHOT_SECONDS;

    mapping(uint256 subnetId => Snapshot[]) private _snapshots;
    mapping(uint256 subnetId => mapping(uint64 height => Aggregated)) private _aggregated;
    mapping(uint256 subnetId => mapping(bytes32 key => Tally)) private _tallies;
    /// @dev The hash's first 26 bytes and the time in seconds, in one word.
    mapping(uint256 subnetId => mapping(uint64 height => mapping(address validator => uint256))) private _commitments;

    constructor(ISubnetRegistry subnets, IQuorumVerifier verifier, uint256 commitSeconds, uint256 snapshotSeconds) {
        SUBNETS = subnets;
        VERIFIER = verifier;
        COMMIT_SECONDS = commitSeconds;
        SNAPSHOT_SECONDS = snapshotSeconds;
    }

    /// @inheritdoc IAttestation
    function snapshot(uint256 subnetId, address[] calldata validators) external returns (uint256 snapshotId) {
        if (validators.length > MAX_VALIDATORS) revert TooManyValidators(validators.length, MAX_VALIDATORS);
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (address named,) = SUBNETS.contractsOf(subnetId);
        IOperatorRegistry operators = IOperatorRegistry(named);
        uint48 number = SafeCast.toUint48(block.number - 1);
        (uint256[] memory table, uint256 total) = _table(operators, subnetId, validators, number);

        bytes32 hash = keccak256(abi.encodePacked(table));
        _snapshots[subnetId].push(
            Snapshot(hash, SafeCast.toUint96(total), SafeCast.toUint48(block.timestamp), number)
        );
        snapshotId = _snapshots[subnetId].length;
        emit SnapshotTaken(subnetId, snapshotId, number, table);
    }

    /// @inheritdoc IAttestation
    function commit(uint256 subnetId, uint64 height, bytes32 commitment) external {
        bool done = _commitments[subnetId][height][msg.sender] != 0;
        if (done) revert AlreadyCommitted(subnetId, height, msg.sender);
        uint256 time = SafeCast.toUint48(block.timestamp);
        _commitments[subnetId][height][msg.sender] = uint256(bytes32(bytes26(commitment))) | time;
        emit Committed(subnetId, height, msg.sender, commitment);
    }

    /// @inheritdoc IAttestation
    function begin(uint256 subnetId, uint64 height, bytes32 key) external {
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (, address anchor) = SUBNETS.contractsOf(subnetId);
        if (msg.sender != anchor) revert NotAnchor(subnetId, msg.sender);
        uint256 count = _snapshots[subnetId].length;
        bool fresh = count != 0 && block.timestamp <= _snapshots[subnetId][count - 1].takenAt + SNAPSHOT_SECONDS;
        if (!fresh) revert NoSnapshot(subnetId);
        Tally storage tally = _tallies[subnetId][key];
        tally.height = height;
        tally.openedAt = SafeCast.toUint48(block.timestamp);
        tally.snapshotId = SafeCast.toUint48(count);
        emit VotingBegan(subnetId, height, key, count);
    }

    /// @inheritdoc IAttestation
    function reveal(
        uint256 subnetId,
        uint64 epoch,
        uint64 height,
        bytes32 key,
        uint256[] calldata table,
        uint256 signers,
        bytes calldata proof
    ) external {
        Tally memory tally = _tallies[subnetId][key];
        _checkOpen(subnetId, height, key, tally);
        Snapshot storage taken = _snapshots[subnetId][tally.snapshotId - 1];
        if (keccak256(abi.encodePacked(table)) != taken.table) revert UnknownTable(subnetId, tally.snapshotId);
        if (signers == 0) revert NobodySigned();
        if (signers & tally.voted != 0) revert VotedAlready(subnetId, height, signers & tally.voted);
        // Zero means never or none, of what nobody else can move.
        // slither-disable-next-line incorrect-equality
        if (tally.revealedAt == 0) tally.revealedAt = uint48(block.timestamp);

        (uint256 weight, bytes32[] memory votes) =
            VERIFIER.verify(_digest(subnetId, epoch, height, key), table, signers, proof);
        if (votes.length == 0) _countOnce(subnetId, height, tally.snapshotId, signers);
        else _checkCommitments(subnetId, height, tally.revealedAt, table, signers, votes);

        tally.voted |= uint128(signers);
        tally.weight += uint96(weight);
        emit Revealed(subnetId, height, key, signers, tally.weight);
        // Zero means never or none, of what nobody else can move.
        // slither-disable-next-line incorrect-equality
        if (tally.quorumAt == 0 && uint256(tally.weight) * 3 >= uint256(taken.total) * 2) {
            tally.quorumAt = uint48(block.timestamp);
            emit QuorumReached(subnetId, height, key);
        }
        _tallies[subnetId][key] = tally;
    }

    /// @inheritdoc IAttestation
    function tallyOf(uint256 subnetId, bytes32 key) external view returns (Tally memory) {
        return _tallies[subnetId][key];
    }

    /// @inheritdoc IAttestation
    function quorumAt(uint256 subnetId, bytes32 key) external view returns (uint48) {
        return _tallies[subnetId][key].quorumAt;
    }

    /// @inheritdoc IAttestation
    function latestSnapshot(uint256 subnetId) external view returns (uint256 snapshotId, Snapshot memory taken) {
        snapshotId = _snapshots[subnetId].length;
        if (snapshotId != 0) taken = _snapshots[subnetId][snapshotId - 1];
    }

    /// @inheritdoc IAttestation
    function snapshotOf(uint256 subnetId, uint256 snapshotId) external view returns (Snapshot memory) {
        if (snapshotId == 0 || snapshotId > _snapshots[subnetId].length) revert NoSnapshot(subnetId);
        return _snapshots[subnetId][snapshotId - 1];
    }

    /// @inheritdoc IAttestation
    function commitmentOf(uint256 subnetId, uint64 height, address validator)
        external
        view
        returns (bytes26 commitment, uint48 time)
    {
        uint256 word = _commitments[subnetId][height][validator];
        return (bytes26(bytes32(word)), uint48(word));
    }

    /// @dev The words of a table, and their weight: what the registry noted of all validators, at most what they have now.
    ///      So stake that has left does not vote, whether or not anybody refreshed it.
    function _table(IOperatorRegistry operators, uint256 subnetId, address[] calldata validators, uint48 number)
        private
        view
        returns (uint256[] memory table, uint256 total)
    {
        table = new uint256[](validators.length);
        uint256 noted = 0;
        for (uint256 i = 0; i < validators.length; ++i) {
            if (i != 0 && validators[i] <= validators[i - 1]) revert NotAscending(validators[i]);
            uint256 weight = operators.validatorWeightAt(subnetId, validators[i], number);
            // Zero means never or none, of what nobody else can move.
            // slither-disable-next-line incorrect-equality
            if (weight == 0) revert NotValidating(subnetId, validators[i]);
            noted += weight;
            weight = Math.min(weight, operators.stakeSource().stake(validators[i]));
            table[i] = uint256(uint160(validators[i])) << 96 | SafeCast.toUint96(weight);
            total += weight;
        }
        uint256 wanted = operators.validatorWeightTotalAt(subnetId, number);
        // Zero means never or none, of what nobody else can move.
        // slither-disable-next-line incorrect-equality
        if (noted != wanted || total == 0) revert IncompleteTable(subnetId, noted, wanted);
    }

    function _checkOpen(uint256 subnetId, uint64 height, bytes32 key, Tally memory tally) private view {
        // Zero means never or none, of what nobody else can move.
        // slither-disable-next-line incorrect-equality
        if (tally.openedAt == 0 || tally.height != height) revert NotVoting(subnetId, height, key);
        uint256 opensAt = tally.openedAt + COMMIT_SECONDS;
        if (block.timestamp < opensAt) revert RevealsNotOpen(subnetId, key, opensAt);
    }

    /// @dev Aggregated votes: nobody is counted twice at a height, whatever for.
    function _countOnce(uint256 subnetId, uint64 height, uint48 snapshotId, uint256 signers) private {
        Aggregated storage round = _aggregated[subnetId][height];
        bool first = round.snapshotId == 0;
        if (!first && round.snapshotId != snapshotId) revert OtherSnapshotCounts(subnetId, height, round.snapshotId);
        if (signers & round.voted != 0) revert VotedAlready(subnetId, height, signers & round.voted);
        round.snapshotId = snapshotId;
        round.voted |= uint128(signers);
    }

    /// @dev Every signer committed to just this signature before the first vote for the checkpoint could be read.
    function _checkCommitments(
        uint256 subnetId,
        uint64 height,
        uint48 revealedAt,
        uint256[] calldata table,
        uint256 signers,
        bytes32[] memory votes
    ) private view {
        mapping(address validator => uint256) storage committed = _commitments[subnetId][height];
        uint256 done = 0;
        for (uint256 i = 0; signers >> i != 0; ++i) {
            if (signers >> i & 1 == 0) continue;
            address validator = address(uint160(table[i] >> 96));
            uint256 word = committed[validator];
            // Equal but for the last 6 bytes, which are the time's.
            if ((word ^ uint256(votes[done])) >> 48 != 0) revert NotCommitted(subnetId, height, validator);
            if (uint48(word) >= revealedAt) revert CommittedTooLate(subnetId, height, validator);
            unchecked {
                ++done;
            }
        }
    }

    function _digest(uint256 subnetId, uint64 epoch, uint64 height, bytes32 key) private view returns (bytes32) {
        return Statements.digest(
            Statement(KIND_ATTESTATION, subnetId, epoch, height, 0, key), address(SUBNETS)
        );
    }
}
