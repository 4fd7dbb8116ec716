// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {IStakeSource} from "./interfaces/IStakeSource.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";
import {ALL_ROLES, ROLE_VALIDATOR} from "./Roles.sol";

/// @notice See {IOperatorRegistry}.
contract OperatorRegistry is IOperatorRegistry, ReentrancyGuardTransient {
    using Checkpoints for Checkpoints.Trace208;

    uint256 private constant PROOF_BYTES = 64;

    ISubnetRegistry private immutable _SUBNETS;
    IStakeSource private immutable _SOURCE;
    /// @inheritdoc IOperatorRegistry
    IStakeVault public immutable VAULT;
    /// @notice The least stake an operator must have to join and to stay, in units of account.
    uint256 public immutable MIN_STAKE;

    mapping(uint256 subnetId => Operator[]) private _operators;
    /// @dev Index of the latest stay plus one; 0 if there never was one.
    mapping(uint256 subnetId => mapping(address account => uint256)) private _latest;
    mapping(uint256 subnetId => mapping(address account => Checkpoints.Trace208)) private _weights;
    mapping(uint256 subnetId => Checkpoints.Trace208) private _totals;

    constructor(ISubnetRegistry subnets, IStakeSource source, IStakeVault vault, uint256 minStake) {
        _SUBNETS = subnets;
        _SOURCE = source;
        VAULT = vault;
        MIN_STAKE = minStake;
    }

    /// @inheritdoc IOperatorRegistry
    // All that writes is guarded; what views tell meanwhile was true before.
    // slither-disable-next-line reentrancy-eth
    function register(uint256 subnetId, bytes32 peer, bytes calldata peerProof, uint8 roles)
        external
        payable
        nonReentrant
    {
        _checkEntry(subnetId, peer, peerProof, roles);
        if (msg.value > 0) {
            if (address(VAULT) == address(0)) revert NoVault();
            // What else it returns is of no use here.
            // slither-disable-next-line unused-return
            VAULT.deposit{value: msg.value}(msg.sender, msg.sender, msg.value);
        }
        uint256 stake = _SOURCE.note(msg.sender);
        if (stake < MIN_STAKE) revert StakeTooSmall(stake, MIN_STAKE);
        uint64 joined = SafeCast.toUint64(block.number);
        _operators[subnetId].push(
            Operator(msg.sender, SafeCast.toUint96(stake), peer, joined, 0, roles, peerProof)
        );
        _latest[subnetId][msg.sender] = _operators[subnetId].length;
        if (roles & ROLE_VALIDATOR != 0) _setWeight(subnetId, msg.sender, stake);
        emit OperatorRegistered(subnetId, msg.sender, peer, roles, stake);
    }

    /// @inheritdoc IOperatorRegistry
    function deregister(uint256 subnetId) external nonReentrant {
        if (!_isActive(subnetId, msg.sender)) revert NotRegistered(subnetId, msg.sender);
        _end(subnetId, msg.sender);
    }

    /// @inheritdoc IOperatorRegistry
    // As above.
    // slither-disable-next-line reentrancy-no-eth
    function refresh(uint256 subnetId, address[] calldata accounts) external nonReentrant {
        for (uint256 i = 0; i < accounts.length; ++i) {
            if (!_isActive(subnetId, accounts[i])) continue;
            uint256 stake = _SOURCE.note(accounts[i]);
            Operator storage stay = _operators[subnetId][_latest[subnetId][accounts[i]] - 1];
            stay.stake = SafeCast.toUint96(stake);
            emit StakeRefreshed(subnetId, accounts[i], stake);
            if (stake < MIN_STAKE) _end(subnetId, accounts[i]);
            else if (stay.roles & ROLE_VALIDATOR != 0) _setWeight(subnetId, accounts[i], stake);
        }
    }

    /// @inheritdoc IOperatorRegistry
    function operatorCount(uint256 subnetId) external view returns (uint256) {
        return _operators[subnetId].length;
    }

    /// @inheritdoc IOperatorRegistry
    function operators(uint256 subnetId, uint256 start, uint256 limit)
        external
        view
        returns (Operator[] memory page)
    {
        Operator[] storage all = _operators[subnetId];
        uint256 left = start < all.length ? all.length - start : 0;
        page = new Operator[](limit < left ? limit : left);
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = all[start + i];
        }
    }

    /// @inheritdoc IOperatorRegistry
    function standing(uint256 subnetId, address account)
        external
        view
        returns (uint8 roles, uint96 stake, uint64 joinedBlock)
    {
        if (!_isActive(subnetId, account)) return (0, 0, 0);
        Operator storage stay = _operators[subnetId][_latest[subnetId][account] - 1];
        return (stay.roles, stay.stake, stay.joinedBlock);
    }

    /// @inheritdoc IOperatorRegistry
    function validatorStake(uint256 subnetId) external view returns (uint256) {
        return _totals[subnetId].latest();
    }

    /// @inheritdoc IOperatorRegistry
    function validatorWeightAt(uint256 subnetId, address account, uint48 blockNumber)
        external
        view
        returns (uint256)
    {
        return _weights[subnetId][account].upperLookupRecent(blockNumber);
    }

    /// @inheritdoc IOperatorRegistry
    function validatorWeightTotalAt(uint256 subnetId, uint48 blockNumber) external view returns (uint256) {
        return _totals[subnetId].upperLookupRecent(blockNumber);
    }

    /// @inheritdoc IOperatorRegistry
    function stakeSource() external view returns (IStakeSource) {
        return _SOURCE;
    }

    /// @inheritdoc IOperatorRegistry
    // Named like the immutable that it stands for.
    // solhint-disable-next-line func-name-mixedcase
    function SUBNETS() external view returns (address) {
        return address(_SUBNETS);
    }

    function _checkEntry(uint256 subnetId, bytes32 peer, bytes calldata peerProof, uint8 roles) private view {
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (address named,) = _SUBNETS.contractsOf(subnetId);
        if (named != address(this)) revert NotThisRegistry(subnetId, named);
        if (roles == 0 || roles & ~ALL_ROLES != 0) revert BadRoles(roles);
        if (peer == 0 || peerProof.length != PROOF_BYTES) revert BadPeer(peer, peerProof.length);
        if (_isActive(subnetId, msg.sender)) revert AlreadyRegistered(subnetId, msg.sender);
    }

    function _isActive(uint256 subnetId, address account) private view returns (bool) {
        uint256 latest = _latest[subnetId][account];
        // Zero means never or none, of what nobody else can move.
        // slither-disable-next-line incorrect-equality
        return latest != 0 && _operators[subnetId][latest - 1].leftBlock == 0;
    }

    function _end(uint256 subnetId, address account) private {
        Operator storage stay = _operators[subnetId][_latest[subnetId][account] - 1];
        stay.leftBlock = SafeCast.toUint64(block.number);
        if (stay.roles & ROLE_VALIDATOR != 0) _setWeight(subnetId, account, 0);
        emit OperatorLeft(subnetId, account, stay.leftBlock);
    }

    function _setWeight(uint256 subnetId, address account, uint256 weight) private {
        uint48 present = SafeCast.toUint48(block.number);
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (uint256 before,) = _weights[subnetId][account].push(present, SafeCast.toUint208(weight));
        uint256 total = _totals[subnetId].latest() + weight - before;
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        _totals[subnetId].push(present, SafeCast.toUint208(total));
    }
}
