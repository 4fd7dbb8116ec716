// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {SharePool} from "./libraries/SharePool.sol";

/// @notice See {IStakeVault}.
contract StakeVault is IStakeVault, AccessManaged, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using SharePool for SharePool.Pool;
    using Checkpoints for Checkpoints.Trace208;

    uint256 private constant ONE = 1e18;

    /// @inheritdoc IStakeVault
    address public immutable ASSET;
    /// @inheritdoc IStakeVault
    uint48 public immutable EPOCH_SECONDS;
    /// @inheritdoc IStakeVault
    address public immutable TREASURY;

    mapping(address operator => SharePool.Pool) private _active;
    mapping(address operator => mapping(uint256 epoch => SharePool.Pool)) private _leaving;
    // Written through a reference, which slither does not follow.
    // slither-disable-next-line uninitialized-state
    mapping(address operator => mapping(address owner => uint256[])) private _exitEpochs;
    /// @dev All that was ever slashed of an operator, by time.
    // Written through a reference, which slither does not follow.
    // slither-disable-next-line uninitialized-state
    mapping(address operator => Checkpoints.Trace208) private _slashed;
    /// @inheritdoc IStakeVault
    uint256 public unswept;

    constructor(address asset, uint48 epochSeconds, address treasury, address authority) AccessManaged(authority) {
        if (epochSeconds == 0) revert ZeroAmount();
        if (treasury == address(0)) revert ZeroAddress();
        ASSET = asset;
        EPOCH_SECONDS = epochSeconds;
        TREASURY = treasury;
    }

    /// @inheritdoc IStakeVault
    function deposit(address operator, address owner, uint256 assets)
        external
        payable
        nonReentrant
        returns (uint256 shares)
    {
        uint256 wanted = ASSET == address(0) ? assets : 0;
        if (msg.value != wanted) revert WrongValue(msg.value, wanted);
        if (operator == address(0) || owner == address(0)) revert ZeroAddress();
        shares = _active[operator].add(owner, assets);
        if (shares == 0) revert ZeroAmount();
        emit Deposited(operator, owner, msg.sender, assets, shares);
        if (ASSET != address(0)) IERC20(ASSET).safeTransferFrom(msg.sender, address(this), assets);
    }

    /// @inheritdoc IStakeVault
    function requestExit(address operator, uint256 shares) external returns (uint256 epoch, uint256 assets) {
        SharePool.Pool storage pool = _active[operator];
        uint256 owned = pool.sharesOf(msg.sender);
        if (shares > owned) revert TooFewShares(msg.sender, shares, owned);
        assets = pool.remove(msg.sender, shares);
        if (assets == 0) revert ZeroAmount();
        epoch = currentEpoch() + 1;
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        _leaving[operator][epoch].add(msg.sender, assets);
        uint256[] storage epochs = _exitEpochs[operator][msg.sender];
        if (epochs.length == 0 || epochs[epochs.length - 1] != epoch) epochs.push(epoch);
        emit ExitRequested(operator, msg.sender, epoch, shares, assets);
    }

    /// @inheritdoc IStakeVault
    function claim(address operator, uint256 epoch, address to) external nonReentrant returns (uint256 assets) {
        if (currentEpoch() <= epoch) revert ExitNotDue(epoch, (epoch + 1) * EPOCH_SECONDS);
        SharePool.Pool storage pool = _leaving[operator][epoch];
        assets = pool.remove(msg.sender, pool.sharesOf(msg.sender));
        if (assets == 0) revert NothingToClaim(operator, epoch, msg.sender);
        emit ExitClaimed(operator, msg.sender, epoch, to, assets);
        _pay(to, assets);
    }

    /// @inheritdoc IStakeVault
    function slash(address operator, uint48 when, uint64 share) external restricted returns (uint256 assets) {
        assets = Math.mulDiv(slashable(operator, when), share, ONE);
        if (assets > 0) _cut(operator, assets);
        emit Slashed(operator, when, share, assets);
    }

    /// @inheritdoc IStakeVault
    function sweep() external nonReentrant returns (uint256 assets) {
        assets = unswept;
        unswept = 0;
        emit Swept(TREASURY, assets);
        _pay(TREASURY, assets);
    }

    /// @inheritdoc IStakeVault
    function staked(address operator) external view returns (uint256) {
        return _active[operator].assets;
    }

    /// @inheritdoc IStakeVault
    function slashable(address operator, uint48 when) public view returns (uint256) {
        uint48 present = Time.timestamp();
        if (when > present || present - when > EPOCH_SECONDS) return 0;
        Checkpoints.Trace208 storage slashed = _slashed[operator];
        uint256 since = slashed.latest() - slashed.upperLookupRecent(when);
        return Math.min(Math.saturatingSub(_reachable(operator, when), since), _reachable(operator, present));
    }

    /// @inheritdoc IStakeVault
    function stakeOf(address operator, address owner) external view returns (uint256 shares, uint256 assets) {
        shares = _active[operator].sharesOf(owner);
        assets = _active[operator].worth(shares);
    }

    /// @inheritdoc IStakeVault
    function exitOf(address operator, uint256 epoch, address owner) external view returns (uint256 assets) {
        SharePool.Pool storage pool = _leaving[operator][epoch];
        return pool.worth(pool.sharesOf(owner));
    }

    /// @inheritdoc IStakeVault
    function exitEpochs(address operator, address owner) external view returns (uint256[] memory) {
        return _exitEpochs[operator][owner];
    }

    /// @inheritdoc IStakeVault
    function currentEpoch() public view returns (uint256) {
        return block.timestamp / EPOCH_SECONDS;
    }

    /// @dev All that could be slashed at a time: what was active, and what was leaving and not due yet.
    function _reachable(address operator, uint48 when) private view returns (uint256) {
        uint256 epoch = when / EPOCH_SECONDS;
        mapping(uint256 => SharePool.Pool) storage leaving = _leaving[operator];
        return _active[operator].assetsAt(when) + leaving[epoch].assetsAt(when) + leaving[epoch + 1].assetsAt(when);
    }

    /// @dev Takes `assets` from the three pools in proportion.
    function _cut(address operator, uint256 assets) private {
        Checkpoints.Trace208 storage slashed = _slashed[operator];
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        slashed.push(Time.timestamp(), SafeCast.toUint208(slashed.latest() + assets));
        unswept += assets;
        uint256 epoch = currentEpoch();
        uint256 held = _reachable(operator, Time.timestamp());
        for (uint256 i = 0; i < 2; ++i) {
            SharePool.Pool storage pool = _leaving[operator][epoch + i];
            uint256 before = pool.assets;
            // Rounded up, so that what remains for the others is never more than they hold.
            uint256 part = Math.mulDiv(before, assets, held, Math.Rounding.Ceil);
            if (part > 0) pool.cut(part);
            assets -= part;
            held -= before;
            if (held == 0) return;
        }
        if (assets > 0) _active[operator].cut(assets);
    }

    function _pay(address to, uint256 assets) private {
        if (ASSET == address(0)) Address.sendValue(payable(to), assets);
        else IERC20(ASSET).safeTransfer(to, assets);
    }
}
