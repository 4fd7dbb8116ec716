// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Authority} from "../src/Authority.sol";

/// @notice The authority of a test: one admin may call everything, nobody else anything, until roles are given.
contract Powers is Authority {
    constructor(address admin) Authority(admin) {}
}

/// @notice A random number brought into a range.
function bound(uint256 value, uint256 low, uint256 high) pure returns (uint256) {
    return low + value % (high - low + 1);
}
