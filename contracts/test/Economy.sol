// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Authority} from "../src/Authority.sol";
import {LocalStakeSource} from "../src/LocalStakeSource.sol";
import {OperatorRegistry} from "../src/OperatorRegistry.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {ILocalStakeSource} from "../src/interfaces/ILocalStakeSource.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";

/// @notice The authority of a test: one admin may call everything, nobody else anything, until roles are given.
contract Powers is Authority {
    constructor(address admin) Authority(admin) {}
}

/// @notice A random number brought into a range.
function bound(uint256 value, uint256 low, uint256 high) pure returns (uint256) {
    return low + value % (high - low + 1);
}

/// @notice The ground of a test: one authority with one admin, a vault, its source, subnets and operators.
contract Ground {
    Powers public immutable POWERS;
    StakeVault public immutable VAULT;
    LocalStakeSource public immutable SOURCE;
    SubnetRegistry public immutable SUBNETS;
    OperatorRegistry public immutable OPERATORS;

    constructor(address admin) {
        POWERS = new Powers(admin);
        VAULT = new StakeVault(address(0), 1 days, admin, address(POWERS));
        ILocalStakeSource.WeighedVault[] memory vaults = new ILocalStakeSource.WeighedVault[](1);
        vaults[0] = ILocalStakeSource.WeighedVault(VAULT, 1e18);
        SOURCE = new LocalStakeSource(vaults, address(POWERS));
        SUBNETS = new SubnetRegistry(address(POWERS));
        OPERATORS = new OperatorRegistry(SUBNETS, SOURCE, VAULT, 1e18);
    }

    /// @notice Terms that hold, with a tenth for verifiers, a twentieth for the DAO, half of the fees for rewards.
    function terms(address founder, address poster) external view returns (ISubnetRegistry.Terms memory made) {
        made.founder = founder;
        made.operators = address(OPERATORS);
        made.anchor = address(OPERATORS);
        made.params = "params";
        made.windows = ISubnetRegistry.Windows(1 hours, 1 hours, 1 hours);
        made.economics = ISubnetRegistry.Economics(1000, 500, 7, 3, 5000, 1000, poster);
        made.parents = new ISubnetRegistry.Parent[](0);
    }
}
