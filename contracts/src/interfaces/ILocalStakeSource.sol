// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeSource} from "./IStakeSource.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @title Stake in our own vaults, one for each asset, weighed and added
interface ILocalStakeSource is IStakeSource {
    /// @param vault where the stake is
    /// @param weight units of account for one unit of the asset, of 1e18
    struct WeighedVault {
        IStakeVault vault;
        uint96 weight;
    }

    event VaultSet(IStakeVault indexed vault, uint96 weight);

    error TooManyVaults(uint256 limit);
    error ExitWouldShorten(uint256 delay, uint256 least);
    error NoVault();

    /// @notice Adds a vault, or sets the weight of a known one; the timelock only. A weight of 0 ends its votes, but its
    ///         stake is still slashed. The exit delay never becomes shorter: subnets were founded on it.
    function setVault(IStakeVault vault, uint96 weight) external;

    /// @notice All vaults.
    function vaults() external view returns (WeighedVault[] memory);
}
