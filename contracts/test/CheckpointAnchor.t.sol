// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {CheckpointAnchor} from "../src/CheckpointAnchor.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {ROLE_VALIDATOR} from "../src/Roles.sol";
import {vm} from "./Kit.sol";
import {World} from "./World.sol";

/// @notice Withdraws, and again from within the payment.
contract Greedy {
    CheckpointAnchor private _anchor;
    uint256 public received;

    constructor(CheckpointAnchor anchor) payable {
        _anchor = anchor;
    }

    function bond() external {
        _anchor.bond{value: 1 ether}(1);
    }

    function unbond() external {
        _anchor.unbond(1);
    }

    function withdraw() external {
        _anchor.withdrawBond(1);
    }

    receive() external payable {
        received += msg.value;
        try _anchor.withdrawBond(1) {} catch {}
    }
}

/// @notice Random proposers, proposals, votes, disputes and payments.
contract AnchorHandler is World {
    bytes32[] public opened;
    mapping(bytes32 key => uint64) public heightOf;
    mapping(bytes32 key => uint256) public disputesOf;
    address[3] public proposers;

    constructor() {
        _build(_ecdsa());
        proposers = [proposer, _proposer("second"), _proposer("third")];
    }

    receive() external payable {}

    function open(uint256 who, uint256 parent, uint64 height) external {
        bytes32 below = opened.length == 0 || parent % 8 == 0 ? anchor.finalKey(SUBNET) : opened[parent % opened.length];
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(height % 64, below);
        it.paramsDigest = bytes32(who % 2);
        address by = proposers[who % 3];
        vm.assume(anchor.rollingOf(SUBNET, by) != 0);
        _snapshot();
        ICheckpointAnchor.Place memory place = _propose(by, it);
        try anchor.open(SUBNET, it, place) {
            opened.push(_key(it));
            heightOf[_key(it)] = it.height;
        } catch {}
    }

    function attest(uint256 which, uint256 count) external {
        vm.assume(opened.length != 0);
        bytes32 key = opened[which % opened.length];
        for (uint256 i = 0; i < count % 5; ++i) {
            bytes memory vote = _vote(i, heightOf[key], key);
            vm.prank(vm.addr(keys[i]));
            try attestation.commit(SUBNET, heightOf[key], keccak256(vote)) {} catch {}
        }
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        bytes memory proof;
        for (uint256 i = 0; i < count % 5; ++i) proof = bytes.concat(proof, _vote(i, heightOf[key], key));
        try attestation.reveal(SUBNET, EPOCH, heightOf[key], key, table, (1 << count % 5) - 1, proof) {} catch {}
    }

    function finalise(uint256 which, uint256 secs) external {
        vm.assume(opened.length != 0);
        _pass(secs % 100);
        try anchor.finalise(SUBNET, opened[which % opened.length]) {} catch {}
    }

    function hold(uint256 which) external {
        vm.assume(opened.length != 0);
        bytes32 key = opened[which % opened.length];
        vm.prank(game);
        try anchor.hold(SUBNET, key) {
            ++disputesOf[key];
        } catch {}
    }

    function settle(uint256 which, bool upheld) external {
        vm.assume(opened.length != 0);
        bytes32 key = opened[which % opened.length];
        vm.assume(disputesOf[key] != 0);
        --disputesOf[key];
        vm.prank(game);
        anchor.settle(SUBNET, key, upheld);
    }

    function leave(uint256 who, uint256 secs) external {
        vm.prank(proposers[who % 3]);
        try anchor.unbond(SUBNET) {} catch {}
        _pass(secs % 100);
        vm.prank(proposers[who % 3]);
        try anchor.withdrawBond(SUBNET) {} catch {}
    }

    function bond(uint256 who) external {
        vm.prank(proposers[who % 3]);
        try anchor.bond{value: BOND}(SUBNET) {} catch {}
    }

    function count() external view returns (uint256) {
        return opened.length;
    }

    function theAnchor() external view returns (CheckpointAnchor) {
        return anchor;
    }
}

