// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeSource} from "./IStakeSource.sol";

/// @title The one way from a proven offence to a slash: a veto window, a cap an epoch, each offence once
/// @notice Courts report what they have proven; after the veto window anybody has it executed on the stake source.
/// @dev All offences of an operator that were reported in one epoch are slashed together, once: so neither their order
///      nor a repeated report makes a difference.
interface ISlashingManager {
    /// @param operator whom it costs
    /// @param share of the slashable stake, of 1e18
    /// @param epoch in which it was reported
    /// @param vetoed whether the DAO took it back
    /// @param source whose stake it costs
    struct Offence {
        address operator;
        uint64 share;
        uint32 epoch;
        bool vetoed;
        IStakeSource source;
    }

    /// @param share of all offences that stand, of 1e18; uncapped
    /// @param when the earliest of them was committed, seconds
    /// @param executed whether they were slashed
    struct Sentence {
        uint128 share;
        uint48 when;
        bool executed;
    }

    event Reported(bytes32 indexed offence, uint256 indexed subnetId, address indexed operator, uint64 share);
    event Vetoed(bytes32 indexed offence);
    event Executed(address indexed source, address indexed operator, uint256 epoch, uint64 share, uint256 amount);

    error AlreadyExecuted(address operator, uint256 epoch);
    error TooEarly(uint256 opensAt);
    error UnknownOffence(bytes32 offence);

    /// @notice Reports a proven offence; the courts only. Reporting the same id again changes nothing.
    /// @param offence id: the hash of what makes it unique (kind, subnet, operator, slot)
    /// @param operator whom it costs
    /// @param when when it was committed, seconds
    /// @param share of the slashable stake at that time, of 1e18
    function report(bytes32 offence, uint256 subnetId, address operator, uint48 when, uint64 share) external;

    /// @notice Takes an offence back before it is executed; the DAO only.
    function veto(bytes32 offence) external;

    /// @notice Slashes an operator for all that was reported in an epoch, once its veto window is over; anybody may.
    /// @return amount taken
    function execute(IStakeSource source, address operator, uint32 epoch) external returns (uint256 amount);

    /// @notice An offence that was reported; all zero if it was not.
    function offenceOf(bytes32 offence) external view returns (Offence memory);

    /// @notice What an operator is to be slashed for an epoch.
    function sentenceOf(IStakeSource source, address operator, uint32 epoch) external view returns (Sentence memory);

    /// @notice Over how many seconds offences are gathered into one sentence.
    function EPOCH_SECONDS() external view returns (uint256);

    /// @notice For how long after the end of its epoch an offence may be vetoed, seconds.
    function VETO_SECONDS() external view returns (uint256);
}
