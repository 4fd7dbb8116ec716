// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";
import {ALL_ROLES, ROLE_VALIDATOR} from "./Roles.sol";

/// @notice See {IOperatorRegistry}.
contract OperatorRegistry is IOperatorRegistry, ReentrancyGuard {
    uint256 private constant PROOF_BYTES = 64;

    ISubnetRegistry public immutable SUBNETS;
    uint256 public immutable MIN_STAKE_WEI;
    uint256 public immutable EXIT_DELAY_BLOCKS;

    mapping(uint256 subnetId => Operator[]) private _operators;
    /// @dev Index of the latest stay plus one; 0 if there never was one.
    mapping(uint256 subnetId => mapping(address account => uint256)) private _latest;
    mapping(uint256 subnetId => mapping(bytes32 peer => address)) private _owner;
    /// @inheritdoc IOperatorRegistry
    mapping(uint256 subnetId => uint256) public validatorStake;

    constructor(ISubnetRegistry subnets, uint256 minStakeWei, uint256 exitDelayBlocks) {
        SUBNETS = subnets;
        MIN_STAKE_WEI = minStakeWei;
        EXIT_DELAY_BLOCKS = exitDelayBlocks;
    }

    /// @inheritdoc IOperatorRegistry
    function register(uint256 subnetId, bytes32 peer, bytes calldata peerProof, uint8 roles) external payable {
        _checkEntry(subnetId, peer, peerProof, roles);
        uint96 stake = SafeCast.toUint96(msg.value);
        uint64 joined = SafeCast.toUint64(block.number);
        _operators[subnetId].push(Operator(msg.sender, stake, peer, joined, 0, roles, false, peerProof));
        _latest[subnetId][msg.sender] = _operators[subnetId].length;
        _owner[subnetId][peer] = msg.sender;
        if (roles & ROLE_VALIDATOR != 0) validatorStake[subnetId] += stake;
        emit OperatorRegistered(subnetId, msg.sender, peer, roles, stake);
    }

    /// @inheritdoc IOperatorRegistry
    function deregister(uint256 subnetId) external {
        if (!_isActive(subnetId, msg.sender)) revert NotRegistered(subnetId, msg.sender);
        Operator storage stay = _operators[subnetId][_latest[subnetId][msg.sender] - 1];
        stay.leftBlock = SafeCast.toUint64(block.number);
        if (stay.roles & ROLE_VALIDATOR != 0) validatorStake[subnetId] -= stay.stake;
        emit OperatorLeft(subnetId, msg.sender, stay.leftBlock);
    }

    /// @inheritdoc IOperatorRegistry
    function withdraw(uint256 subnetId, uint256 index) external nonReentrant {
        if (index >= _operators[subnetId].length) revert UnknownOperator(subnetId, index);
        Operator storage stay = _operators[subnetId][index];
        if (stay.account != msg.sender) revert NotYourStake(subnetId, index, stay.account);
        if (stay.leftBlock == 0) revert StillActive(subnetId, msg.sender);
        if (stay.withdrawn) revert AlreadyWithdrawn(subnetId, index);
        uint256 unlocked = stay.leftBlock + EXIT_DELAY_BLOCKS;
        if (block.number < unlocked) revert StakeLocked(subnetId, unlocked);
        stay.withdrawn = true;
        emit StakeWithdrawn(subnetId, msg.sender, index, stay.stake);
        Address.sendValue(payable(msg.sender), stay.stake);
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

    function _checkEntry(uint256 subnetId, bytes32 peer, bytes calldata peerProof, uint8 roles) private view {
        (address named,) = SUBNETS.contractsOf(subnetId);
        if (named != address(this)) revert NotThisRegistry(subnetId, named);
        if (msg.value < MIN_STAKE_WEI) revert StakeTooSmall(msg.value, MIN_STAKE_WEI);
        if (roles == 0 || roles & ~ALL_ROLES != 0) revert BadRoles(roles);
        if (peer == 0 || peerProof.length != PROOF_BYTES) revert BadPeer(peer, peerProof.length);
        if (_isActive(subnetId, msg.sender)) revert AlreadyRegistered(subnetId, msg.sender);
        address owner = _owner[subnetId][peer];
        if (owner != address(0) && owner != msg.sender) revert PeerTaken(subnetId, peer, owner);
    }

    function _isActive(uint256 subnetId, address account) private view returns (bool) {
        uint256 latest = _latest[subnetId][account];
        return latest != 0 && _operators[subnetId][latest - 1].leftBlock == 0;
    }
}