contract CheckpointAnchorTest is World {
    AnchorHandler private _handler;

    function setUp() public {
        _build(_ecdsa());
        _handler = new AnchorHandler();
        _target(address(_handler));
    }

    receive() external payable {}

    // -- bond, unbond, withdrawBond

    function test_bond_needsAComputingOperator() public {
        address other = vm.addr(keys[0]);
        vm.deal(other, BOND);
        vm.prank(other);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotComputing.selector, SUBNET, other));
        anchor.bond{value: BOND}(SUBNET);
    }

    function test_bond_needsAnOpenSubnet() public {
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.SubnetClosed.selector, 2));
        anchor.bond{value: BOND}(2);
    }

    function test_bond_onceOnly() public {
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.AlreadyBonded.selector, SUBNET, proposer));
        anchor.bond{value: BOND}(SUBNET);
    }

    function test_bond_needsTheExactAmount() public {
        operators.set(address(this), 2, 0);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.WrongBond.selector, BOND - 1, BOND));
        anchor.bond{value: BOND - 1}(SUBNET);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.WrongBond.selector, BOND + 1, BOND));
        anchor.bond{value: BOND + 1}(SUBNET);
    }

    function test_unbond_needsABond() public {
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotBonded.selector, SUBNET, address(this)));
        anchor.unbond(SUBNET);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotBonded.selector, SUBNET, address(this)));
        anchor.withdrawBond(SUBNET);
    }

    function test_withdraw_notBeforeAllWindowsAreOver() public {
        vm.startPrank(proposer);
        anchor.unbond(SUBNET);
        vm.warp(vm.getBlockTimestamp() + CHALLENGE);
        vm.expectPartialRevert(ICheckpointAnchor.BondLocked.selector);
        anchor.withdrawBond(SUBNET);
        vm.warp(vm.getBlockTimestamp() + 1);
        anchor.withdrawBond(SUBNET);
    }

    function test_withdraw_notDuringADispute() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.prank(game);
        anchor.hold(SUBNET, key);
        vm.prank(proposer);
        anchor.unbond(SUBNET);
        _pass(CHALLENGE + 1);
        vm.prank(proposer);
        vm.expectPartialRevert(ICheckpointAnchor.BondLocked.selector);
        anchor.withdrawBond(SUBNET);
        vm.prank(game);
        anchor.settle(SUBNET, key, false);
        vm.prank(proposer);
        anchor.withdrawBond(SUBNET);
        vm.assertEq(proposer.balance, 10 ether);
    }

    function test_withdraw_paysOnce() public {
        vm.startPrank(proposer);
        anchor.unbond(SUBNET);
        vm.warp(vm.getBlockTimestamp() + CHALLENGE + 1);
        anchor.withdrawBond(SUBNET);
        vm.assertEq(proposer.balance, 10 ether);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotBonded.selector, SUBNET, proposer));
        anchor.withdrawBond(SUBNET);
    }

    function test_withdraw_cannotBeReentered() public {
        Greedy greedy = new Greedy{value: 1 ether}(anchor);
        operators.set(address(greedy), 2, 0);
        greedy.bond();
        greedy.unbond();
        _pass(CHALLENGE + 1);
        greedy.withdraw();
        vm.assertEq(greedy.received(), 1 ether);
        vm.assertEq(address(anchor).balance, BOND);
    }

    // -- propose

    function test_propose_needsABond() public {
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotBonded.selector, SUBNET, address(this)));
        anchor.propose(SUBNET, 1, "h", 0, "p");
    }

    function test_propose_movesOnlyTheRollingHash() public {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        uint256 when = vm.getBlockTimestamp() << 48 | vm.getBlockNumber();
        bytes32 expected = keccak256(abi.encode(place.before, _key(it), when));
        vm.assertEq(anchor.rollingOf(SUBNET, proposer), expected);
        vm.assertEq(uint256(anchor.recordOf(SUBNET, _key(it)).status), uint256(ICheckpointAnchor.Status.None));
    }

    function test_propose_costsNextToNothing() public {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        vm.startPrank(proposer);
        uint256 left = gasleft();
        anchor.propose(SUBNET, it.height, it.header, keccak256("parent"), it.paramsDigest);
        // Compiled for speed, and called from a contract; contracts/gas.json has the product's own figure.
        _atMostGas(left - gasleft(), 15_000);
    }

    // -- open

    function test_open_needsAProposal() public {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        ICheckpointAnchor.Place memory place = ICheckpointAnchor.Place(
            proposer, uint48(vm.getBlockTimestamp()), uint48(vm.getBlockNumber()), anchor.rollingOf(SUBNET, proposer), new bytes32[](0)
        );
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotProposed.selector, SUBNET, _key(it), proposer));
        anchor.open(SUBNET, it, place);
    }

    function test_open_bindsEveryField() public {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        for (uint256 i = 0; i < 6; ++i) {
            ICheckpointAnchor.Checkpoint memory other = _checkpoint(1, 0);
            ICheckpointAnchor.Place memory elsewhere = ICheckpointAnchor.Place(
                place.proposer, place.time, place.blockNumber, place.before, new bytes32[](0)
            );
            if (i == 0) other.height = 2;
            if (i == 1) other.header = "another";
            if (i == 2) other.paramsDigest = "another";
            if (i == 3) elsewhere.time += 1;
            if (i == 4) elsewhere.blockNumber += 1;
            if (i == 5) elsewhere.before = "another";
            vm.expectPartialRevert(ICheckpointAnchor.NotProposed.selector);
            anchor.open(SUBNET, other, elsewhere);
        }
        anchor.open(SUBNET, it, place);
    }

    function test_open_isVoidOnceItsProposerLeft() public {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        vm.prank(proposer);
        anchor.unbond(SUBNET);
        vm.expectPartialRevert(ICheckpointAnchor.NotProposed.selector);
        anchor.open(SUBNET, it, place);
    }

    function test_open_anyOfManyProposals(uint8 count, uint8 wanted) public {
        uint256 n = _within(count, 1, 20);
        uint256 target = _within(wanted, 0, n - 1);
        ICheckpointAnchor.Place memory place;
        bytes32[] memory later = new bytes32[](2 * (n - 1 - target));
        for (uint256 i = 0; i < n; ++i) {
            ICheckpointAnchor.Checkpoint memory it = _checkpoint(uint64(i), 0);
            ICheckpointAnchor.Place memory stands = _propose(proposer, it);
            if (i == target) place = stands;
            if (i > target) later[2 * (i - target - 1)] = _key(it);
            if (i > target) later[2 * (i - target) - 1] = bytes32(vm.getBlockTimestamp() << 48 | vm.getBlockNumber());
            _pass(1);
        }
        place.later = later;
        anchor.open(SUBNET, _checkpoint(uint64(target), 0), place);
        bytes32 key = _key(_checkpoint(uint64(target), 0));
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).status), uint256(ICheckpointAnchor.Status.Open));
    }

    function test_open_onceOnly() public {
        bytes32 key = _open(_checkpoint(1, 0));
        ICheckpointAnchor.Place memory again = _propose(_proposer("second"), _checkpoint(1, 0));
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.AlreadyOpened.selector, SUBNET, key));
        anchor.open(SUBNET, _checkpoint(1, 0), again);
    }

    function test_open_needsAHeader() public {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        it.header = 0;
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        vm.expectRevert(ICheckpointAnchor.ZeroHeader.selector);
        anchor.open(SUBNET, it, place);
    }

    function test_open_needsItsParent() public {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, "nobody");
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.UnknownParent.selector, SUBNET, bytes32("nobody")));
        anchor.open(SUBNET, it, place);
        _finalOne();
        it = _checkpoint(2, 0);
        place = _propose(proposer, it);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.UnknownParent.selector, SUBNET, bytes32(0)));
        anchor.open(SUBNET, it, place);
    }

    function test_open_mustRiseAboveItsParent() public {
        bytes32 below = _open(_checkpoint(5, 0));
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(5, below);
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotAboveParent.selector, 5, 5));
        anchor.open(SUBNET, it, place);
    }

    function test_open_mustRiseAboveTheFinalOne() public {
        _finalOne();
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        it.paramsDigest = "another";
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.BelowFinal.selector, SUBNET, 1, 1));
        anchor.open(SUBNET, it, place);
    }

    function test_open_stopsWhenFinalityLags() public {
        bytes32 below;
        for (uint64 height = 1; height <= 256; ++height) below = _open(_checkpoint(height, below));
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(257, below);
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.FinalityLags.selector, SUBNET, 0, 256));
        anchor.open(SUBNET, it, place);
    }

    /// @dev Where a checkpoint was known by its header alone, the squatter's record kept the right one out.
    function test_squatterCannotStopFinality() public {
        ICheckpointAnchor.Checkpoint memory wrong = _checkpoint(1, 0);
        wrong.paramsDigest = "a squatter's";
        anchor.open(SUBNET, wrong, _propose(_proposer("squatter"), wrong));
        bytes32 key = _finalOne();
        vm.assertEq(anchor.finalKey(SUBNET), key);
    }

    /// @dev Nobody can open, and so dispute, a checkpoint whose parent is not known. If its window began with its proposal,
    ///      it would be over by the time that its proposer lets the parent be known.
    function test_open_windowsDoNotPassUnseen() public {
        bytes32 below = _key(_checkpoint(1, 0));
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(2, below);
        ICheckpointAnchor.Place memory place = _propose(_proposer("sly"), it);
        vm.expectPartialRevert(ICheckpointAnchor.UnknownParent.selector);
        anchor.open(SUBNET, it, place);
        _pass(CHALLENGE + 1);
        _open(_checkpoint(1, 0));
        anchor.open(SUBNET, it, place);
        vm.assertEq(uint256(anchor.recordOf(SUBNET, _key(it)).proposedAt), vm.getBlockTimestamp());
        vm.warp(vm.getBlockTimestamp() + CHALLENGE);
        bytes32 key = _key(it);
        vm.prank(game);
        anchor.hold(SUBNET, key);
    }

    function test_open_recordsAndBeginsTheVote() public {
        bytes32 below = _open(_checkpoint(1, 0));
        _pass(3);
        bytes32 key = _open(_checkpoint(4, below));
        ICheckpointAnchor.Record memory record = anchor.recordOf(SUBNET, key);
        vm.assertEq(record.parent, below);
        vm.assertEq(record.proposer, proposer);
        vm.assertEq(uint256(record.height), 4);
        vm.assertEq(uint256(record.depth), 2);
        vm.assertEq(uint256(record.proposedAt), vm.getBlockTimestamp());
        vm.assertEq(uint256(record.proposedBlock), vm.getBlockNumber());
        vm.assertEq(uint256(attestation.tallyOf(SUBNET, key).openedAt), vm.getBlockTimestamp());
    }

    // -- finalise

    function test_finalise_needsAQuorum() public {
        bytes32 key = _open(_checkpoint(1, 0));
        _attest(2, 1, key);
        _pass(CHALLENGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NoQuorum.selector, SUBNET, key));
        anchor.finalise(SUBNET, key);
    }

    function test_finalise_notInsideTheWindow() public {
        bytes32 key = _open(_checkpoint(1, 0));
        uint256 closesAt = vm.getBlockTimestamp() + CHALLENGE;
        _attest(3, 1, key);
        vm.warp(closesAt);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.WindowOpen.selector, SUBNET, key, closesAt));
        anchor.finalise(SUBNET, key);
        vm.warp(closesAt + 1);
        anchor.finalise(SUBNET, key);
    }

    function test_finalise_notWhileDisputed() public {
        bytes32 key = _open(_checkpoint(1, 0));
        _attest(4, 1, key);
        vm.prank(game);
        anchor.hold(SUBNET, key);
        _pass(CHALLENGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.Disputed.selector, SUBNET, key));
        anchor.finalise(SUBNET, key);
        vm.prank(game);
        anchor.settle(SUBNET, key, false);
        anchor.finalise(SUBNET, key);
        vm.assertEq(anchor.finalKey(SUBNET), key);
    }

    function test_finalise_notWhileAnAncestorIsDisputed() public {
        bytes32 below = _open(_checkpoint(1, 0));
        bytes32 key = _open(_checkpoint(2, below));
        _attest(3, 2, key);
        vm.prank(game);
        anchor.hold(SUBNET, below);
        _pass(CHALLENGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.Disputed.selector, SUBNET, below));
        anchor.finalise(SUBNET, key);
    }

    function test_finalise_neverWhatWasRejected() public {
        bytes32 below = _open(_checkpoint(1, 0));
        bytes32 key = _open(_checkpoint(2, below));
        _attest(3, 2, key);
        vm.startPrank(game);
        anchor.hold(SUBNET, below);
        anchor.settle(SUBNET, below, true);
        vm.stopPrank();
        _pass(CHALLENGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.ConflictsWithFinal.selector, SUBNET, key, bytes32(0)));
        anchor.finalise(SUBNET, key);
        vm.assertEq(anchor.finalKey(SUBNET), 0);
    }

    function test_finalise_onlyOneChain() public {
        ICheckpointAnchor.Checkpoint memory fork = _checkpoint(1, 0);
        fork.paramsDigest = "a fork's";
        bytes32 forkKey = _open(fork);
        bytes32 above = _open(_checkpoint(2, forkKey));
        bytes32 key = _finalOne();
        _attest(3, 2, above);
        _pass(CHALLENGE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.ConflictsWithFinal.selector, SUBNET, above, key));
        anchor.finalise(SUBNET, above);
        vm.assertEq(anchor.finalKey(SUBNET), key);
    }

    function test_finalise_withItsAncestors() public {
        bytes32 first = _open(_checkpoint(1, 0));
        bytes32 second = _open(_checkpoint(5, first));
        bytes32 third = _open(_checkpoint(9, second));
        _attest(3, 9, third);
        _pass(CHALLENGE + 1);
        anchor.finalise(SUBNET, third);
        vm.assertEq(anchor.finalKey(SUBNET), third);
        bytes32[3] memory all = [first, second, third];
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(uint256(anchor.recordOf(SUBNET, all[i]).status), uint256(ICheckpointAnchor.Status.Final));
        }
    }

    // -- disputes

    function test_hold_byTheGameOnly() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, proposer));
        anchor.hold(SUBNET, key);
    }

    function test_hold_needsAnOpenCheckpoint() public {
        bytes32 key = _finalOne();
        vm.startPrank(game);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.UnknownCheckpoint.selector, SUBNET, key));
        anchor.hold(SUBNET, key);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.UnknownCheckpoint.selector, SUBNET, bytes32("none")));
        anchor.hold(SUBNET, "none");
    }

    function test_hold_inTheLastSecondButNotAfter() public {
        bytes32 key = _open(_checkpoint(1, 0));
        _attest(4, 1, key);
        vm.warp(uint256(anchor.recordOf(SUBNET, key).proposedAt) + CHALLENGE);
        uint256 state = vm.snapshotState();
        vm.expectPartialRevert(ICheckpointAnchor.WindowOpen.selector);
        anchor.finalise(SUBNET, key);
        vm.prank(game);
        anchor.hold(SUBNET, key);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.Disputed.selector, SUBNET, key));
        anchor.finalise(SUBNET, key);
        vm.revertToState(state);
        vm.warp(uint256(anchor.recordOf(SUBNET, key).proposedAt) + CHALLENGE + 1);
        vm.prank(game);
        vm.expectPartialRevert(ICheckpointAnchor.WindowClosed.selector);
        anchor.hold(SUBNET, key);
    }

    function test_hold_bindsTheBond() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.prank(game);
        anchor.hold(SUBNET, key);
        vm.assertEq(uint256(anchor.bondOf(SUBNET, proposer).disputes), 1);
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).disputes), 1);
    }

    function test_settle_byTheGameOnly() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.prank(game);
        anchor.hold(SUBNET, key);
        vm.expectRevert();
        vm.prank(proposer);
        anchor.settle(SUBNET, key, false);
    }

    function test_settle_needsADispute() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.prank(game);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotHeld.selector, SUBNET, key));
        anchor.settle(SUBNET, key, true);
    }

    function test_settle_inPeace() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.startPrank(game);
        anchor.hold(SUBNET, key);
        vm.assertEq(anchor.settle(SUBNET, key, false), 0);
        vm.assertEq(uint256(anchor.bondOf(SUBNET, proposer).amount), BOND);
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).status), uint256(ICheckpointAnchor.Status.Open));
    }

    function test_settle_takesTheBond() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.startPrank(game);
        anchor.hold(SUBNET, key);
        vm.assertEq(anchor.settle(SUBNET, key, true), BOND);
        vm.stopPrank();
        vm.assertEq(game.balance, BOND);
        vm.assertEq(address(anchor).balance, 0);
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.NotBonded.selector, SUBNET, proposer));
        anchor.propose(SUBNET, 2, "h", 0, "p");
    }

    function test_settle_paysOnce() public {
        bytes32 key = _open(_checkpoint(1, 0));
        vm.startPrank(game);
        anchor.hold(SUBNET, key);
        anchor.hold(SUBNET, key);
        vm.assertEq(anchor.settle(SUBNET, key, true), BOND);
        vm.assertEq(anchor.settle(SUBNET, key, true), 0);
    }

    // -- invariants

    function invariant_balanceIsTheSumOfBonds() public view {
        uint256 sum;
        for (uint256 i = 0; i < 3; ++i) {
            sum += _handler.theAnchor().bondOf(SUBNET, _handler.proposers(i)).amount;
        }
        vm.assertEq(address(_handler.theAnchor()).balance, sum);
    }

    function invariant_finalChain() public view {
        CheckpointAnchor it = _handler.theAnchor();
        bytes32 cursor = it.finalKey(SUBNET);
        uint256 length;
        while (cursor != 0) {
            ICheckpointAnchor.Record memory record = it.recordOf(SUBNET, cursor);
            vm.assertEq(uint256(record.status), uint256(ICheckpointAnchor.Status.Final));
            if (record.parent != 0) vm.assertLt(it.recordOf(SUBNET, record.parent).height, record.height, "height");
            cursor = record.parent;
            ++length;
        }
        uint256 all;
        for (uint256 i = 0; i < _handler.count(); ++i) {
            if (it.recordOf(SUBNET, _handler.opened(i)).status == ICheckpointAnchor.Status.Final) ++all;
        }
        vm.assertEq(length, all);
    }

    function invariant_finalIsUndisputed() public view {
        CheckpointAnchor it = _handler.theAnchor();
        bytes32 cursor = it.finalKey(SUBNET);
        while (cursor != 0) {
            ICheckpointAnchor.Record memory record = it.recordOf(SUBNET, cursor);
            vm.assertEq(uint256(record.disputes), 0);
            cursor = record.parent;
        }
    }

    function _finalOne() private returns (bytes32 key) {
        key = _open(_checkpoint(1, 0));
        _attest(3, 1, key);
        _pass(CHALLENGE + 1);
        anchor.finalise(SUBNET, key);
    }
}
