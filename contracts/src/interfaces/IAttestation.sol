// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IQuorumVerifier} from "./IQuorumVerifier.sol";

/// @title The validators' votes on checkpoints: committed first, revealed later, weighed by a snapshot of their stake
/// @notice A validator commits to the hash of its own EIP-712 signature and reveals the signature once commitments are
///         closed, so that nobody can vote by copying what another found. Anybody may reveal for many at once.
interface IAttestation {
    /// @param table hash of the table's words (see {IQuorumVerifier})
    /// @param total weight of all validators
    /// @param takenAt seconds
    /// @param blockNumber whose weights they are
    struct Snapshot {
        bytes32 table;
        uint96 total;
        uint48 takenAt;
        uint48 blockNumber;
    }

    /// @param weight of the votes so far
    /// @param height of the checkpoint
    /// @param openedAt when voting began, seconds; 0: it did not
    /// @param quorumAt when two thirds were reached, seconds; 0: not yet
    /// @param voted bit i: validator i of the snapshot
    /// @param snapshotId under which the votes are weighed
    /// @param revealedAt when the first votes were revealed, seconds; 0: not yet
    struct Tally {
        uint96 weight;
        uint64 height;
        uint48 openedAt;
        uint48 quorumAt;
        uint128 voted;
        uint48 snapshotId;
        uint48 revealedAt;
    }

    event SnapshotTaken(uint256 indexed subnetId, uint256 indexed snapshotId, uint48 blockNumber, uint256[] table);
    event VotingBegan(uint256 indexed subnetId, uint64 indexed height, bytes32 indexed key, uint256 snapshotId);
    event Committed(uint256 indexed subnetId, uint64 indexed height, address indexed validator, bytes32 commitment);
    event Revealed(uint256 indexed subnetId, uint64 indexed height, bytes32 indexed key, uint256 signers, uint96 weight);
    event QuorumReached(uint256 indexed subnetId, uint64 indexed height, bytes32 indexed key);

    error AlreadyCommitted(uint256 subnetId, uint64 height, address validator);
    error CommittedTooLate(uint256 subnetId, uint64 height, address validator);
    error IncompleteTable(uint256 subnetId, uint256 weight, uint256 total);
    error NotAnchor(uint256 subnetId, address caller);
    error NotAscending(address account);
    error NotCommitted(uint256 subnetId, uint64 height, address validator);
    error NoSnapshot(uint256 subnetId);
    error NotValidating(uint256 subnetId, address account);
    error NotVoting(uint256 subnetId, uint64 height, bytes32 key);
    error NobodySigned();
    error OtherSnapshotCounts(uint256 subnetId, uint64 height, uint256 snapshotId);
    error RevealsNotOpen(uint256 subnetId, bytes32 key, uint256 opensAt);
    error TooManyValidators(uint256 count, uint256 limit);
    error UnknownTable(uint256 subnetId, uint256 snapshotId);
    error VotedAlready(uint256 subnetId, uint64 height, uint256 again);

    /// @notice Takes down the weights of all validators at the block before this one, at most the stake that each of them
    ///         has now; anybody may.
    /// @param validators all of them, addresses ascending: their weights must add up to the registry's total
    function snapshot(uint256 subnetId, address[] calldata validators) external returns (uint256 snapshotId);

    /// @notice Commits the caller to one vote at a height: the hash of its signature. Once a height, and so it can vote
    ///         for one checkpoint of this height only.
    function commit(uint256 subnetId, uint64 height, bytes32 commitment) external;

    /// @notice Begins the vote on a checkpoint under the newest snapshot; the subnet's anchor only.
    function begin(uint256 subnetId, uint64 height, bytes32 key) external;

    /// @notice Counts votes for a checkpoint whose commitments came before any vote for it was revealed.
    /// @dev Where signatures are aggregated before they reach the chain there are no votes to copy and no commitments:
    ///      there a height's votes are all counted under the snapshot of the first ones, once for each validator.
    /// @param epoch the statement's (see {Statement}); the same for all
    /// @param table the snapshot's words
    /// @param signers bit i: validator i's vote is in the proof, and not yet counted
    /// @param proof for the subnet's {IQuorumVerifier}
    function reveal(
        uint256 subnetId, uint64 epoch, uint64 height, bytes32 key, uint256[] calldata table, uint256 signers,
        bytes calldata proof
    ) external;

    /// @notice The votes on a checkpoint.
    function tallyOf(uint256 subnetId, bytes32 key) external view returns (Tally memory);

    /// @notice When two thirds of the weight were reached, seconds; 0: not yet.
    function quorumAt(uint256 subnetId, bytes32 key) external view returns (uint48);

    /// @notice The newest snapshot's number, counted from 1, and the snapshot; 0 if there is none.
    function latestSnapshot(uint256 subnetId) external view returns (uint256 snapshotId, Snapshot memory);

    /// @notice A snapshot by its number.
    function snapshotOf(uint256 subnetId, uint256 snapshotId) external view returns (Snapshot memory);

    /// @notice What a validator committed to at a height (its first 26 bytes) and when; zero if nothing.
    function commitmentOf(uint256 subnetId, uint64 height, address validator)
        external
        view
        returns (bytes26 commitment, uint48 time);

    /// @notice Who checks the votes.
    function VERIFIER() external view returns (IQuorumVerifier);
}
