// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {DisputeGame} from "../src/DisputeGame.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {ISlashingManager} from "../src/interfaces/ISlashingManager.sol";
import {IStepVerifier} from "../src/interfaces/IStepVerifier.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Sha256Merkle} from "../src/libraries/Sha256Merkle.sol";
import {Games, MachineDouble} from "./Games.sol";
import {Handler, vm} from "./Kit.sol";
import {Sha256Tree} from "./Sha256Tree.sol";

/// @notice Challenges, and withdraws again from within the payment.
contract GreedyChallenger {
    DisputeGame private _game;
    uint256 public received;

    constructor(DisputeGame game) payable {
        _game = game;
    }

    function challenge(uint256 subnetId, bytes32 key) external returns (uint256) {
        return _game.challenge{value: 2 ether}(subnetId, key);
    }

    receive() external payable {
        received += msg.value;
        try _game.withdraw(address(this)) {} catch {}
    }
}

/// @notice Random games between random, honest and silent sides; the handler knows what each call must do.
contract GameHandler is Handler, Games {
    uint32 private constant STEPS = 6;
    bytes32[] public opened;
    ICheckpointAnchor.Checkpoint[] private _checkpoints;
    uint32[] private _wrong;
    mapping(uint256 game => IDisputeGame.Outcome) public outcomes;
    mapping(uint256 game => uint256) public which;
    mapping(uint256 game => uint256) private _endedAt;
    bool public changed;
    bool public hasty;
    uint256 public resolved;
    uint256 public short;
    uint256 public late;
    uint256 public early;
    uint256 public mispaid;

    constructor() {
        _play();
        vm.deal(proposer, 100 ether);
        vm.deal(challenger, 10_000 ether);
    }

    function open(uint32 wrong) external {
        vm.assume(opened.length != 12);
        if (anchor.rollingOf(SUBNET, proposer) == 0) {
            vm.prank(proposer);
            try anchor.bond{value: BOND}(SUBNET) {} catch {}
        }
        vm.assume(anchor.rollingOf(SUBNET, proposer) != 0);
        uint32 last = wrong % (STEPS + 1);
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(uint64(opened.length + 1), STEPS, last);
        it.parent = anchor.finalKey(SUBNET);
        _snapshot();
        anchor.open(SUBNET, it, _propose(proposer, it));
        opened.push(_key(it));
        _checkpoints.push(it);
        _wrong.push(last);
        if (wrong % 2 == 0) challenge(0);
        else _told(true);
    }

    /// @dev Two games at once: one may end the other.
    function challenge(uint256 index) public {
        vm.assume(opened.length != 0);
        index = opened.length - 1 - index % (opened.length < 3 ? opened.length : 3);
        ICheckpointAnchor.Record memory record = anchor.recordOf(SUBNET, opened[index]);
        bool may = record.status == ICheckpointAnchor.Status.Open
            && vm.getBlockTimestamp() <= record.proposedAt + CHALLENGE;
        bool done;
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(challenger);
            try disputes.challenge{value: STAKE}(SUBNET, opened[index]) returns (uint256 number) {
                which[number] = index;
                done = true;
            } catch {}
        }
        _told(done, may);
    }

    /// @dev The next move that is due, true to its mover's own run or not. After the end all are tried, in vain.
    function move(uint256 game, bool honest) external {
        uint256 number = _some(game);
        IDisputeGame.Phase phase = _phase(number);
        if (phase == IDisputeGame.Phase.Resolved) {
            phase = IDisputeGame.Phase(1 + game % 4);
            if (_move(number, phase, honest)) ++late;
            return;
        }
        bool inTime = vm.getBlockTimestamp() <= disputes.endsAt(number);
        bool done = _move(number, phase, honest);
        if (done && !inTime) ++late;
        if (!done) {
            _judged(done, inTime);
            return;
        }
        IDisputeGame.Game memory it = disputes.gameOf(number);
        uint256 left = phase == IDisputeGame.Phase.Answer ? it.challengerSeconds : it.defenderSeconds;
        if (left < EXTENSION || left > CLOCK) ++short;
        _note(number);
        _told(done, inTime);
    }

    /// @dev All moves that are left, the challenger's true or not, within the extension each; mostly the proof, too.
    function play(uint256 game, bool honest) external {
        uint256 number = _find(game, false, false);
        vm.assume(vm.getBlockTimestamp() <= disputes.endsAt(number));
        while (_phase(number) != IDisputeGame.Phase.Prove) {
            _judged(_move(number, _phase(number), honest), true);
            _pass(game % EXTENSION);
        }
        if (game % 4 != 0) {
            _judged(_move(number, IDisputeGame.Phase.Prove, honest), true);
            _note(number);
        }
        _told(true);
    }

    function silence(bool loses) external {
        machine.setSilence(loses);
        _told(true);
    }

    function pass(uint256 secs) external {
        _pass(secs % 30);
        _told(true);
    }

    function timeout(uint256 game, bool late_) external {
        uint256 number = _find(game, false, false);
        IDisputeGame.Game memory it = disputes.gameOf(number);
        if (late_) _wait(disputes.endsAt(number) + 1);
        bool due = vm.getBlockTimestamp() > disputes.endsAt(number);
        try disputes.timeout(number) {
            if (vm.getBlockTimestamp() - it.since <= EXTENSION) hasty = true;
            _note(number);
            _told(true, due);
        } catch {
            _told(false, due);
        }
    }

    function drop(uint256 game) external {
        uint256 number = _find(game, false, true);
        try disputes.drop(number) {
            _note(number);
            _told(true, true);
        } catch {
            _told(false, true);
        }
    }

    /// @dev While it is not paid the DAO may have everybody get its own back.
    function annul(uint256 game) external {
        uint256 number = _find(game, true, false);
        vm.assume(game % 3 == 0);
        try disputes.annul(number) {
            outcomes[number] = IDisputeGame.Outcome.Void;
            _told(true, true);
        } catch {
            _told(false, true);
        }
    }

    /// @dev A game that is over, too early or in time; then all that anybody is owed is paid, once.
    function payOut(uint256 game, uint256 secs) external {
        uint256 number = _find(game, true, false);
        vm.warp(vm.getBlockTimestamp() + secs % (4 * PAYOUT));
        IDisputeGame.Game memory it = disputes.gameOf(number);
        bool due = vm.getBlockTimestamp() >= _endedAt[number] + PAYOUT;
        uint256[3] memory before = _owed();
        try disputes.release(number) {
            if (_endedAt[number] == 0 || vm.getBlockTimestamp() < _endedAt[number] + PAYOUT) ++early;
            if (!_paysItsOwn(it, before)) ++mispaid;
        } catch {
            _told(false, due);
            return;
        }
        if (secs % 2 == 0) _withdraw();
        _told(true, due);
    }

    function _withdraw() private {
        address[3] memory all = people();
        for (uint256 i = 0; i < 3; ++i) {
            (uint256 owed, uint256 had) = (disputes.owedTo(all[i]), all[i].balance);
            try disputes.withdraw(all[i]) {
                _judged(all[i].balance - had == owed && disputes.owedTo(all[i]) == 0, true);
            } catch {
                _judged(false, owed > 0);
            }
        }
    }

    function finalise(uint256 index) external {
        vm.assume(opened.length != 0);
        uint256 place = index % opened.length;
        uint64 height = _checkpoints[place].height;
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory vote = _vote(i, height, opened[place]);
            vm.prank(vm.addr(keys[i]));
            try attestation.commit(SUBNET, height, keccak256(vote)) {} catch {}
        }
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        bytes memory proof;
        for (uint256 i = 0; i < 3; ++i) proof = bytes.concat(proof, _vote(i, height, opened[place]));
        try attestation.reveal(SUBNET, EPOCH, height, opened[place], table, 7, proof) {} catch {}
        bool held = anchor.recordOf(SUBNET, opened[place]).disputes != 0;
        try anchor.finalise(SUBNET, opened[place]) {
            _judged(held, false);
        } catch {}
    }

    function theGame() external view returns (DisputeGame) {
        return disputes;
    }

    function theAnchor() external view returns (ICheckpointAnchor) {
        return anchor;
    }

    function people() public view returns (address[3] memory) {
        return [challenger, proposer, treasury];
    }

    function _some(uint256 game) private view returns (uint256) {
        vm.assume(disputes.gameCount() != 0);
        return game % disputes.gameCount() + 1;
    }

    /// @dev Some game that is over and not paid, or one that is not over, or even one that another had decided.
    function _find(uint256 game, bool over, bool rejected) private view returns (uint256) {
        uint256 count = disputes.gameCount();
        for (uint256 i = 0; i < count; ++i) {
            uint256 number = (game % count + i) % count + 1;
            IDisputeGame.Game memory it = disputes.gameOf(number);
            bool fits = over == (it.phase == IDisputeGame.Phase.Resolved) && !it.released;
            ICheckpointAnchor.Status status = anchor.recordOf(SUBNET, it.key).status;
            if (fits && (!rejected || status == ICheckpointAnchor.Status.Rejected)) return number;
        }
        vm.assume(false);
        return 0;
    }

    function _move(uint256 number, IDisputeGame.Phase phase, bool honest) private returns (bool done) {
        ICheckpointAnchor.Checkpoint memory it = _checkpoints[which[number]];
        bytes32[] memory states = _run(it, STEPS, _wrong[which[number]]);
        bytes32[] memory leaves = _leaves(states);
        bytes memory call;
        if (phase == IDisputeGame.Phase.Commit) {
            call = abi.encodeCall(IDisputeGame.commit, (number, it, STEPS, Sha256Tree.root(leaves)));
            vm.prank(proposer);
        } else if (phase == IDisputeGame.Phase.Reveal) {
            uint32 step = _middle(number);
            step = step == 0 ? 1 : step;
            call = abi.encodeCall(IDisputeGame.reveal, (number, states[step], Sha256Tree.path(leaves, step - 1)));
        } else if (phase == IDisputeGame.Phase.Answer) {
            uint32 step = _middle(number);
            call = abi.encodeCall(IDisputeGame.answer, (number, (states[step] == _run(it, STEPS, 0)[step]) == honest));
            vm.prank(challenger);
        } else {
            call = abi.encodeCall(IDisputeGame.prove, (number, ""));
        }
        (done,) = address(disputes).call(call);
    }

    function _owed() private view returns (uint256[3] memory owed) {
        address[3] memory all = people();
        for (uint256 i = 0; i < 3; ++i) owed[i] = disputes.owedTo(all[i]);
    }

    /// @dev What each outcome is worth to challenger, proposer and treasury.
    function _paysItsOwn(IDisputeGame.Game memory it, uint256[3] memory before) private view returns (bool) {
        uint256[3] memory due = [uint256(it.bond), uint256(it.forfeited), 0];
        if (it.outcome == IDisputeGame.Outcome.Upheld) {
            due = [it.bond + it.forfeited - it.forfeited / 2, 0, uint256(it.forfeited / 2)];
        } else if (it.outcome == IDisputeGame.Outcome.Refuted) {
            due = [0, it.forfeited + it.bond - it.bond / 2, uint256(it.bond / 2)];
        } else if (it.outcome == IDisputeGame.Outcome.Unproven) {
            due = [it.bond - it.bond / 2, uint256(it.forfeited), uint256(it.bond / 2)];
        }
        uint256[3] memory owed = _owed();
        for (uint256 i = 0; i < 3; ++i) {
            if (owed[i] - before[i] != due[i]) return false;
        }
        return true;
    }

    function _note(uint256 number) private {
        IDisputeGame.Outcome now_ = disputes.gameOf(number).outcome;
        if (outcomes[number] == IDisputeGame.Outcome.Open) {
            outcomes[number] = now_;
            if (now_ != IDisputeGame.Outcome.Open) {
                ++resolved;
                _endedAt[number] = vm.getBlockTimestamp();
            }
        } else if (outcomes[number] != now_) {
            changed = true;
        }
    }
}

