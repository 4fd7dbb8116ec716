// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IPostedRoots} from "./IPostedRoots.sol";

/// @title Rewards in $2PM for those who verify, compute and bring data, and the DAO's share
/// @notice What is funded is split at once into four pots by the subnet's economics; a later change of those changes
///         nothing that is here already. Claims never exceed their pot. Roots are over what each account has earned from the
///         subnet's beginning: amounts only ever grow, so any active root is as good as the newest for what it holds.
interface IRewardDistributor is IPostedRoots {
    /// @notice For what something was earned.
    enum Pot {
        Verifier,
        Dao,
        Compute,
        Data
    }

    /// @param funded all that ever came in
    /// @param claimed all that was ever paid
    struct Balance {
        uint128 funded;
        uint128 claimed;
    }

    /// @notice One of several claims; its fields are those of `claim`.
    struct Claim {
        uint256 subnetId;
        Pot pot;
        address account;
        uint256 cumulative;
        uint256 index;
        bytes32[] proof;
    }

    event Funded(uint256 indexed subnetId, address indexed payer, uint256 amount);
    event RewardClaimed(uint256 indexed subnetId, address indexed account, Pot pot, uint256 amount);

    error NotClaimable(Pot pot);
    error NothingDue(address account, uint256 cumulative, uint256 claimed);
    error BeyondPot(uint256 subnetId, Pot pot, uint256 due, uint256 left);

    /// @notice Puts $2PM (approved before) into a subnet's pots.
    function fund(uint256 subnetId, uint256 amount) external;

    /// @notice Posts a root; the subnet's poster only.
    function postRoot(uint256 subnetId, bytes32 root) external returns (uint256 index);

    /// @notice Pays an account what it has earned beyond what it was paid; anyone may call for it.
    /// @param cumulative all that it has earned for this pot's work
    /// @param index of an active root with leaf (chain id, this contract, subnetId, pot, account, cumulative)
    function claim(
        uint256 subnetId,
        Pot pot,
        address account,
        uint256 cumulative,
        uint256 index,
        bytes32[] calldata proof
    ) external returns (uint256 amount);

    /// @notice Many claims in one transaction, which costs much less for each; anyone may send it. What was claimed already,
    ///         say by another transaction just before, is passed over; anything else that is wrong reverts all.
    /// @return sum of what was paid
    function claimMany(Claim[] calldata claims) external returns (uint256 sum);

    /// @notice Writes what accounts' first claims would write for the first time, so that each costs its sender as little as a
    ///         later one (17,100 gas less); who calls this, say the subnet's poster, pays more than that for each. Anyone may;
    ///         it changes nothing that is due.
    function prepare(uint256 subnetId, Pot pot, address[] calldata accounts) external;

    /// @notice Sends the DAO's share to the treasury; anyone may.
    function payDao(uint256 subnetId) external returns (uint256 amount);

    /// @notice A pot of a subnet.
    function balanceOf(uint256 subnetId, Pot pot) external view returns (Balance memory);

    /// @notice What an account was paid from a pot.
    function claimedOf(uint256 subnetId, Pot pot, address account) external view returns (uint256);

    /// @notice Whether `prepare`, or a claim, was made for an account.
    function isPrepared(uint256 subnetId, Pot pot, address account) external view returns (bool);

    /// @notice What the leaf of a claim is hashed from once: keccak256(abi.encode(...)).
    function leafOf(uint256 subnetId, Pot pot, address account, uint256 cumulative) external view returns (bytes32);
}
