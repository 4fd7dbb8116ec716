// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {ICumulativeRoots} from "./interfaces/ICumulativeRoots.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {ICumulativeRoots}.
abstract contract CumulativeRoots is AccessManaged, ICumulativeRoots {
    ISubnetRegistry public immutable SUBNETS;
    /// @inheritdoc ICumulativeRoots
    uint48 public immutable ACTIVATION_DELAY;

    mapping(uint256 subnetId => Root[]) private _roots;

    constructor(ISubnetRegistry subnets, uint48 activationDelay) {
        SUBNETS = subnets;
        ACTIVATION_DELAY = activationDelay;
    }

    /// @inheritdoc ICumulativeRoots
    function postRoot(uint256 subnetId, bytes32 root) external returns (uint256 index) {
        if (SUBNETS.economicsOf(subnetId).poster != msg.sender) revert NotPoster(subnetId, msg.sender);
        index = _roots[subnetId].length;
        uint48 activeFrom = Time.timestamp() + ACTIVATION_DELAY;
        _roots[subnetId].push(Root(root, activeFrom, false));
        emit RootPosted(subnetId, index, root, activeFrom);
    }

    /// @inheritdoc ICumulativeRoots
    function disableRoot(uint256 subnetId, uint256 index) external restricted {
        if (index >= _roots[subnetId].length) revert UnknownRoot(subnetId, index);
        _roots[subnetId][index].disabled = true;
        emit RootDisabled(subnetId, index);
    }

    /// @inheritdoc ICumulativeRoots
    function rootOf(uint256 subnetId, uint256 index) external view returns (Root memory) {
        if (index >= _roots[subnetId].length) revert UnknownRoot(subnetId, index);
        return _roots[subnetId][index];
    }

    /// @inheritdoc ICumulativeRoots
    function rootCount(uint256 subnetId) external view returns (uint256) {
        return _roots[subnetId].length;
    }

    /// @dev Reverts unless an active root holds the leaf.
    function _checkLeaf(uint256 subnetId, uint256 index, bytes32 inner, bytes32[] calldata proof) internal view {
        if (index >= _roots[subnetId].length) revert UnknownRoot(subnetId, index);
        Root storage posted = _roots[subnetId][index];
        (uint48 activeFrom, bool disabled) = (posted.activeFrom, posted.disabled);
        if (disabled || Time.timestamp() < activeFrom) {
            revert RootNotActive(subnetId, index, activeFrom, disabled);
        }
        bytes32 leaf = keccak256(bytes.concat(inner));
        if (!MerkleProof.verifyCalldata(proof, posted.root, leaf)) revert WrongProof(subnetId, index);
    }
}
