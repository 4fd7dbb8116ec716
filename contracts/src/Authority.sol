// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may do what, for all contracts in one place
/// @notice OpenZeppelin's AccessManager. After the hand-over its only admin is the DAO's timelock, and the other roles are
///         held by contracts; docs/contracts-security.md has the table.
contract Authority is AccessManager {
    constructor(address admin) AccessManager(admin) {}
}
