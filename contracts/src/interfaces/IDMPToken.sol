// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title $DMP: votes in the DAO, minted one for one by staking $2PM into its treasury
/// @notice It cannot be transferred. Its supply is always `staked - queued - burned`. This contract is the treasury: it
///         holds the staked $2PM, and what backers burned belongs to the DAO.
interface IDMPToken {
    /// @param amount of $2PM
    /// @param claimableAt from this time on, seconds; 0 once it is paid
    struct Exit {
        uint208 amount;
        uint48 claimableAt;
    }

    event Staked(address indexed account, uint256 amount);
    event ExitQueued(address indexed account, uint256 indexed index, uint256 amount, uint48 claimableAt);
    event ExitPaid(address indexed account, uint256 indexed index, uint256 amount);
    event Burned(address indexed account, uint256 amount);
    event TreasurySpent(address indexed to, uint256 amount);

    error NotTransferable();
    error ZeroAmount();
    error UnknownExit(address account, uint256 index);
    error ExitWaits(uint48 claimableAt);
    error BeyondTreasury(uint256 amount, uint256 available);

    /// @notice Stakes $2PM (approved before) and mints as much $DMP; who delegates to nobody yet, to itself.
    function stake(uint256 amount) external;

    /// @notice Gives $DMP back at once, and the $2PM after `EXIT_DELAY`.
    /// @return index of the exit, for `claimExit`
    function requestExit(uint256 amount) external returns (uint256 index);

    /// @notice Pays a due exit of the caller.
    function claimExit(uint256 index) external;

    /// @notice Burns an account's $DMP; the governor only, when the account backs a subnet. The $2PM becomes the DAO's.
    function burn(address account, uint256 amount) external;

    /// @notice Pays out of what was burned; the timelock only.
    function spend(address to, uint256 amount) external;

    /// @notice The $2PM that is staked here.
    function TOKEN() external view returns (IERC20);

    /// @notice Seconds between asking for an exit and its payment.
    function EXIT_DELAY() external view returns (uint48);

    /// @notice $2PM that came in by `stake` and has not left by `claimExit`.
    function staked() external view returns (uint256);

    /// @notice $2PM on its way out.
    function queued() external view returns (uint256);

    /// @notice $DMP burned for subnets.
    function burned() external view returns (uint256);

    /// @notice Burned stake that the DAO has spent; at most `burned`.
    function spent() external view returns (uint256);

    /// @notice An account's exits, paid ones included.
    function exits(address account) external view returns (Exit[] memory);
}
