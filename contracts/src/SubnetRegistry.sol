// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {ISubnetRegistry}.
contract SubnetRegistry is ISubnetRegistry {
    /// @notice The most bytes that parameters or task may have.
    uint256 public constant LIMIT_BYTES = 4096;

    Subnet[] private _subnets;

    modifier exists(uint256 subnetId) {
        if (subnetId == 0 || subnetId > _subnets.length) revert UnknownSubnet(subnetId);
        _;
    }

    /// @inheritdoc ISubnetRegistry
    function found(bytes calldata params, bytes calldata task, address operators, address anchor)
        external
        returns (uint256 subnetId)
    {
        bool fits = params.length > 0 && params.length <= LIMIT_BYTES && task.length <= LIMIT_BYTES;
        if (!fits) revert BadLength(params.length, task.length, LIMIT_BYTES);
        if (operators.code.length == 0) revert NotAContract(operators);
        if (anchor.code.length == 0) revert NotAContract(anchor);
        _subnets.push(Subnet(msg.sender, operators, anchor, 0, params, task));
        subnetId = _subnets.length;
        emit SubnetFounded(subnetId, msg.sender, operators, anchor);
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
    function subnetCount() external view returns (uint256) {
        return _subnets.length;
    }

    /// @inheritdoc ISubnetRegistry
    function subnet(uint256 subnetId) external view exists(subnetId) returns (Subnet memory) {
        return _subnets[subnetId - 1];
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
}
