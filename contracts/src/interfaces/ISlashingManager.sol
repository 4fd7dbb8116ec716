// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The one way from a proven offence to a slash: a veto window, a cap an epoch, each offence once
/// @notice Courts report what they have proven; after the veto window anybody has it executed on the stake source.
interface ISlashingManager {
    /// @notice Reports a proven offence; the courts only. Reporting the same id again changes nothing.
    /// @param offence id: the hash of what makes it unique (kind, subnet, operator, slot)
    /// @param operator whom it costs
    /// @param when when it was committed, seconds
    /// @param share of the slashable stake at that time, of 1e18
    function report(bytes32 offence, uint256 subnetId, address operator, uint48 when, uint64 share) external;
}
