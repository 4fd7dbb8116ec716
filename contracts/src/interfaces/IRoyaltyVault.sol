// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC6909} from "@openzeppelin/contracts/interfaces/IERC6909.sol";
import {IPostedRoots} from "./IPostedRoots.sol";

/// @title Inference fees, and the royalty shares by which they are divided
/// @notice A subnet's shares are an ERC-6909 token whose id is the subnet's. All `SUPPLY` of them are minted into this
///         vault when the subnet's royalties are opened. A share earns from the moment it is granted: those of the backers of
///         its proposal when royalties are opened, those of contributors when the root over them is posted. Whoever claims
///         them later gets with them what they have earned since; nobody else does. Shares that were not granted earn
///         nothing. A share that moves neither gains nor loses: what came in before is its old holder's.
interface IRoyaltyVault is IERC6909, IPostedRoots {
    event RoyaltiesOpened(uint256 indexed subnetId, uint256 reserved);
    event FeePaid(uint256 indexed subnetId, address indexed payer, uint256 amount, uint256 toRewards);
    event Divided(uint256 indexed subnetId, uint256 amount, uint256 toParents);
    event SharesGranted(uint256 indexed subnetId, uint256 indexed index, uint256 shares);
    event SharesTakenBack(uint256 indexed subnetId, uint256 indexed index, uint256 shares);
    event SharesGiven(uint256 indexed subnetId, address indexed account, uint256 shares, bool asBacker);
    event DividendPaid(uint256 indexed subnetId, address indexed account, uint256 amount);

    error RoyaltiesClosed(uint256 subnetId);
    error RoyaltiesOpen(uint256 subnetId);
    error BeyondPool(uint256 subnetId, uint256 wanted, uint256 left);
    error BeyondGrant(uint256 subnetId, uint256 index, uint256 wanted, uint256 left);
    error SharesGivenBefore(uint256 subnetId, uint256 index, address account);
    error NothingToPay(uint256 subnetId, address account);

    /// @notice Mints a subnet's shares and reserves those of its backers; the governor only, once.
    function open(uint256 subnetId, uint256 reserved) external;

    /// @notice Gives reserved shares, and what they have earned since royalties were opened, to a backer; the governor only.
    function giveReserved(uint256 subnetId, address account, uint256 shares) external;

    /// @notice Grants shares to contributors, which earn from now on; the subnet's poster only. Those of a root that the
    ///         guardian disables are granted no more, as far as nobody claimed them, and what they earned is the others'.
    /// @param root over leaves (chain id, this contract, subnetId, account, shares), at most one an account
    /// @param shares of all leaves together
    /// @return index of the root
    function grant(uint256 subnetId, bytes32 root, uint256 shares) external returns (uint256 index);

    /// @notice Gives an account the shares that were granted to it by a root, and what they have earned since; once. Anyone
    ///         may call for it.
    /// @param shares of its leaf
    /// @param index of an active root
    function claimShares(
        uint256 subnetId,
        address account,
        uint256 shares,
        uint256 index,
        bytes32[] calldata proof
    ) external;

    /// @notice Pays a fee in $2PM (approved before) for inference: a part to the subnet's rewards, the rest to its holders
    ///         and those of its parents.
    function pay(uint256 subnetId, uint256 amount) external;

    /// @notice Divides what waits for a subnet among its granted shares; anyone may. Nothing happens while there are none.
    function divide(uint256 subnetId) external;

    /// @notice Pays an account its dividends; anyone may call for it.
    function claim(uint256 subnetId, address account) external returns (uint256 amount);

    /// @notice What `claim` would pay now, without what waits for `divide`, or comes with shares that are not claimed yet.
    function dividendOf(uint256 subnetId, address account) external view returns (uint256);

    /// @notice What waits to be divided.
    function waiting(uint256 subnetId) external view returns (uint256);

    /// @notice What shares had earned that were taken back: it waits for the others. Parents had their part of it.
    function returned(uint256 subnetId) external view returns (uint256);

    /// @notice Shares that earn: in holders' hands, reserved, or granted and not claimed yet.
    function granted(uint256 subnetId) external view returns (uint256);

    /// @notice Shares in holders' hands.
    function given(uint256 subnetId) external view returns (uint256);

    /// @notice Shares kept for backers.
    function reservedOf(uint256 subnetId) external view returns (uint256);

    /// @notice Shares granted to contributors that nobody has claimed yet.
    function unclaimed(uint256 subnetId) external view returns (uint256);

    /// @notice Of those, the ones of one root.
    function unclaimedOf(uint256 subnetId, uint256 index) external view returns (uint256);

    /// @notice Whether an account was given its shares of a root.
    function wasGiven(uint256 subnetId, uint256 index, address account) external view returns (bool);

    /// @notice What the leaf of a claim of shares is hashed from once: keccak256(abi.encode(...)).
    function leafOf(uint256 subnetId, address account, uint256 shares) external view returns (bytes32);
}
