// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {Attestation} from "../src/Attestation.sol";
import {CheckpointAnchor} from "../src/CheckpointAnchor.sol";
import {EcdsaQuorum} from "../src/EcdsaQuorum.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {IQuorumVerifier} from "../src/interfaces/IQuorumVerifier.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {KIND_ATTESTATION, Statement, Statements} from "../src/Statements.sol";
import {ROLE_COMPUTE, ROLE_VALIDATOR} from "../src/Roles.sol";
import {Kit, vm} from "./Kit.sol";

/// @notice What the contracts under test ask of a subnet registry, set by hand.
contract SubnetsDouble {
    address public operators;
    address public anchor;
    mapping(uint256 subnetId => uint64) public openedBlock;

    function set(address operators_, address anchor_) external {
        (operators, anchor) = (operators_, anchor_);
    }

    function open(uint256 subnetId) external {
        openedBlock[subnetId] = uint64(vm.getBlockNumber());
    }

    function contractsOf(uint256) external view returns (address, address) {
        return (operators, anchor);
    }
}

/// @notice What they ask of an operator registry, set by hand.
contract OperatorsDouble {
    mapping(address account => uint8) public roles;
    mapping(address account => uint256) public weights;
    uint256 public total;
    mapping(address account => uint256) public lost;
    address public stakeSource = address(this);

    function set(address account, uint8 role, uint256 weight) external {
        total = total + weight - weights[account];
        (roles[account], weights[account]) = (role, weight);
    }

    function setStakeSource(address source) external {
        stakeSource = source;
    }

    /// @notice As a stake source: what each has now; set by {lose}, else what the registry noted.
    function stake(address account) external view returns (uint256) {
        return weights[account] - lost[account];
    }

    function lose(address account, uint256 amount) external {
        lost[account] = amount;
    }

    function standing(uint256, address account) external view returns (uint8, uint96, uint64) {
        return (roles[account], uint96(weights[account]), 1);
    }

    function validatorWeightAt(uint256, address account, uint48) external view returns (uint256) {
        return weights[account];
    }

    function validatorWeightTotalAt(uint256, uint48) external view returns (uint256) {
        return total;
    }
}

