// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The operators of every subnet: their stake, their roles, and the peer that speaks for them
/// @notice Records are only ever appended: who was active at a past block can always be read again.
interface IOperatorRegistry {
    /// @notice One stay of an operator in a subnet; active at block b iff
    ///         joinedBlock <= b and (leftBlock == 0 or leftBlock > b).
    /// @param account the operator
    /// @param stake in wei, bound until `EXIT_DELAY_BLOCKS` after leaving
    /// @param peer the libp2p identity: an Ed25519 public key
    /// @param roles bit mask of `ROLE_DATA`, `ROLE_COMPUTE`, `ROLE_VALIDATOR`
    /// @param withdrawn whether the stake has been paid back
    /// @param peerProof the peer key's Ed25519 signature that it belongs to `account`. The EVM has no cheap Ed25519:
    ///        every reader verifies it, and ignores an operator whose proof is wrong.
    struct Operator {
        address account;
        uint96 stake;
        bytes32 peer;
        uint64 joinedBlock;
        uint64 leftBlock;
        uint8 roles;
        bool withdrawn;
        bytes peerProof;
    }

    event OperatorRegistered(
        uint256 indexed subnetId, address indexed account, bytes32 indexed peer, uint8 roles, uint256 stake
    );
    event OperatorLeft(uint256 indexed subnetId, address indexed account, uint64 leftBlock);
    event StakeWithdrawn(uint256 indexed subnetId, address indexed account, uint256 index, uint256 stake);

    error NotThisRegistry(uint256 subnetId, address named);
    error StakeTooSmall(uint256 sent, uint256 minimum);
    error BadRoles(uint8 roles);
    error BadPeer(bytes32 peer, uint256 proofBytes);
    error AlreadyRegistered(uint256 subnetId, address account);
    error PeerTaken(uint256 subnetId, bytes32 peer, address owner);
    error NotRegistered(uint256 subnetId, address account);
    error UnknownOperator(uint256 subnetId, uint256 index);
    error NotYourStake(uint256 subnetId, uint256 index, address owner);
    error StakeLocked(uint256 subnetId, uint256 untilBlock);
    error StillActive(uint256 subnetId, address account);
    error AlreadyWithdrawn(uint256 subnetId, uint256 index);

    /// @notice Joins a subnet with the value sent as stake.
    /// @param peer the operator's peer; belongs to the first operator that registers it, also after it left
    /// @param peerProof 64 bytes, verified by whoever reads it
    function register(uint256 subnetId, bytes32 peer, bytes calldata peerProof, uint8 roles) external payable;

    /// @notice Leaves a subnet from this block on; the stake stays bound for `EXIT_DELAY_BLOCKS` more.
    function deregister(uint256 subnetId) external;

    /// @notice Pays the stake of an ended stay back to its operator.
    /// @param index the stay's index in `operators`
    function withdraw(uint256 subnetId, uint256 index) external;

    /// @notice How many stays have been recorded in a subnet.
    function operatorCount(uint256 subnetId) external view returns (uint256);

    /// @notice At most `limit` stays in the order of joining, from index `start` on.
    function operators(uint256 subnetId, uint256 start, uint256 limit) external view returns (Operator[] memory);

    /// @notice An operator's present stay; all zero if it is not active.
    function standing(uint256 subnetId, address account)
        external
        view
        returns (uint8 roles, uint96 stake, uint64 joinedBlock);

    /// @notice The stake of all active validators of a subnet, in wei.
    function validatorStake(uint256 subnetId) external view returns (uint256);
}
