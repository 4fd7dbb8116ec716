// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {PostedRoots} from "./PostedRoots.sol";
import {IRewardDistributor} from "./interfaces/IRewardDistributor.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {IRewardDistributor}.
contract RewardDistributor is PostedRoots, IRewardDistributor {
    using SafeERC20 for IERC20;

    uint256 private constant ALL_BPS = 10_000;

    /// @dev Both in one word, which is not zero from `prepare` or the first claim on.
    struct Paid {
        uint248 amount;
        bool prepared;
    }

    IERC20 public immutable TOKEN;
    address public immutable TREASURY;

    mapping(uint256 subnetId => mapping(Pot => Balance)) private _pots;
    mapping(uint256 subnetId => mapping(Pot => mapping(address account => Paid))) private _paid;

    constructor(
        IERC20 token,
        ISubnetRegistry subnets,
        uint48 activationDelay,
        address treasury,
        address authority
    ) PostedRoots(subnets, activationDelay) AccessManaged(authority) {
        TOKEN = token;
        TREASURY = treasury;
    }

    /// @inheritdoc IRewardDistributor
    function fund(uint256 subnetId, uint256 amount) external {
        ISubnetRegistry.Economics memory economics = SUBNETS.economicsOf(subnetId);
        uint256 verifiers = amount * economics.verifierBps / ALL_BPS;
        uint256 dao = amount * economics.daoBps / ALL_BPS;
        uint256 rest = amount - verifiers - dao;
        uint256 parts = uint256(economics.computeParts) + economics.dataParts;
        uint256 compute = rest * economics.computeParts / parts;
        _add(subnetId, Pot.Verifier, verifiers);
        _add(subnetId, Pot.Dao, dao);
        _add(subnetId, Pot.Compute, compute);
        _add(subnetId, Pot.Data, rest - compute);
        emit Funded(subnetId, msg.sender, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IRewardDistributor
    function postRoot(uint256 subnetId, bytes32 root) external returns (uint256 index) {
        return _post(subnetId, root);
    }

    /// @inheritdoc IRewardDistributor
    function claim(
        uint256 subnetId,
        Pot pot,
        address account,
        uint256 cumulative,
        uint256 index,
        bytes32[] calldata proof
    ) external returns (uint256 amount) {
        amount = _claim(subnetId, pot, account, cumulative, index, proof);
        if (amount == 0) revert NothingDue(account, cumulative, claimedOf(subnetId, pot, account));
    }

    /// @inheritdoc IRewardDistributor
    function claimMany(Claim[] calldata claims) external returns (uint256 sum) {
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata one = claims[i];
            sum += _claim(one.subnetId, one.pot, one.account, one.cumulative, one.index, one.proof);
        }
    }

    /// @inheritdoc IRewardDistributor
    function prepare(uint256 subnetId, Pot pot, address[] calldata accounts) external {
        mapping(address account => Paid) storage paid = _paid[subnetId][pot];
        for (uint256 i = 0; i < accounts.length; ++i) paid[accounts[i]].prepared = true;
    }

    /// @inheritdoc IRewardDistributor
    function payDao(uint256 subnetId) external returns (uint256 amount) {
        Balance storage dao = _pots[subnetId][Pot.Dao];
        amount = dao.funded - dao.claimed;
        if (amount == 0) revert NothingDue(TREASURY, dao.funded, dao.claimed);
        _pay(subnetId, Pot.Dao, TREASURY, amount);
    }

    /// @inheritdoc IRewardDistributor
    function balanceOf(uint256 subnetId, Pot pot) external view returns (Balance memory) {
        return _pots[subnetId][pot];
    }

    /// @inheritdoc IRewardDistributor
    function claimedOf(uint256 subnetId, Pot pot, address account) public view returns (uint256) {
        return _paid[subnetId][pot][account].amount;
    }

    /// @inheritdoc IRewardDistributor
    function isPrepared(uint256 subnetId, Pot pot, address account) external view returns (bool) {
        Paid storage paid = _paid[subnetId][pot][account];
        return paid.prepared || paid.amount != 0;
    }

    /// @inheritdoc IRewardDistributor
    function leafOf(uint256 subnetId, Pot pot, address account, uint256 cumulative) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), subnetId, pot, account, cumulative));
    }

    /// @dev Pays what is due beyond what was paid, or nothing.
    function _claim(
        uint256 subnetId,
        Pot pot,
        address account,
        uint256 cumulative,
        uint256 index,
        bytes32[] calldata proof
    ) private returns (uint256 amount) {
        if (pot == Pot.Dao) revert NotClaimable(pot);
        _checkLeaf(subnetId, index, leafOf(subnetId, pot, account, cumulative), proof);
        Paid storage paid = _paid[subnetId][pot][account];
        uint256 before = paid.amount;
        if (cumulative <= before) return 0;
        // What does not fit is more than any pot holds, and reverts below.
        paid.amount = uint248(cumulative);
        amount = cumulative - before;
        _pay(subnetId, pot, account, amount);
    }

    function _add(uint256 subnetId, Pot pot, uint256 amount) private {
        _pots[subnetId][pot].funded += SafeCast.toUint128(amount);
    }

    function _pay(uint256 subnetId, Pot pot, address account, uint256 amount) private {
        Balance storage held = _pots[subnetId][pot];
        (uint256 funded, uint256 claimed) = (held.funded, held.claimed);
        if (amount > funded - claimed) revert BeyondPot(subnetId, pot, amount, funded - claimed);
        held.claimed = uint128(claimed + amount);
        emit RewardClaimed(subnetId, account, pot, amount);
        TOKEN.safeTransfer(account, amount);
    }
}
