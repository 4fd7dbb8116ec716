// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IDMPToken} from "./interfaces/IDMPToken.sol";

/// @notice See {IDMPToken}.
contract DMPToken is IDMPToken, ERC20Votes, AccessManaged {
    using SafeERC20 for IERC20;

    /// @inheritdoc IDMPToken
    IERC20 public immutable TOKEN;
    /// @inheritdoc IDMPToken
    uint48 public immutable EXIT_DELAY;

    /// @inheritdoc IDMPToken
    uint256 public staked;
    /// @inheritdoc IDMPToken
    uint256 public queued;
    /// @inheritdoc IDMPToken
    uint256 public burned;
    /// @inheritdoc IDMPToken
    uint256 public spent;
    mapping(address account => Exit[]) private _exits;

    constructor(IERC20 token, uint48 exitDelay, address authority)
        ERC20("2PM DAO membership", "DMP")
        EIP712("2PM DAO membership", "1")
        AccessManaged(authority)
    {
        TOKEN = token;
        EXIT_DELAY = exitDelay;
    }

    /// @inheritdoc IDMPToken
    function stake(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        staked += amount;
        _mint(msg.sender, amount);
        if (delegates(msg.sender) == address(0)) _delegate(msg.sender, msg.sender);
        emit Staked(msg.sender, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IDMPToken
    function requestExit(uint256 amount) external returns (uint256 index) {
        if (amount == 0) revert ZeroAmount();
        _burn(msg.sender, amount);
        queued += amount;
        index = _exits[msg.sender].length;
        uint48 claimableAt = clock() + EXIT_DELAY;
        _exits[msg.sender].push(Exit(SafeCast.toUint208(amount), claimableAt));
        emit ExitQueued(msg.sender, index, amount, claimableAt);
    }

    /// @inheritdoc IDMPToken
    function claimExit(uint256 index) external {
        if (index >= _exits[msg.sender].length) revert UnknownExit(msg.sender, index);
        Exit storage leaving = _exits[msg.sender][index];
        (uint256 amount, uint48 claimableAt) = (leaving.amount, leaving.claimableAt);
        if (claimableAt == 0) revert UnknownExit(msg.sender, index);
        if (clock() < claimableAt) revert ExitWaits(claimableAt);
        leaving.claimableAt = 0;
        queued -= amount;
        staked -= amount;
        emit ExitPaid(msg.sender, index, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IDMPToken
    function burn(address account, uint256 amount) external restricted {
        if (amount == 0) revert ZeroAmount();
        _burn(account, amount);
        burned += amount;
        emit Burned(account, amount);
    }

    /// @inheritdoc IDMPToken
    function spend(address to, uint256 amount) external restricted {
        uint256 available = burned - spent;
        if (amount > available) revert BeyondTreasury(amount, available);
        spent += amount;
        emit TreasurySpent(to, amount);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IDMPToken
    function exits(address account) external view returns (Exit[] memory) {
        return _exits[account];
    }

    /// @notice Votes are counted at times, not at blocks.
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @notice See ERC-6372.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @dev Only minting and burning move it.
    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) revert NotTransferable();
        super._update(from, to, amount);
    }
}
