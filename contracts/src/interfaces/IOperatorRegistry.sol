// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeSource} from "./IStakeSource.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @title The operators of every subnet: their roles, their weight, and the peer that speaks for them
/// @notice Records are only ever appended: who was active at a past block can always be read again. Stake stays where the
///         stake source has it, and one stake secures all subnets that its operator joins; here stands what counted when
///         it was last looked at. A peer key belongs to nobody on the chain: it belongs to the earliest active stay whose
///         proof verifies, so claiming another's key gains and blocks nothing.
interface IOperatorRegistry {
    /// @notice One stay of an operator in a subnet; active at block b iff
    ///         joinedBlock <= b and (leftBlock == 0 or leftBlock > b).
    /// @param account the operator
    /// @param stake what it votes with, in units of account, as of the latest `refresh`
    /// @param peer the libp2p identity: an Ed25519 public key
    /// @param roles bit mask of `ROLE_DATA`, `ROLE_COMPUTE`, `ROLE_VALIDATOR`
    /// @param peerProof the peer key's Ed25519 signature that it belongs to `account`. The EVM has no cheap Ed25519:
    ///        every reader verifies it, and ignores an operator whose proof is wrong.
    struct Operator {
        address account;
        uint96 stake;
        bytes32 peer;
        uint64 joinedBlock;
        uint64 leftBlock;
        uint8 roles;
        bytes peerProof;
    }

    event OperatorRegistered(
        uint256 indexed subnetId, address indexed account, bytes32 indexed peer, uint8 roles, uint256 stake
    );
    event OperatorLeft(uint256 indexed subnetId, address indexed account, uint64 leftBlock);
    event StakeRefreshed(uint256 indexed subnetId, address indexed account, uint256 stake);

    error NotThisRegistry(uint256 subnetId, address named);
    error StakeTooSmall(uint256 stake, uint256 minimum);
    error NoVault();
    error BadRoles(uint8 roles);
    error BadPeer(bytes32 peer, uint256 proofBytes);
    error AlreadyRegistered(uint256 subnetId, address account);
    error NotRegistered(uint256 subnetId, address account);

    /// @notice Joins a subnet. The value sent, if any, is staked in `VAULT` for the caller.
    /// @param peer the operator's peer
    /// @param peerProof 64 bytes, verified by whoever reads it
    function register(uint256 subnetId, bytes32 peer, bytes calldata peerProof, uint8 roles) external payable;

    /// @notice Leaves a subnet from this block on; the stake stays where it is.
    function deregister(uint256 subnetId) external;

    /// @notice Takes over what the stake source says now, and ends stays whose stake is too small; anyone may.
    function refresh(uint256 subnetId, address[] calldata accounts) external;

    /// @notice Where stake is counted and slashed.
    function stakeSource() external view returns (IStakeSource);

    /// @notice The subnet registry whose subnets are served.
    function SUBNETS() external view returns (address);

    /// @notice The vault for the native coin; zero if values are not taken.
    function VAULT() external view returns (IStakeVault);

    /// @notice How many stays have been recorded in a subnet.
    function operatorCount(uint256 subnetId) external view returns (uint256);

    /// @notice At most `limit` stays in the order of joining, from index `start` on.
    function operators(uint256 subnetId, uint256 start, uint256 limit) external view returns (Operator[] memory);

    /// @notice An operator's present stay; all zero if it is not active.
    function standing(uint256 subnetId, address account)
        external
        view
        returns (uint8 roles, uint96 stake, uint64 joinedBlock);

    /// @notice The stake of all active validators of a subnet, in units of account.
    function validatorStake(uint256 subnetId) external view returns (uint256);

    /// @notice What a validator voted with at the end of a past block; 0 if it was none.
    function validatorWeightAt(uint256 subnetId, address account, uint48 blockNumber) external view returns (uint256);

    /// @notice What all validators together voted with at the end of a past block.
    function validatorWeightTotalAt(uint256 subnetId, uint48 blockNumber) external view returns (uint256);
}
