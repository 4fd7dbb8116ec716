// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

// What an operator's peer does in a subnet: a bit mask, the same as `Role` of the protocol.

/// @dev Contributes updates from private data.
uint8 constant ROLE_DATA = 1;
/// @dev May be drawn into the committee; proposes checkpoints.
uint8 constant ROLE_COMPUTE = 2;
/// @dev Recomputes sums and attests checkpoints.
uint8 constant ROLE_VALIDATOR = 4;

uint8 constant ALL_ROLES = ROLE_DATA | ROLE_COMPUTE | ROLE_VALIDATOR;
