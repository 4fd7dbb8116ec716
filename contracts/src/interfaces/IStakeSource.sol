// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Where an operator's slashable stake comes from: our own vaults, or EigenLayer
/// @notice Amounts are in units of account: each asset's amount times its weight. Times are block timestamps in seconds.
interface IStakeSource {
    event StakeSlashed(bytes32 indexed offence, address indexed operator, uint48 when, uint64 share, uint256 amount);

    error AlreadySlashed(bytes32 offence);
    error BadShare(uint64 share);
    error OffenceInFuture(uint48 when);

    /// @notice What an operator votes with now: its own and delegated stake, without what is on its way out.
    function stake(address operator) external view returns (uint256);

    /// @notice What can still be taken from an operator for an offence at time `when`: never more than what was slashable
    ///         then less what was slashed since, never more than there is now, and 0 for an offence more than
    ///         `exitDelay` ago.
    function slashableStake(address operator, uint48 when) external view returns (uint256);

    /// @notice As `stake`, and makes sure that it is known later; whoever counts a stake takes it by this.
    function note(address operator) external returns (uint256);

    /// @notice For how long, in seconds, stake stays slashable at least after its owner asked for it back.
    function exitDelay() external view returns (uint48);

    /// @notice Takes `share` of `slashableStake(operator, when)` away; the slasher only, once for each offence.
    /// @param share of 1e18; greater than 0, at most 1e18
    /// @param offence whatever makes the offence unique; a second slash for it is refused
    /// @return amount taken; 0 if there is nothing left to take
    function slash(address operator, uint48 when, uint64 share, bytes32 offence) external returns (uint256 amount);

    /// @notice Whether an offence has been slashed.
    function slashedFor(bytes32 offence) external view returns (bool);
}
