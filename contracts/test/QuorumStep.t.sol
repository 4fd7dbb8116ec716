// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {QuorumStep} from "../src/QuorumStep.sol";
import {Court} from "../src/Court.sol";
import {IAttestation} from "../src/interfaces/IAttestation.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {ICourt} from "../src/interfaces/ICourt.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {IQuorumStep} from "../src/interfaces/IQuorumStep.sol";
import {IQuorumVerifier} from "../src/interfaces/IQuorumVerifier.sol";
import {ISlashingManager} from "../src/interfaces/ISlashingManager.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {KIND_STEP, Statement, Statements} from "../src/Statements.sol";
import {Games} from "./Games.sol";
import {vm} from "./Kit.sol";

contract QuorumStepTest is Games {
    QuorumStep private _verifier;
    ICheckpointAnchor.Checkpoint private _it;

    function setUp() public {
        _play();
        _verifier = new QuorumStep(ISubnetRegistry(address(subnets)));
        disputes.setVerifier(SUBNET, _verifier);
        _it = _checkpoint(1, 0);
    }

    function test_ends_bindTheCheckpoint() public view {
        (bytes32 first, bytes32 last) = _verifier.ends(SUBNET, _it);
        for (uint256 i = 0; i < 3; ++i) {
            ICheckpointAnchor.Checkpoint memory other = _it;
            if (i == 0) other.header = "other";
            if (i == 1) other.parent = "other";
            if (i == 2) other.paramsDigest = "other";
            (bytes32 begin, bytes32 end) = _verifier.ends(SUBNET, other);
            vm.assertEq(begin == first, i == 2);
            vm.assertEq(end == last, i != 2);
        }
    }

    function test_resultOf_twoThirdsForTheDefender() public {
        (uint256 number, bytes32 right) = _lastStep();
        disputes.prove(number, _proof(number, right, 3));
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Refuted));
    }

    function test_resultOf_twoThirdsForTheChallenger() public {
        (uint256 number,) = _lastStep();
        disputes.prove(number, _proof(number, "elsewhere", 3));
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Upheld));
        vm.assertEq(slashing.culprit(), proposer);
    }

    function test_resultOf_lessThanTwoThirds() public {
        (uint256 number, bytes32 right) = _lastStep();
        bytes memory proof = _proof(number, right, 2);
        vm.expectRevert(abi.encodeWithSelector(IQuorumStep.TooLittleWeight.selector, 2 * WEIGHT, 4 * WEIGHT));
        disputes.prove(number, proof);
    }

    function test_resultOf_otherTables() public {
        (uint256 number, bytes32 right) = _lastStep();
        table[0] += 1000;
        bytes memory proof = _proof(number, right, 3);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.UnknownTable.selector, SUBNET, 1));
        disputes.prove(number, proof);
    }

    function test_resultOf_noReplay() public {
        (uint256 number, bytes32 right) = _lastStep();
        uint256 other = _challenge(_key(_it));
        vm.prank(proposer);
        disputes.commit(other, _it, 1, 0);
        bytes memory proof = _proof(number, right, 3);
        vm.expectPartialRevert(IQuorumVerifier.WrongSigner.selector);
        disputes.prove(other, proof);
        uint256 chain = vm.getChainId();
        vm.chainId(999);
        bytes memory elsewhere = _proof(number, right, 3);
        vm.chainId(chain);
        vm.expectPartialRevert(IQuorumVerifier.WrongSigner.selector);
        disputes.prove(number, elsewhere);
        disputes.prove(number, proof);
    }

    function test_resultOf_honestValidatorsNeverContradictThemselves() public {
        (uint256 number, bytes32 right) = _lastStep();
        uint256 other = _challenge(_key(_it));
        vm.prank(proposer);
        // The same checkpoint, cut into other steps: its first step leads elsewhere.
        disputes.commit(other, _it, 1, 0);
        Court court = new Court(address(subnets), ISlashingManager(address(slashing)), 1, 1);
        Statement memory one = _stated(number, right);
        Statement memory two = _stated(other, "another state");
        bytes32[2] memory signature = abi.decode(_sign(keys[0], one), (bytes32[2]));
        bytes32[2] memory second = abi.decode(_sign(keys[0], two), (bytes32[2]));
        vm.expectRevert(ICourt.NoContradiction.selector);
        court.equivocation(one, signature, two, second);
        // Two results for one step of one game are one.
        two = _stated(number, "another state");
        second = abi.decode(_sign(keys[0], two), (bytes32[2]));
        court.equivocation(one, signature, two, second);
        vm.assertEq(slashing.culprit(), vm.addr(keys[0]));
    }

    function test_silence_leavesTheGameUnproven() public {
        (uint256 number,) = _lastStep();
        _pass(PROVE + 1);
        disputes.timeout(number);
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Unproven));
    }

    /// @dev A game whose only step is left, and what the defender says of it.
    function _lastStep() private returns (uint256 number, bytes32 right) {
        number = _challenge(_open(_it));
        vm.prank(proposer);
        disputes.commit(number, _it, 1, 0);
        right = disputes.gameOf(number).highState;
    }

    function _stated(uint256 number, bytes32 result) private view returns (Statement memory) {
        IDisputeGame.Game memory it = disputes.gameOf(number);
        bytes32 task = keccak256(abi.encode(it.key, it.steps, it.trace));
        bytes32 value = Statements.stepValue(task, it.lowState, result);
        return Statement(KIND_STEP, SUBNET, EPOCH, it.height, uint64(number << 32 | it.low), value);
    }

    function _proof(uint256 number, bytes32 result, uint256 count) private view returns (bytes memory) {
        bytes memory signatures;
        for (uint256 i = 0; i < count; ++i) {
            signatures = bytes.concat(signatures, _sign(keys[i], _stated(number, result)));
        }
        return abi.encode(IQuorumStep.Vote(EPOCH, result, table, (1 << count) - 1, signatures));
    }
}
