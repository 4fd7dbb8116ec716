// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IPostedRoots} from "./interfaces/IPostedRoots.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {IPostedRoots}.
abstract contract PostedRoots is AccessManaged, IPostedRoots {
    ISubnetRegistry public immutable SUBNETS;
    /// @inheritdoc IPostedRoots
    uint48 public immutable ACTIVATION_DELAY;

    /// @dev In place of a time: the guardian took the root back. Times have 47 bits.
    uint48 private constant DISABLED = 1 << 47;
    uint256 private constant TIME_BITS = 48;

    /// @dev A root's first 26 bytes and the time from which it counts, in one word: a claim reads no more.
    mapping(uint256 subnetId => mapping(uint256 index => uint256)) private _roots;
    /// @inheritdoc IPostedRoots
    mapping(uint256 subnetId => uint256) public rootCount;

    constructor(ISubnetRegistry subnets, uint48 activationDelay) {
        SUBNETS = subnets;
        ACTIVATION_DELAY = activationDelay;
    }

    /// @inheritdoc IPostedRoots
    function disableRoot(uint256 subnetId, uint256 index) external restricted {
        _roots[subnetId][index] = _posted(subnetId, index) | DISABLED;
        emit RootDisabled(subnetId, index);
        _takenBack(subnetId, index);
    }

    /// @inheritdoc IPostedRoots
    function rootOf(uint256 subnetId, uint256 index) external view returns (Root memory) {
        uint256 posted = _posted(subnetId, index);
        return Root(bytes26(bytes32(posted)), uint48(posted) & ~DISABLED, posted & DISABLED != 0);
    }

    /// @dev The next root of a subnet, from its poster only.
    function _post(uint256 subnetId, bytes32 root) internal returns (uint256 index) {
        if (SUBNETS.economicsOf(subnetId).poster != msg.sender) revert NotPoster(subnetId, msg.sender);
        index = rootCount[subnetId]++;
        uint48 activeFrom = Time.timestamp() + ACTIVATION_DELAY;
        _roots[subnetId][index] = uint256(bytes32(bytes26(root))) | activeFrom;
        emit RootPosted(subnetId, index, root, activeFrom);
    }

    /// @dev What else is to be done when the guardian takes a root back.
    function _takenBack(uint256 subnetId, uint256 index) internal virtual {}

    /// @dev Reverts unless an active root holds the leaf.
    function _checkLeaf(uint256 subnetId, uint256 index, bytes32 inner, bytes32[] calldata proof) internal view {
        uint256 posted = _posted(subnetId, index);
        uint48 time = uint48(posted);
        // A root that was taken back has a time that never comes.
        if (block.timestamp < time) {
            revert RootNotActive(subnetId, index, time & ~DISABLED, time & DISABLED != 0);
        }
        uint256 found = uint256(MerkleProof.processProofCalldata(proof, keccak256(bytes.concat(inner))));
        if ((found ^ posted) >> TIME_BITS != 0) revert WrongProof(subnetId, index);
    }

    function _posted(uint256 subnetId, uint256 index) private view returns (uint256 posted) {
        posted = _roots[subnetId][index];
        if (posted == 0) revert UnknownRoot(subnetId, index);
    }
}
