// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title $2PM: what stakes, fees, rewards and bonds are paid in
/// @notice A fixed supply, minted once when the token is deployed; nobody can mint, pause or seize.
interface ITwoPMToken is IERC20Metadata, IERC20Permit {}
