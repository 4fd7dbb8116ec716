// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IAVSRegistrar, IAllocationManager, IDelegationManager} from "./interfaces/IEigenLayer.sol";
import {IEigenLayerStakeSource} from "./interfaces/IEigenLayerStakeSource.sol";
import {IStakeSource} from "./interfaces/IStakeSource.sol";

/// @notice See {IEigenLayerStakeSource}.
contract EigenLayerStakeSource is IEigenLayerStakeSource, IAVSRegistrar, AccessManaged {
    using Checkpoints for Checkpoints.Trace208;

    uint256 private constant ONE = 1e18;
    /// @notice Our operators' set; the only one.
    uint32 public constant OPERATOR_SET = 0;

    IAllocationManager public immutable ALLOCATIONS;
    IDelegationManager public immutable DELEGATIONS;
    /// @notice Seconds between blocks of this chain: EigenLayer's delays are in blocks.
    uint48 public immutable BLOCK_SECONDS;

    address[] private _strategies;
    uint96[] private _weights;
    mapping(address operator => Checkpoints.Trace208) private _noted;
    /// @dev All that was ever slashed of an operator, by time.
    // Written through a reference, which slither does not follow.
    // slither-disable-next-line uninitialized-state
    mapping(address operator => Checkpoints.Trace208) private _slashed;
    /// @inheritdoc IStakeSource
    mapping(bytes32 offence => bool) public slashedFor;

    modifier onlyAllocationManager(address avs, uint32[] calldata sets) {
        if (msg.sender != address(ALLOCATIONS)) revert NotAllocationManager(msg.sender);
        if (avs != address(this) || sets.length != 1 || sets[0] != OPERATOR_SET) revert WrongOperatorSet(avs);
        _;
    }

    constructor(
        IAllocationManager allocations,
        IDelegationManager delegations,
        address[] memory strategies_,
        uint96[] memory weights,
        uint48 blockSeconds,
        address authority
    ) AccessManaged(authority) {
        if (strategies_.length != weights.length || weights.length == 0) {
            revert LengthsDiffer(strategies_.length, weights.length);
        }
        for (uint256 i = 1; i < strategies_.length; ++i) {
            if (strategies_[i] <= strategies_[i - 1]) revert StrategiesNotAscending(strategies_[i]);
        }
        ALLOCATIONS = allocations;
        DELEGATIONS = delegations;
        BLOCK_SECONDS = blockSeconds;
        _strategies = strategies_;
        _weights = weights;
    }

    /// @inheritdoc IEigenLayerStakeSource
    function enrol(string calldata metadataURI) external restricted {
        ALLOCATIONS.updateAVSMetadataURI(address(this), metadataURI);
        ALLOCATIONS.setAVSRegistrar(address(this), address(this));
        IAllocationManager.CreateSetParams[] memory sets = new IAllocationManager.CreateSetParams[](1);
        sets[0] = IAllocationManager.CreateSetParams(OPERATOR_SET, _strategies);
        ALLOCATIONS.createOperatorSets(address(this), sets);
    }

    /// @inheritdoc IAVSRegistrar
    function registerOperator(address operator, address avs, uint32[] calldata operatorSetIds, bytes calldata)
        external
        onlyAllocationManager(avs, operatorSetIds)
    {
        if (!DELEGATIONS.isOperator(operator)) revert NotEigenLayerOperator(operator);
        emit OperatorEntered(operator);
    }

    /// @inheritdoc IAVSRegistrar
    function deregisterOperator(address operator, address avs, uint32[] calldata operatorSetIds)
        external
        onlyAllocationManager(avs, operatorSetIds)
    {
        emit OperatorLeft(operator);
    }

    /// @inheritdoc IStakeSource
    function note(address operator) public returns (uint256) {
        // Not what votes: who left would else have nothing noted, and could have itself noted before it is accused.
        uint256 slashable = _slashableNow(operator);
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        _noted[operator].push(Time.timestamp(), SafeCast.toUint208(slashable));
        emit StakeNoted(operator, slashable);
        return stake(operator);
    }

    /// @inheritdoc IStakeSource
    /// @dev EigenLayer slashes a share of what is allocated now. We want a share of what was slashable then, so we ask for
    ///      less where there is more now, and what it really took is the difference that it reports afterwards.
    function slash(address operator, uint48 when, uint64 share, bytes32 offence)
        external
        restricted
        returns (uint256 amount)
    {
        if (slashedFor[offence]) revert AlreadySlashed(offence);
        if (share == 0 || share > ONE) revert BadShare(share);
        if (when > Time.timestamp()) revert OffenceInFuture(when);
        slashedFor[offence] = true;
        uint256 present = _slashableNow(operator);
        // Zero means never or none, of what nobody else can move.
        // slither-disable-next-line incorrect-equality
        uint256 wad = present == 0 ? 0 : Math.mulDiv(slashableStake(operator, when), share, present);
        if (wad > 0) amount = _slash(operator, wad, present);
        emit StakeSlashed(offence, operator, when, share, amount);
    }

    /// @inheritdoc IStakeSource
    function stake(address operator) public view returns (uint256) {
        if (!ALLOCATIONS.isMemberOfOperatorSet(operator, _set())) return 0;
        // Whatever is being deallocated is gone by then.
        return _weighed(_allocated(operator, block.number + ALLOCATIONS.DEALLOCATION_DELAY() + 1));
    }

    /// @inheritdoc IStakeSource
    function slashableStake(address operator, uint48 when) public view returns (uint256) {
        uint48 present = Time.timestamp();
        if (when > present || present - when > exitDelay()) return 0;
        Checkpoints.Trace208 storage slashed = _slashed[operator];
        uint256 since = slashed.latest() - slashed.upperLookupRecent(when);
        uint256 then = _noted[operator].upperLookupRecent(when);
        return Math.min(Math.saturatingSub(then, since), _slashableNow(operator));
    }

    /// @inheritdoc IStakeSource
    function exitDelay() public view returns (uint48) {
        uint256 blocks = Math.min(ALLOCATIONS.DEALLOCATION_DELAY(), DELEGATIONS.minWithdrawalDelayBlocks());
        return SafeCast.toUint48(blocks * BLOCK_SECONDS);
    }

    /// @inheritdoc IEigenLayerStakeSource
    function strategies() external view returns (address[] memory, uint96[] memory) {
        return (_strategies, _weights);
    }

    /// @inheritdoc IAVSRegistrar
    function supportsAVS(address avs) external view returns (bool) {
        return avs == address(this);
    }

    function _slash(address operator, uint256 wad, uint256 present) private returns (uint256 amount) {
        uint256[] memory wads = new uint256[](_strategies.length);
        for (uint256 i = 0; i < wads.length; ++i) {
            wads[i] = wad;
        }
        ALLOCATIONS.slashOperator(
            address(this), IAllocationManager.SlashingParams(operator, OPERATOR_SET, _strategies, wads, "2PM offence")
        );
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        note(operator);
        amount = Math.saturatingSub(present, _noted[operator].latest());
        Checkpoints.Trace208 storage slashed = _slashed[operator];
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        slashed.push(Time.timestamp(), SafeCast.toUint208(slashed.latest() + amount));
    }

    /// @dev All that a slash would reach now, weighed.
    function _slashableNow(address operator) private view returns (uint256) {
        if (!ALLOCATIONS.isOperatorSlashable(operator, _set())) return 0;
        uint256[] memory amounts = _allocated(operator, block.number);
        for (uint256 i = 0; i < amounts.length; ++i) {
            amounts[i] += _queued(operator, _strategies[i]);
        }
        return _weighed(amounts);
    }

    /// @dev What delegators have queued to withdraw of a strategy: the part of it that is allocated to us.
    function _queued(address operator, address strategy) private view returns (uint256) {
        uint256 shares = DELEGATIONS.getSlashableSharesInQueue(operator, strategy);
        uint256 whole = ALLOCATIONS.getMaxMagnitude(operator, strategy);
        // Zero means that all was slashed, in whatever set.
        // slither-disable-next-line incorrect-equality
        if (shares == 0 || whole == 0) return 0;
        return Math.mulDiv(shares, ALLOCATIONS.getAllocation(operator, _set(), strategy).currentMagnitude, whole);
    }

    /// @dev Of each strategy what is allocated to us until some block, without what is queued to be withdrawn.
    function _allocated(address operator, uint256 until) private view returns (uint256[] memory) {
        address[] memory one = new address[](1);
        one[0] = operator;
        return ALLOCATIONS.getMinimumSlashableStake(_set(), one, _strategies, SafeCast.toUint32(until))[0];
    }

    function _weighed(uint256[] memory amounts) private view returns (uint256 sum) {
        for (uint256 i = 0; i < amounts.length; ++i) {
            sum += Math.mulDiv(amounts[i], _weights[i], ONE);
        }
    }

    function _set() private view returns (IAllocationManager.OperatorSet memory) {
        return IAllocationManager.OperatorSet(address(this), OPERATOR_SET);
    }
}
