// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICheckpointAnchor} from "./interfaces/ICheckpointAnchor.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {ISlashingManager} from "./interfaces/ISlashingManager.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {ISubnetRegistry}.
contract SubnetRegistry is ISubnetRegistry, AccessManaged {
    /// @notice The most bytes that parameters or task may have.
    uint256 public constant LIMIT_BYTES = 4096;
    /// @notice The most parents a subnet may have, and what all of them together may get of its royalties.
    uint256 public constant MAX_PARENTS = 4;
    uint256 public constant MAX_PARENT_BPS = 3000;
    uint256 private constant ALL_BPS = 10_000;

    /// @inheritdoc ISubnetRegistry
    IDisputeGame public disputes;
    Subnet[] private _subnets;
    mapping(uint256 subnetId => Windows) private _windows;
    mapping(uint256 subnetId => Economics) private _economics;
    mapping(uint256 subnetId => Parent[]) private _parents;

    modifier exists(uint256 subnetId) {
        if (subnetId == 0 || subnetId > _subnets.length) revert UnknownSubnet(subnetId);
        _;
    }

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc ISubnetRegistry
    function found(Terms calldata terms) external restricted returns (uint256 subnetId) {
        _checkTerms(terms);
        _subnets.push(
            Subnet(
                terms.founder,
                terms.operators,
                terms.anchor,
                0,
                terms.params,
                terms.task,
                terms.model,
                terms.schema
            )
        );
        subnetId = _subnets.length;
        _windows[subnetId] = terms.windows;
        _setEconomics(subnetId, terms.economics);
        _setParents(subnetId, terms.parents);
        emit SubnetFounded(subnetId, terms.founder, terms.operators, terms.anchor);
    }

    /// @inheritdoc ISubnetRegistry
    function open(uint256 subnetId) external exists(subnetId) {
        Subnet storage opened = _subnets[subnetId - 1];
        if (msg.sender != opened.founder) revert NotFounder(subnetId, msg.sender);
        if (opened.openedBlock != 0) revert AlreadyOpen(subnetId, opened.openedBlock);
        opened.openedBlock = SafeCast.toUint64(block.number);
        emit SubnetOpened(subnetId, opened.openedBlock);
    }

    /// @inheritdoc ISubnetRegistry
    function setEconomics(uint256 subnetId, Economics calldata economics) external restricted exists(subnetId) {
        _setEconomics(subnetId, economics);
    }

    /// @inheritdoc ISubnetRegistry
    function setDisputes(IDisputeGame games) external restricted {
        disputes = games;
        emit DisputesSet(address(games));
    }

    /// @inheritdoc ISubnetRegistry
    function subnetCount() external view returns (uint256) {
        return _subnets.length;
    }

    /// @inheritdoc ISubnetRegistry
    function subnet(uint256 subnetId) external view exists(subnetId) returns (Subnet memory) {
        return _subnets[subnetId - 1];
    }

    /// @inheritdoc ISubnetRegistry
    function economicsOf(uint256 subnetId) external view exists(subnetId) returns (Economics memory) {
        return _economics[subnetId];
    }

    /// @inheritdoc ISubnetRegistry
    function windowsOf(uint256 subnetId) external view exists(subnetId) returns (Windows memory) {
        return _windows[subnetId];
    }

    /// @inheritdoc ISubnetRegistry
    function parentsOf(uint256 subnetId) external view exists(subnetId) returns (Parent[] memory) {
        return _parents[subnetId];
    }

    /// @inheritdoc ISubnetRegistry
    function schemaOf(uint256 subnetId) external view exists(subnetId) returns (bytes32) {
        return _subnets[subnetId - 1].schema;
    }

    /// @inheritdoc ISubnetRegistry
    function contractsOf(uint256 subnetId)
        external
        view
        exists(subnetId)
        returns (address operators, address anchor)
    {
        return (_subnets[subnetId - 1].operators, _subnets[subnetId - 1].anchor);
    }

    /// @inheritdoc ISubnetRegistry
    function openedBlock(uint256 subnetId) external view exists(subnetId) returns (uint64) {
        return _subnets[subnetId - 1].openedBlock;
    }

    function _checkTerms(Terms calldata terms) private view {
        (uint256 paramsBytes, uint256 taskBytes) = (terms.params.length, terms.task.length);
        bool fits = paramsBytes > 0 && paramsBytes <= LIMIT_BYTES && taskBytes <= LIMIT_BYTES;
        if (!fits) revert BadLength(paramsBytes, taskBytes, LIMIT_BYTES);
        if (terms.operators.code.length == 0) revert NotAContract(terms.operators);
        if (terms.anchor.code.length == 0) revert NotAContract(terms.anchor);
        IOperatorRegistry operators = IOperatorRegistry(terms.operators);
        if (operators.SUBNETS() != address(this)) revert NotFor(terms.operators, address(this));
        uint256 exitSeconds = operators.stakeSource().exitDelay();
        Windows calldata windows = terms.windows;
        uint256 stated = uint256(windows.anchorSeconds) + windows.challengeSeconds + windows.resolutionSeconds;
        uint256 windowSeconds = Math.max(stated, _sentenceSeconds(ICheckpointAnchor(terms.anchor)));
        if (exitSeconds < windowSeconds) revert ExitTooShort(exitSeconds, windowSeconds);
    }

    /// @dev How long after its proposal a false checkpoint is slashed at the latest, if somebody does so within a second.
    function _sentenceSeconds(ICheckpointAnchor anchor) private view returns (uint256) {
        IDisputeGame games = disputes;
        if (address(games) == address(0)) return 0;
        ISlashingManager slashing = games.SLASHING();
        uint256 game = anchor.CHALLENGE_SECONDS() + games.longest();
        return game + slashing.EPOCH_SECONDS() + slashing.VETO_SECONDS() + 1;
    }

    function _setEconomics(uint256 subnetId, Economics calldata economics) private {
        bool fits = uint256(economics.verifierBps) + economics.daoBps <= ALL_BPS && economics.rewardBps <= ALL_BPS
            && economics.backerBps <= ALL_BPS && uint256(economics.computeParts) + economics.dataParts > 0;
        if (!fits) revert BadEconomics();
        _economics[subnetId] = economics;
        emit EconomicsSet(subnetId, economics);
    }

    function _setParents(uint256 subnetId, Parent[] calldata parents) private {
        uint256 bps = 0;
        for (uint256 i = 0; i < parents.length; ++i) {
            if (parents[i].subnetId == 0 || parents[i].subnetId >= subnetId) {
                revert UnknownSubnet(parents[i].subnetId);
            }
            bps += parents[i].bps;
            _parents[subnetId].push(parents[i]);
        }
        if (parents.length > MAX_PARENTS || bps > MAX_PARENT_BPS) revert BadParents(parents.length, bps);
    }
}
