// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ITwoPMToken} from "./interfaces/ITwoPMToken.sol";

/// @notice See {ITwoPMToken}.
contract TwoPMToken is ITwoPMToken, ERC20Permit {
    constructor(address holder, uint256 supply) ERC20("2PM", "2PM") ERC20Permit("2PM") {
        _mint(holder, supply);
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(IERC20Permit, ERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }
}
