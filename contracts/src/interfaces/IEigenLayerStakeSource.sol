// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeSource} from "./IStakeSource.sol";

/// @title Stake restaked in EigenLayer: this contract is the AVS, and its own registrar
/// @notice EigenLayer tells what is slashable now, not what was in the past. So `note` writes it down, and an offence is
///         measured against the last note before it. Stake counts in a subnet by a note only, so what votes is noted.
/// @dev Two amounts: `stake` is what votes, of members only and without what is on its way out. What can be slashed is
///      more: also of who has left, as long as EigenLayer lets us (`isOperatorSlashable`), also what is being deallocated,
///      and what delegators have queued to withdraw. So nobody escapes a slash by leaving, by any of the three ways.
interface IEigenLayerStakeSource is IStakeSource {
    /// @param stake all that could be slashed
    event StakeNoted(address indexed operator, uint256 stake);

    event OperatorEntered(address indexed operator);
    event OperatorLeft(address indexed operator);

    error NotAllocationManager(address caller);
    error WrongOperatorSet(address avs);
    error NotEigenLayerOperator(address operator);
    error LengthsDiffer(uint256 strategies, uint256 weights);
    error StrategiesNotAscending(address strategy);

    /// @notice Registers the AVS, its registrar and its operator set with EigenLayer; the timelock only, once.
    function enrol(string calldata metadataURI) external;

    /// @notice The strategies that count, and what one share of each is worth, of 1e18.
    function strategies() external view returns (address[] memory, uint96[] memory);
}