contract DisputeGameTest is Games {
    GameHandler private _handler;

    function setUp() public {
        _play();
        _handler = new GameHandler();
        _target(address(_handler));
    }

    // -- rules

    function test_rules_mustBeSound() public {
        IDisputeGame.Rules memory right = IDisputeGame.Rules(STAKE, CLOCK, EXTENSION, PROVE, PAYOUT, SHARE);
        IDisputeGame.Rules[4] memory wrong;
        for (uint256 i = 0; i < 4; ++i) {
            wrong[i] = IDisputeGame.Rules(STAKE, CLOCK, EXTENSION, PROVE, PAYOUT, SHARE);
        }
        wrong[0].bondWei = 0;
        wrong[1].extensionSeconds = 0;
        wrong[2].extensionSeconds = CLOCK + 1;
        wrong[3].proveSeconds = 0;
        for (uint256 i = 0; i < 4; ++i) _refuses(wrong[i], treasury);
        _refuses(right, address(0));
    }

    function test_noGamesWithoutSha256() public {
        IDisputeGame.Rules memory rules = IDisputeGame.Rules(STAKE, CLOCK, EXTENSION, PROVE, PAYOUT, SHARE);
        vm.mockCall(address(2), "", "");
        vm.expectRevert();
        new DisputeGame(
            ISubnetRegistry(address(subnets)), ISlashingManager(address(slashing)), machine, treasury, rules, address(access)
        );
        vm.mockCall(address(2), "", abi.encode("whatever stands there"));
        vm.expectRevert(Sha256Merkle.NoSha256.selector);
        new DisputeGame(
            ISubnetRegistry(address(subnets)), ISlashingManager(address(slashing)), machine, treasury, rules, address(access)
        );
    }

    function test_anUnknownGameIsNone() public {
        bytes memory none = abi.encodeWithSelector(IDisputeGame.WrongPhase.selector, 0, IDisputeGame.Phase.None);
        vm.expectRevert(none);
        disputes.gameOf(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.WrongPhase.selector, 1, IDisputeGame.Phase.None));
        disputes.endsAt(1);
    }

    function _refuses(IDisputeGame.Rules memory rules, address to) private {
        vm.expectRevert(IDisputeGame.BadRules.selector);
        new DisputeGame(
            ISubnetRegistry(address(subnets)), ISlashingManager(address(slashing)), machine, to, rules, address(access)
        );
    }

    // -- challenge

    function test_challenge_needsTheExactBond() public {
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 4, 0);
        bytes32 key = _open(it);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.WrongChallengeBond.selector, STAKE - 1, STAKE));
        disputes.challenge{value: STAKE - 1}(SUBNET, key);
    }

    function test_challenge_onlyWhileItMayBeDisputed() public {
        vm.expectRevert(
            abi.encodeWithSelector(ICheckpointAnchor.UnknownCheckpoint.selector, SUBNET, bytes32("none"))
        );
        _challenge("none");
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 4, 0);
        bytes32 key = _open(it);
        _pass(CHALLENGE + 1);
        vm.expectPartialRevert(ICheckpointAnchor.WindowClosed.selector);
        _challenge(key);
    }

    function test_challenge_inTheLastSecondHoldsTheCheckpoint() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 4, 0);
        bytes32 key = _open(it);
        _attest(4, 1, key);
        _pass(CHALLENGE - COMMIT);
        uint256 number = _challenge(key);
        _pass(1);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.Disputed.selector, SUBNET, key));
        anchor.finalise(SUBNET, key);
        _commitRun(number, it, states);
        _halve(number, states, states);
        vm.expectRevert(abi.encodeWithSelector(ICheckpointAnchor.Disputed.selector, SUBNET, key));
        anchor.finalise(SUBNET, key);
        disputes.prove(number, "");
        anchor.finalise(SUBNET, key);
        vm.assertEq(anchor.finalKey(SUBNET), key);
    }

    function test_challenge_manyAtOnce() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 8, 5);
        bytes32 key = _open(it);
        uint256 friend = _challenge(key);
        uint256 honest = _challenge(key);
        _commitRun(friend, it, states);
        _commitRun(honest, it, states);
        while (_phase(friend) == IDisputeGame.Phase.Reveal) {
            _reveal(friend, states);
            _answer(friend, false);
        }
        disputes.prove(friend, "");
        vm.assertEq(uint256(disputes.gameOf(friend).outcome), uint256(IDisputeGame.Outcome.Refuted));
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).disputes), 1);
        _halve(honest, states, _run(it, 8, 0));
        disputes.prove(honest, "");
        vm.assertEq(uint256(disputes.gameOf(honest).outcome), uint256(IDisputeGame.Outcome.Upheld));
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).status), uint256(ICheckpointAnchor.Status.Rejected));
    }

    // -- commit

    function test_commit_byTheProposerOnly() public {
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 4, 0);
        uint256 number = _challenge(_open(it));
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotDefender.selector, number, address(this)));
        disputes.commit(number, it, 4, 0);
    }

    function test_commit_isOfTheCheckpoint() public {
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 4, 3);
        uint256 number = _challenge(_open(it));
        (ICheckpointAnchor.Checkpoint memory right,) = _claim(1, 4, 0);
        bytes32 key = _key(right);
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.WrongCheckpoint.selector, number, key));
        disputes.commit(number, right, 4, 0);
    }

    function test_commit_stepsAreBounded() public {
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 4, 0);
        uint256 number = _challenge(_open(it));
        uint32 limit = disputes.MAX_STEPS();
        vm.startPrank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.BadSteps.selector, 0, limit));
        disputes.commit(number, it, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.BadSteps.selector, limit + 1, limit));
        disputes.commit(number, it, limit + 1, 0);
        disputes.commit(number, it, limit, bytes32("trace"));
        vm.stopPrank();
    }

    function test_commit_oneStepNeedsNoBisection() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 1, 0);
        uint256 number = _challenge(_open(it));
        _commitRun(number, it, states);
        disputes.prove(number, "");
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Refuted));
    }

    function test_commit_onceOnly() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 4, 0);
        uint256 number = _challenge(_open(it));
        _commitRun(number, it, states);
        vm.prank(proposer);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeGame.WrongPhase.selector, number, IDisputeGame.Phase.Reveal)
        );
        disputes.commit(number, it, 4, 0);
    }

    // -- reveal, answer

    function test_reveal_showsWhatWasCommitted() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 8, 3);
        uint256 number = _challenge(_open(it));
        _commitRun(number, it, states);
        bytes32[] memory path = Sha256Tree.path(_leaves(states), 3);
        bytes32 other = _run(it, 8, 0)[4];
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.WrongState.selector, number, 4));
        disputes.reveal(number, other, path);
        // Another step's committed state does not pass for this one's either.
        bytes32[] memory beside = Sha256Tree.path(_leaves(states), 4);
        vm.expectPartialRevert(IDisputeGame.WrongState.selector);
        disputes.reveal(number, states[5], beside);
    }

    function test_reveal_anybodyMayShowIt() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 8, 0);
        uint256 number = _challenge(_open(it));
        _commitRun(number, it, states);
        _reveal(number, states);
        vm.assertEq(disputes.gameOf(number).middle, states[4]);
    }

    function test_answer_byTheChallengerOnly() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 8, 0);
        uint256 number = _challenge(_open(it));
        _commitRun(number, it, states);
        _reveal(number, states);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotChallenger.selector, number, address(this)));
        disputes.answer(number, true);
    }

    function test_answer_endsAtOneStep(uint32 steps, uint32 wrong) public {
        steps = uint32(_within(steps, 1, 40));
        wrong = uint32(_within(wrong, 1, steps));
        (uint256 number,) = _played(steps, wrong);
        IDisputeGame.Game memory it = disputes.gameOf(number);
        vm.assertEq(uint256(it.phase), uint256(IDisputeGame.Phase.Prove));
        vm.assertEq(uint256(it.low), wrong - 1);
        vm.assertEq(uint256(it.high), wrong);
        vm.assertTrue(keccak256(abi.encode(it.lowState)) != it.highState, "the step is the wrong one");
    }

    // -- prove

    function test_prove_anHonestDefenderWins() public {
        (uint256 number, bytes32 key) = _played(7, 0);
        vm.expectEmit(true, true, true, true, address(disputes));
        emit IDisputeGame.Resolved(number, IDisputeGame.Outcome.Refuted, true, 0);
        disputes.prove(number, "");
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).status), uint256(ICheckpointAnchor.Status.Open));
        vm.assertEq(uint256(anchor.bondOf(SUBNET, proposer).amount), BOND);
        vm.assertEq(slashing.reports(), 0);
    }

    function test_prove_anHonestChallengerWins() public {
        uint48 proposed = uint48(vm.getBlockTimestamp());
        (uint256 number, bytes32 key) = _played(7, 6);
        _pass(5);
        vm.expectEmit(true, true, true, true, address(disputes));
        emit IDisputeGame.Resolved(number, IDisputeGame.Outcome.Upheld, true, BOND);
        disputes.prove(number, "");
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).status), uint256(ICheckpointAnchor.Status.Rejected));
        vm.assertEq(uint256(anchor.bondOf(SUBNET, proposer).amount), 0);
        vm.assertEq(slashing.culprit(), proposer);
        vm.assertEq(uint256(slashing.time()), proposed);
        vm.assertEq(uint256(slashing.share()), SHARE);
    }

    function test_prove_honestChallengersAlwaysWin(uint32 steps, uint32 wrong, uint256 lies) public {
        steps = uint32(_within(steps, 1, 33));
        wrong = uint32(_within(wrong, 1, steps));
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, steps, wrong);
        uint256 number = _challenge(_open(it));
        // The proposer commits to whatever states it likes between the ends, which are not its to choose.
        for (uint32 s = 1; s < steps; ++s) {
            if (lies >> (s % 256) & 1 == 1) states[s] = keccak256(abi.encode(states[s], lies));
        }
        _commitRun(number, it, states);
        _halve(number, states, _run(it, steps, 0));
        disputes.prove(number, "");
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Upheld));
    }

    function test_prove_honestDefendersAlwaysWin(uint32 steps, uint256 answers) public {
        steps = uint32(_within(steps, 1, 33));
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, steps, 0);
        uint256 number = _challenge(_open(it));
        _commitRun(number, it, states);
        for (; _phase(number) == IDisputeGame.Phase.Reveal; answers >>= 1) {
            _reveal(number, states);
            _answer(number, answers & 1 == 1);
        }
        disputes.prove(number, "");
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Refuted));
    }

    function test_prove_needsAProof() public {
        (uint256 number,) = _played(7, 6);
        vm.expectRevert();
        disputes.prove(number, "junk");
        vm.assertEq(uint256(_phase(number)), uint256(IDisputeGame.Phase.Prove));
    }

    // -- clocks

    function test_clock_isExtendedNearTheEnd() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 32, 0);
        uint256 number = _challenge(_open(it));
        _pass(CLOCK);
        _commitRun(number, it, states);
        vm.assertEq(uint256(disputes.gameOf(number).defenderSeconds), EXTENSION);
        _pass(EXTENSION);
        _reveal(number, states);
        vm.assertEq(uint256(disputes.gameOf(number).defenderSeconds), EXTENSION);
        _pass(CLOCK - EXTENSION - 1);
        _answer(number, true);
        vm.assertEq(uint256(disputes.gameOf(number).challengerSeconds), EXTENSION + 1);
    }

    function test_clock_noMoveAfterIt() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 8, 0);
        uint256 number = _challenge(_open(it));
        uint256 before = vm.snapshotState();
        _pass(CLOCK + 1);
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.TimedOut.selector, number, vm.getBlockTimestamp() - 1));
        disputes.commit(number, it, 8, bytes32("t"));
        disputes.timeout(number);
        vm.assertTrue(vm.revertToState(before), "back");
        _commitRun(number, it, states);
        _reveal(number, states);
        _pass(CLOCK + 1);
        vm.prank(challenger);
        vm.expectPartialRevert(IDisputeGame.TimedOut.selector);
        disputes.answer(number, true);
    }

    function test_clock_honestMoversNeverTimeOut(uint256 delays) public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 64, 0);
        uint256 number = _challenge(_open(it));
        _slowly(number, delays, 0);
        _commitRun(number, it, states);
        for (uint256 i = 1; _phase(number) == IDisputeGame.Phase.Reveal; ++i) {
            _slowly(number, delays, 2 * i);
            _reveal(number, states);
            _slowly(number, delays, 2 * i + 1);
            _answer(number, i % 2 == 0);
        }
        disputes.prove(number, "");
    }

    function test_timeout_ofTheDefender() public {
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 8, 0);
        bytes32 key = _open(it);
        uint256 number = _challenge(key);
        _pass(CLOCK + 1);
        disputes.timeout(number);
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Upheld));
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).status), uint256(ICheckpointAnchor.Status.Rejected));
        vm.assertEq(uint256(disputes.gameOf(number).forfeited), BOND);
        vm.assertEq(slashing.reports(), 0);
    }

    function test_timeout_ofTheChallenger() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 8, 3);
        uint256 number = _challenge(_open(it));
        _commitRun(number, it, states);
        _reveal(number, states);
        _pass(CLOCK + 1);
        disputes.timeout(number);
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Refuted));
    }

    function test_timeout_ofTheStepLosesIfTheDefenderCouldProve() public {
        (uint256 number,) = _played(7, 0);
        _pass(PROVE + 1);
        vm.expectPartialRevert(IDisputeGame.TimedOut.selector);
        disputes.prove(number, "");
        disputes.timeout(number);
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Upheld));
        vm.assertEq(slashing.reports(), 0);
    }

    function test_timeout_ofTheStepCostsHalfTheBondIfOthersShouldHaveProven() public {
        machine.setSilence(false);
        (uint256 number, bytes32 key) = _played(7, 5);
        _pass(PROVE + 1);
        disputes.timeout(number);
        vm.assertEq(uint256(disputes.gameOf(number).outcome), uint256(IDisputeGame.Outcome.Unproven));
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).status), uint256(ICheckpointAnchor.Status.Open));
        _payOut(number);
        vm.assertEq(disputes.owedTo(challenger), STAKE / 2);
        vm.assertEq(disputes.owedTo(treasury), STAKE / 2);
        vm.assertEq(disputes.owedTo(proposer), 0);
    }

    function test_annul_givesBackWhatAnUnprovenGameCost() public {
        machine.setSilence(false);
        (uint256 number,) = _played(7, 5);
        _pass(PROVE + 1);
        disputes.timeout(number);
        disputes.annul(number);
        _payOut(number);
        vm.assertEq(disputes.owedTo(challenger), STAKE);
        vm.assertEq(disputes.owedTo(treasury), 0);
    }

    function test_timeout_notBefore() public {
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 8, 0);
        uint256 number = _challenge(_open(it));
        _pass(CLOCK);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotTimedOut.selector, number, vm.getBlockTimestamp()));
        disputes.timeout(number);
    }

    function test_clock_boundsEveryGame() public {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, 32, 0);
        uint256 number = _challenge(_open(it));
        uint256 began = vm.getBlockTimestamp();
        _pass(CLOCK);
        _commitRun(number, it, states);
        while (_phase(number) == IDisputeGame.Phase.Reveal) {
            _pass(disputes.endsAt(number) - vm.getBlockTimestamp());
            _reveal(number, states);
            _pass(disputes.endsAt(number) - vm.getBlockTimestamp());
            _answer(number, true);
        }
        _pass(PROVE + 1);
        disputes.timeout(number);
        // Five rounds here, twenty at most.
        vm.assertEq(vm.getBlockTimestamp() - began, 2 * CLOCK + 9 * EXTENSION + PROVE + 1);
        vm.assertEq(disputes.longest(), 2 * CLOCK + 39 * EXTENSION + PROVE + 1);
    }

    // -- after the resolution

    function test_noMoveAfterResolution() public {
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 7, 6);
        (uint256 number,) = _played(7, 6);
        disputes.prove(number, "");
        bytes memory over =
            abi.encodeWithSelector(IDisputeGame.WrongPhase.selector, number, IDisputeGame.Phase.Resolved);
        vm.expectRevert(over);
        disputes.prove(number, "");
        vm.expectRevert(over);
        disputes.timeout(number);
        vm.expectRevert(over);
        disputes.drop(number);
        vm.expectRevert(over);
        disputes.reveal(number, 0, new bytes32[](0));
        vm.startPrank(challenger);
        vm.expectRevert(over);
        disputes.answer(number, true);
        vm.stopPrank();
        vm.prank(proposer);
        vm.expectRevert(over);
        disputes.commit(number, it, 7, 0);
        vm.assertEq(disputes.endsAt(number), 0);
    }

    function test_payout_isDelayed() public {
        (uint256 number,) = _played(7, 6);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotResolved.selector, number));
        disputes.release(number);
        disputes.prove(number, "");
        uint256 dueAt = vm.getBlockTimestamp() + PAYOUT;
        _pass(PAYOUT - 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.PayoutPending.selector, number, dueAt));
        disputes.release(number);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NothingOwed.selector, challenger));
        disputes.withdraw(challenger);
    }

    function test_payout_halfOfTheLosersBondIsTheTreasurys() public {
        (uint256 number,) = _played(7, 6);
        disputes.prove(number, "");
        _payOut(number);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.AlreadyReleased.selector, number));
        disputes.release(number);
        uint256 had = challenger.balance;
        vm.assertEq(disputes.withdraw(challenger), STAKE + BOND / 2);
        vm.assertEq(challenger.balance - had, STAKE + BOND / 2);
        vm.assertEq(disputes.withdraw(treasury), BOND / 2);
        vm.assertEq(address(disputes).balance, 0);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NothingOwed.selector, challenger));
        disputes.withdraw(challenger);
    }

    function test_payout_cannotBeReentered() public {
        GreedyChallenger greedy = new GreedyChallenger(disputes);
        vm.deal(address(greedy), STAKE);
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(1, 7, 6);
        uint256 number = greedy.challenge(SUBNET, _open(it));
        _challenge(_key(it));
        _pass(CLOCK + 1);
        disputes.timeout(number);
        _payOut(number);
        disputes.withdraw(address(greedy));
        vm.assertEq(greedy.received(), STAKE + BOND / 2);
        vm.assertEq(address(disputes).balance, STAKE + BOND / 2);
    }

    function test_annul_givesEverybodyItsOwn() public {
        (uint256 number,) = _played(7, 6);
        disputes.prove(number, "");
        disputes.annul(number);
        _payOut(number);
        vm.assertEq(disputes.owedTo(challenger), STAKE);
        vm.assertEq(disputes.owedTo(proposer), BOND);
        vm.assertEq(disputes.owedTo(treasury), 0);
    }

    function test_annul_byTheDaoOnly() public {
        (uint256 number,) = _played(7, 6);
        disputes.prove(number, "");
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, proposer));
        disputes.annul(number);
    }

    function test_annul_notAfterThePayout() public {
        (uint256 number,) = _played(7, 6);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotResolved.selector, number));
        disputes.annul(number);
        disputes.prove(number, "");
        _payOut(number);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.AlreadyReleased.selector, number));
        disputes.annul(number);
    }

    // -- drop, setVerifier, receive

    function test_drop_onceTheCheckpointIsRejected() public {
        (uint256 number, bytes32 key) = _played(7, 6);
        uint256 late = _challenge(key);
        disputes.prove(number, "");
        disputes.drop(late);
        vm.assertEq(uint256(disputes.gameOf(late).outcome), uint256(IDisputeGame.Outcome.Void));
        _payOut(late);
        vm.assertEq(disputes.owedTo(challenger), STAKE);
        vm.assertEq(uint256(anchor.recordOf(SUBNET, key).disputes), 0);
    }

    function test_drop_notWhileItStands() public {
        (uint256 number,) = _played(7, 6);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.StillStands.selector, number));
        disputes.drop(number);
    }

    function test_setVerifier_byTheDaoOnly() public {
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, proposer));
        disputes.setVerifier(SUBNET, machine);
    }

    function test_setVerifier_forNewGamesOnly() public {
        (uint256 number, bytes32 key) = _played(7, 6);
        MachineDouble other = new MachineDouble();
        disputes.setVerifier(SUBNET, other);
        vm.assertEq(address(disputes.verifierOf(SUBNET)), address(other));
        vm.assertEq(address(disputes.gameOf(number).verifier), address(machine));
        vm.assertEq(address(disputes.gameOf(_challenge(key)).verifier), address(other));
        disputes.setVerifier(SUBNET, IStepVerifier(address(0)));
        vm.assertEq(address(disputes.verifierOf(SUBNET)), address(machine));
    }

    function test_receive_fromTheAnchorOnly() public {
        vm.deal(address(this), 1);
        (bool sent, bytes memory why) = address(disputes).call{value: 1}("");
        vm.assertEq(sent, false);
        vm.assertEq(why, abi.encodeWithSelector(IDisputeGame.UnexpectedPayment.selector, address(this), 1));
    }

    // -- invariants

    function invariant_bondsAreConserved() public view {
        DisputeGame it = _handler.theGame();
        uint256 sum;
        for (uint256 number = 1; number <= it.gameCount(); ++number) {
            IDisputeGame.Game memory game = it.gameOf(number);
            if (!game.released) sum += uint256(game.bond) + game.forfeited;
        }
        address[3] memory people = _handler.people();
        for (uint256 i = 0; i < 3; ++i) sum += it.owedTo(people[i]);
        vm.assertEq(address(it).balance, sum);
    }

    function invariant_resolutionIsUnique() public view {
        vm.assertTrue(!_handler.changed(), "an outcome changed");
        uint256 over;
        for (uint256 number = 1; number <= _handler.theGame().gameCount(); ++number) {
            if (_handler.theGame().gameOf(number).outcome != IDisputeGame.Outcome.Open) ++over;
        }
        vm.assertEq(over, _handler.resolved());
    }

    function invariant_honestMoversNeverTimeOut() public view {
        vm.assertTrue(!_handler.hasty(), "timed out within the extension");
    }

    function invariant_nothingDisputedIsFinal() public view {
        DisputeGame it = _handler.theGame();
        for (uint256 number = 1; number <= it.gameCount(); ++number) {
            IDisputeGame.Game memory game = it.gameOf(number);
            ICheckpointAnchor.Status status = _handler.theAnchor().recordOf(SUBNET, game.key).status;
            bool open = game.outcome == IDisputeGame.Outcome.Open;
            vm.assertTrue(!open || status != ICheckpointAnchor.Status.Final, "final while disputed");
        }
    }

    function invariant_movesAreInTime() public view {
        vm.assertEq(_handler.late(), 0, "after the end, or the clock");
        vm.assertEq(_handler.short(), 0, "less than the extension, or more than a clock is left");
    }

    function invariant_payoutsAreDelayedAndRight() public view {
        vm.assertEq(_handler.early(), 0, "before the delay is over");
        vm.assertEq(_handler.mispaid(), 0, "not what the outcome says");
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function _payOut(uint256 number) private {
        _pass(PAYOUT);
        disputes.release(number);
    }

    /// @dev The mover takes its time, but no more than the extension.
    function _slowly(uint256 number, uint256 delays, uint256 turn) private {
        uint256 began = disputes.gameOf(number).since;
        vm.warp(began + uint256(keccak256(abi.encode(delays, turn))) % (EXTENSION + 1));
    }
}