/// @notice One open subnet with a bonded proposer and four validators of equal weight; `SUBNET` is its number.
abstract contract World is Kit {
    uint256 internal constant SUBNET = 1;
    uint256 internal constant BOND = 1 ether;
    uint256 internal constant CHALLENGE = 60;
    uint256 internal constant COMMIT = 10;
    uint256 internal constant SNAPSHOT = 3600;
    uint256 internal constant WEIGHT = 100;
    uint64 internal constant EPOCH = 7;
    uint64 internal constant GAME_ROLE = 42;

    AccessManager internal access;
    SubnetsDouble internal subnets;
    OperatorsDouble internal operators;
    Attestation internal attestation;
    CheckpointAnchor internal anchor;
    address internal proposer;
    address internal game;
    uint256[] internal keys;
    uint256[] internal table;

    function _build(IQuorumVerifier verifier) internal {
        vm.roll(100);
        access = new AccessManager(address(this));
        subnets = new SubnetsDouble();
        operators = new OperatorsDouble();
        ISubnetRegistry registry = ISubnetRegistry(address(subnets));
        attestation = new Attestation(registry, verifier, COMMIT, SNAPSHOT);
        anchor = new CheckpointAnchor(registry, attestation, BOND, CHALLENGE, address(access));
        subnets.set(address(operators), address(anchor));
        subnets.open(SUBNET);
        game = _name("game");
        _allow(address(anchor), CheckpointAnchor.hold.selector, game);
        _allow(address(anchor), CheckpointAnchor.settle.selector, game);
        for (uint256 i = 1; i <= 4; ++i) _validator(i, WEIGHT);
        proposer = _proposer("proposer");
        _snapshot();
    }

    function _allow(address where, bytes4 selector, address who) internal {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        access.setTargetFunctionRole(where, selectors, GAME_ROLE);
        access.grantRole(GAME_ROLE, who, 0);
    }

    /// @dev Another validator; keys stay sorted by address, as the table is.
    function _validator(uint256 key, uint256 weight) internal {
        operators.set(vm.addr(key), ROLE_VALIDATOR, weight);
        keys.push(key);
        for (uint256 i = keys.length - 1; i > 0 && vm.addr(keys[i]) < vm.addr(keys[i - 1]); --i) {
            (keys[i], keys[i - 1]) = (keys[i - 1], keys[i]);
        }
    }

    function _proposer(string memory name) internal returns (address who) {
        who = _name(name);
        vm.deal(who, 10 ether);
        operators.set(who, ROLE_COMPUTE, 0);
        vm.prank(who);
        anchor.bond{value: BOND}(SUBNET);
    }

    function _snapshot() internal returns (uint256) {
        address[] memory all = new address[](keys.length);
        delete table;
        for (uint256 i = 0; i < keys.length; ++i) {
            all[i] = vm.addr(keys[i]);
            table.push(uint256(uint160(all[i])) << 96 | operators.weights(all[i]));
        }
        return attestation.snapshot(SUBNET, all);
    }

    function _checkpoint(uint64 height, bytes32 parent) internal pure returns (ICheckpointAnchor.Checkpoint memory) {
        return ICheckpointAnchor.Checkpoint(height, keccak256(abi.encode("header", height)), parent, keccak256("params"));
    }

    function _key(ICheckpointAnchor.Checkpoint memory it) internal view returns (bytes32) {
        return anchor.keyOf(SUBNET, it);
    }

    /// @dev Proposes; returns where the proposal stands, as long as it is its proposer's last one.
    function _propose(address who, ICheckpointAnchor.Checkpoint memory it)
        internal
        returns (ICheckpointAnchor.Place memory)
    {
        bytes32 before = anchor.rollingOf(SUBNET, who);
        vm.prank(who);
        anchor.propose(SUBNET, it.height, it.header, it.parent, it.paramsDigest);
        return ICheckpointAnchor.Place(who, uint48(vm.getBlockTimestamp()), uint48(vm.getBlockNumber()), before, new bytes32[](0));
    }

    function _open(ICheckpointAnchor.Checkpoint memory it) internal returns (bytes32) {
        anchor.open(SUBNET, it, _propose(proposer, it));
        return _key(it);
    }

    function _statement(uint64 height, bytes32 key) internal pure returns (Statement memory) {
        return Statement(KIND_ATTESTATION, SUBNET, EPOCH, height, 0, key);
    }

    function _sign(uint256 signer, Statement memory statement) internal view returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(signer, Statements.digest(statement, address(subnets)));
        return abi.encodePacked(r, vs);
    }

    function _vote(uint256 position, uint64 height, bytes32 key) internal view returns (bytes memory) {
        return _sign(keys[position], _statement(height, key));
    }

    function _commit(uint256 position, uint64 height, bytes32 key) internal {
        bytes memory vote = _vote(position, height, key);
        vm.prank(vm.addr(keys[position]));
        attestation.commit(SUBNET, height, keccak256(vote));
    }

    /// @dev The first `count` validators' votes, revealed together.
    function _reveal(uint256 count, uint64 height, bytes32 key) internal {
        bytes memory proof;
        for (uint256 i = 0; i < count; ++i) proof = bytes.concat(proof, _vote(i, height, key));
        attestation.reveal(SUBNET, EPOCH, height, key, table, (1 << count) - 1, proof);
    }

    /// @dev The whole vote of the first `count` validators.
    function _attest(uint256 count, uint64 height, bytes32 key) internal {
        for (uint256 i = 0; i < count; ++i) _commit(i, height, key);
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        _reveal(count, height, key);
    }

    function _ecdsa() internal returns (IQuorumVerifier) {
        return new EcdsaQuorum();
    }

    function _pass(uint256 secs) internal {
        vm.warp(vm.getBlockTimestamp() + secs);
        vm.roll(vm.getBlockNumber() + 1);
    }
}
