// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC6909} from "@openzeppelin/contracts/token/ERC6909/ERC6909.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {PostedRoots} from "./PostedRoots.sol";
import {IRewardDistributor} from "./interfaces/IRewardDistributor.sol";
import {IRoyaltyVault} from "./interfaces/IRoyaltyVault.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {IRoyaltyVault}.
contract RoyaltyVault is ERC6909, PostedRoots, IRoyaltyVault {
    using SafeERC20 for IERC20;

    /// @notice Shares of every subnet: a million, with 18 decimals.
    uint256 public constant SUPPLY = 1e24;
    uint256 private constant ALL_BPS = 10_000;
    /// @dev Dividends of one share are kept as fixed-point numbers of 128 binary places.
    uint256 private constant POINT = 1 << 128;

    /// @param left shares that nobody has claimed yet
    /// @param since what one share had earned when they were granted
    struct Grant {
        uint256 left;
        uint256 since;
    }

    IERC20 public immutable TOKEN;
    IRewardDistributor public immutable REWARDS;

    mapping(uint256 subnetId => uint256) private _perShare;
    mapping(uint256 subnetId => mapping(address account => uint256)) private _seen;
    mapping(uint256 subnetId => mapping(address account => uint256)) private _owed;
    mapping(uint256 subnetId => bool) private _isOpen;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public waiting;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public returned;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public granted;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public reservedOf;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => uint256) public unclaimed;
    /// @inheritdoc IRoyaltyVault
    mapping(uint256 subnetId => mapping(uint256 index => mapping(address account => bool))) public wasGiven;
    mapping(uint256 subnetId => mapping(uint256 index => Grant)) private _grants;

    constructor(
        IERC20 token,
        IRewardDistributor rewards,
        ISubnetRegistry subnets,
        uint48 activationDelay,
        address authority
    ) PostedRoots(subnets, activationDelay) AccessManaged(authority) {
        TOKEN = token;
        REWARDS = rewards;
    }

    /// @inheritdoc IRoyaltyVault
    function open(uint256 subnetId, uint256 reserved) external restricted {
        if (_isOpen[subnetId]) revert RoyaltiesOpen(subnetId);
        if (reserved > SUPPLY) revert BeyondPool(subnetId, reserved, SUPPLY);
        _isOpen[subnetId] = true;
        reservedOf[subnetId] = reserved;
        granted[subnetId] = reserved;
        _mint(address(this), subnetId, SUPPLY);
        emit RoyaltiesOpened(subnetId, reserved);
    }

    /// @inheritdoc IRoyaltyVault
    function giveReserved(uint256 subnetId, address account, uint256 shares) external restricted {
        uint256 left = reservedOf[subnetId];
        if (shares > left) revert BeyondPool(subnetId, shares, left);
        reservedOf[subnetId] = left - shares;
        emit SharesGiven(subnetId, account, shares, true);
        // They were granted before anything came in.
        _give(subnetId, account, shares, 0);
    }

    /// @inheritdoc IRoyaltyVault
    function grant(uint256 subnetId, bytes32 root, uint256 shares) external returns (uint256 index) {
        index = _post(subnetId, root);
        uint256 left = balanceOf(address(this), subnetId) - reservedOf[subnetId] - unclaimed[subnetId];
        if (shares > left) revert BeyondPool(subnetId, shares, left);
        _divide(subnetId);
        _grants[subnetId][index] = Grant(shares, _perShare[subnetId]);
        unclaimed[subnetId] += shares;
        granted[subnetId] += shares;
        emit SharesGranted(subnetId, index, shares);
    }

    /// @inheritdoc IRoyaltyVault
    function claimShares(
        uint256 subnetId,
        address account,
        uint256 shares,
        uint256 index,
        bytes32[] calldata proof
    ) external {
        _checkLeaf(subnetId, index, leafOf(subnetId, account, shares), proof);
        if (wasGiven[subnetId][index][account]) revert SharesGivenBefore(subnetId, index, account);
        wasGiven[subnetId][index][account] = true;
        Grant storage from = _grants[subnetId][index];
        (uint256 left, uint256 since) = (from.left, from.since);
        if (shares > left) revert BeyondGrant(subnetId, index, shares, left);
        from.left = left - shares;
        unclaimed[subnetId] -= shares;
        emit SharesGiven(subnetId, account, shares, false);
        _give(subnetId, account, shares, since);
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
    function given(uint256 subnetId) external view returns (uint256) {
        return granted[subnetId] - reservedOf[subnetId] - unclaimed[subnetId];
    }

    /// @inheritdoc IRoyaltyVault
    function unclaimedOf(uint256 subnetId, uint256 index) external view returns (uint256) {
        return _grants[subnetId][index].left;
    }

    /// @inheritdoc IRoyaltyVault
    function leafOf(uint256 subnetId, address account, uint256 shares) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), subnetId, account, shares));
    }

    /// @dev Before shares move, what came in so far goes to those who hold them. Shares that come back are granted no more.
    function _update(address from, address to, uint256 subnetId, uint256 shares) internal override {
        _divide(subnetId);
        if (from != address(0) && from != address(this)) _accrue(subnetId, from);
        if (to != address(this)) _accrue(subnetId, to);
        else if (from != address(0)) granted[subnetId] -= shares;
        super._update(from, to, subnetId, shares);
    }

    /// @inheritdoc PostedRoots
    function _takenBack(uint256 subnetId, uint256 index) internal override {
        Grant storage back = _grants[subnetId][index];
        uint256 shares = back.left;
        back.left = 0;
        _divide(subnetId);
        unclaimed[subnetId] -= shares;
        granted[subnetId] -= shares;
        returned[subnetId] += _worth(subnetId, shares, back.since);
        emit SharesTakenBack(subnetId, index, shares);
    }

    /// @dev Shares out of the vault, with what they earned since one had earned `since`.
    function _give(uint256 subnetId, address account, uint256 shares, uint256 since) private {
        // To itself it would pay what nobody could take out again.
        if (account == address(this)) revert ERC6909InvalidReceiver(account);
        _transfer(address(this), account, subnetId, shares);
        _owed[subnetId][account] += _worth(subnetId, shares, since);
    }

    /// @dev A share's dividend is rounded up, what holders get down. Together they could claim a unit too much only after
    ///      POINT / SUPPLY, that is 3 * 10^14, divisions: all of Ethereum's gas would not do for so many.
    function _divide(uint256 subnetId) private {
        (uint256 amount, uint256 back, uint256 shares) = (waiting[subnetId], returned[subnetId], granted[subnetId]);
        if (amount + back == 0 || shares == 0) return;
        (waiting[subnetId], returned[subnetId]) = (0, 0);
        uint256 toParents = _payParents(subnetId, amount);
        uint256 own = amount + back - toParents;
        _perShare[subnetId] += Math.mulDiv(own, POINT, shares, Math.Rounding.Ceil);
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
        return _worth(subnetId, balanceOf(account, subnetId), _seen[subnetId][account]);
    }

    /// @dev What shares have earned since one of them had earned `since`.
    function _worth(uint256 subnetId, uint256 shares, uint256 since) private view returns (uint256) {
        return Math.mulDiv(shares, _perShare[subnetId] - since, POINT);
    }
}
