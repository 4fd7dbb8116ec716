// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC6909} from "@openzeppelin/contracts/interfaces/IERC6909.sol";
import {ICumulativeRoots} from "./ICumulativeRoots.sol";

/// @title Inference fees, and the royalty shares by which they are divided
/// @notice A subnet's shares are an ERC-6909 token whose id is the subnet's. All `SUPPLY` of them are minted into this
///         vault when the subnet's royalties are opened; backers of its proposal get the first, contributors the others as
///         they contribute. Only shares that were given out earn. What comes in is divided among whoever holds shares at
///         that moment, so a share that moves neither gains nor loses.
interface IRoyaltyVault is IERC6909, ICumulativeRoots {
    event RoyaltiesOpened(uint256 indexed subnetId, uint256 reserved);
    event FeePaid(uint256 indexed subnetId, address indexed payer, uint256 amount, uint256 toRewards);
    event Divided(uint256 indexed subnetId, uint256 amount, uint256 toParents);
    event SharesGiven(uint256 indexed subnetId, address indexed account, uint256 shares, bool asBacker);
    event DividendPaid(uint256 indexed subnetId, address indexed account, uint256 amount);

    error RoyaltiesClosed(uint256 subnetId);
    error RoyaltiesOpen(uint256 subnetId);
    error BeyondPool(uint256 subnetId, uint256 wanted, uint256 left);
    error NothingToPay(uint256 subnetId, address account);

    /// @notice Mints a subnet's shares and reserves those of its backers; the governor only, once.
    function open(uint256 subnetId, uint256 reserved) external;

    /// @notice Gives reserved shares to a backer; the governor only.
    function giveReserved(uint256 subnetId, address account, uint256 shares) external;

    /// @notice Gives an account the shares it has earned by contribution beyond those it was given; anyone may call.
    /// @param cumulative all shares that it has earned
    /// @param index of an active root with leaf (chain id, this contract, subnetId, account, cumulative)
    function claimShares(
        uint256 subnetId,
        address account,
        uint256 cumulative,
        uint256 index,
        bytes32[] calldata proof
    ) external returns (uint256 shares);

    /// @notice Pays a fee in $2PM (approved before) for inference: a part to the subnet's rewards, the rest to its holders
    ///         and those of its parents.
    function pay(uint256 subnetId, uint256 amount) external;

    /// @notice Divides what waits for a subnet among its holders; anyone may. Nothing happens while nobody holds shares.
    function divide(uint256 subnetId) external;

    /// @notice Pays an account its dividends; anyone may call for it.
    function claim(uint256 subnetId, address account) external returns (uint256 amount);

    /// @notice What `claim` would pay now, without what waits for `divide`.
    function dividendOf(uint256 subnetId, address account) external view returns (uint256);

    /// @notice What waits to be divided.
    function waiting(uint256 subnetId) external view returns (uint256);

    /// @notice Shares in holders' hands.
    function given(uint256 subnetId) external view returns (uint256);

    /// @notice Shares kept for backers.
    function reservedOf(uint256 subnetId) external view returns (uint256);

    /// @notice Shares an account was given by contribution.
    function earnedOf(uint256 subnetId, address account) external view returns (uint256);

    /// @notice What the leaf of a claim of shares is hashed from once: keccak256(abi.encode(...)).
    function leafOf(uint256 subnetId, address account, uint256 cumulative) external view returns (bytes32);
}
