// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC6909} from "@openzeppelin/contracts/token/ERC6909/ERC6909.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {CumulativeRoots} from "./CumulativeRoots.sol";
import {IRewardDistributor} from "./interfaces/IRewardDistributor.sol";
import {IRoyaltyVault} from "./interfaces/IRoyaltyVault.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {IRoyaltyVault}.
contract RoyaltyVault is ERC6909, CumulativeRoots, IRoyaltyVault {
    using SafeERC20 for IERC20;

    /// @notice Shares of every subnet: a million, with 18 decimals.
    uint256 public constant SUPPLY = 1e24;
    uint256 private constant ALL_BPS = 10_000;
    /// @dev Dividends of one share are kept as fixed-point numbers of 128 binary places.
    uint256 private constant POINT = 1 << 128;

    IERC20 public immutable TOKEN;
    IRewardDistributor public immutable REWARDS;

    mapping(uint256 subnetId => uint256) private _perShare;
    mapping(uint256 subnetId => mapping(address account => uint256)) private _seen;
    mapping(uint256 subnetId => mapping(address account => uint256)) private _owed;
    mapping(uint256 subnetId => bool) private _isOpen;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public waiting;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public given;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public reservedOf;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => mapping(address account => uint256)) public earnedOf;

    constructor(
        IERC20 token,
        IRewardDistributor rewards,
        ISubnetRegistry subnets,
        uint48 activationDelay,
        address authority
    ) CumulativeRoots(subnets, activationDelay) AccessManaged(authority) {
        TOKEN = token;
        REWARDS = rewards;
    }

    /// @inheritdoc IRoyaltyVault
    function open(uint256 subnetId, uint256 reserved) external restricted {
        if (_isOpen[subnetId]) revert RoyaltiesOpen(subnetId);
        if (reserved > SUPPLY) revert BeyondPool(subnetId, reserved, SUPPLY);
        _isOpen[subnetId] = true;
        reservedOf[subnetId] = reserved;
        _mint(address(this), subnetId, SUPPLY);
        emit RoyaltiesOpened(subnetId, reserved);
    }

    /// @inheritdoc IRoyaltyVault
    function giveReserved(uint256 subnetId, address account, uint256 shares) external restricted {
        uint256 left = reservedOf[subnetId];
        if (shares > left) revert BeyondPool(subnetId, shares, left);
        reservedOf[subnetId] = left - shares;
        emit SharesGiven(subnetId, account, shares, true);
        _transfer(address(this), account, subnetId, shares);
    }

    /// @inheritdoc IRoyaltyVault
    function claimShares(
        uint256 subnetId,
        address account,
        uint256 cumulative,
        uint256 index,
        bytes32[] calldata proof
    ) external returns (uint256 shares) {
        _checkLeaf(subnetId, index, leafOf(subnetId, account, cumulative), proof);
        uint256 before = earnedOf[subnetId][account];
        if (cumulative <= before) revert NothingDue(account, cumulative, before);
        earnedOf[subnetId][account] = cumulative;
        shares = cumulative - before;
        uint256 left = balanceOf(address(this), subnetId) - reservedOf[subnetId];
        if (shares > left) revert BeyondPool(subnetId, shares, left);
        emit SharesGiven(subnetId, account, shares, false);
        _transfer(address(this), account, subnetId, shares);
    }

    /// @inheritdoc IRoyaltyVault
    function pay(uint256 subnetId, uint256 amount) external {
        if (!_isOpen[subnetId]) revert RoyaltiesClosed(subnetId);
        uint256 toRewards = amount * SUBNETS.economicsOf(subnetId).rewardBps / ALL_BPS;
        waiting[subnetId] += amount - toRewards;
        _divide(subnetId);
        emit FeePaid(subnetId, msg.sender, amount, toRewards);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        if (toRewards > 0) {
            TOKEN.forceApprove(address(REWARDS), toRewards);
            REWARDS.fund(subnetId, toRewards);
        }
    }

    /// @inheritdoc IRoyaltyVault
    function divide(uint256 subnetId) external {
        _divide(subnetId);
    }

    /// @inheritdoc IRoyaltyVault
    function claim(uint256 subnetId, address account) external returns (uint256 amount) {
        _divide(subnetId);
        _accrue(subnetId, account);
        amount = _owed[subnetId][account];
        if (amount == 0) revert NothingToPay(subnetId, account);
        _owed[subnetId][account] = 0;
        emit DividendPaid(subnetId, account, amount);
        TOKEN.safeTransfer(account, amount);
    }

    /// @inheritdoc IRoyaltyVault
    function dividendOf(uint256 subnetId, address account) external view returns (uint256) {
        return _owed[subnetId][account] + _earned(subnetId, account);
    }

    /// @inheritdoc IRoyaltyVault
    function leafOf(uint256 subnetId, address account, uint256 cumulative) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), subnetId, account, cumulative));
    }

    /// @dev Before shares move, what came in so far goes to those who hold them.
    function _update(address from, address to, uint256 subnetId, uint256 shares) internal override {
        _divide(subnetId);
        if (from == address(this)) given[subnetId] += shares;
        else if (from != address(0)) _accrue(subnetId, from);
        if (to == address(this) && from != address(0)) given[subnetId] -= shares;
        else if (to != address(this)) _accrue(subnetId, to);
        super._update(from, to, subnetId, shares);
    }

    /// @dev A share's dividend is rounded up, each holder's down. Together holders could claim a unit too much only after
    ///      POINT / SUPPLY, that is 3 * 10^14, divisions: all of Ethereum's gas would not do for so many.
    function _divide(uint256 subnetId) private {
        (uint256 amount, uint256 holders) = (waiting[subnetId], given[subnetId]);
        if (amount == 0 || holders == 0) return;
        waiting[subnetId] = 0;
        uint256 toParents = _payParents(subnetId, amount);
        uint256 own = amount - toParents;
        _perShare[subnetId] += Math.mulDiv(own, POINT, holders, Math.Rounding.Ceil);
        emit Divided(subnetId, own, toParents);
    }

    /// @dev Parents are earlier subnets: what they get waits there for their own `divide`, so there is no recursion.
    function _payParents(uint256 subnetId, uint256 amount) private returns (uint256 sum) {
        ISubnetRegistry.Parent[] memory parents = SUBNETS.parentsOf(subnetId);
        for (uint256 i = 0; i < parents.length; ++i) {
            uint256 part = amount * parents[i].bps / ALL_BPS;
            waiting[parents[i].subnetId] += part;
            sum += part;
        }
    }

    function _accrue(uint256 subnetId, address account) private {
        _owed[subnetId][account] += _earned(subnetId, account);
        _seen[subnetId][account] = _perShare[subnetId];
    }

    function _earned(uint256 subnetId, address account) private view returns (uint256) {
        if (account == address(this)) return 0;
        uint256 since = _perShare[subnetId] - _seen[subnetId][account];
        return Math.mulDiv(balanceOf(account, subnetId), since, POINT);
    }
}
