// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The DAO's hand: what was voted is done by it, after a delay in which everybody can leave
/// @notice OpenZeppelin's TimelockController. After the hand-over only the governor proposes and cancels, anyone executes,
///         and only itself changes its delay. It also is where slashed stake and the DAO's share of rewards go.
contract Timelock is TimelockController {
    constructor(uint256 minDelay, address admin)
        TimelockController(minDelay, new address[](0), new address[](0), admin)
    {}
}
