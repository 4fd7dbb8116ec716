// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Attestation} from "../src/Attestation.sol";
import {IAttestation} from "../src/interfaces/IAttestation.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {IQuorumVerifier} from "../src/interfaces/IQuorumVerifier.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Statement, Statements} from "../src/Statements.sol";
import {Handler, vm} from "./Kit.sol";
import {SubnetsDouble, World} from "./World.sol";

/// @notice Believes everything, and shows no single votes: what an aggregating scheme looks like.
contract AggregateDouble is IQuorumVerifier {
    function verify(bytes32, uint256[] calldata table, uint256 signers, bytes calldata)
        external
        pure
        returns (uint256 weight, bytes32[] memory votes)
    {
        for (uint256 i = 0; signers >> i != 0; ++i) {
            if (signers >> i & 1 != 0) weight += uint96(table[i]);
        }
        return (weight, votes);
    }
}

/// @notice Five heights with two checkpoints each; random commitments and reveals by validators that cheat.
contract VoteHandler is World, Handler {
    bytes32[2][5] public candidates;
    /// @notice What each validator was counted for, twice if it was counted twice.
    mapping(uint256 validator => mapping(uint256 height => uint256)) public counted;

    constructor() {
        _build(_ecdsa());
        for (uint64 height = 0; height < 5; ++height) {
            ICheckpointAnchor.Checkpoint memory one = _checkpoint(height, 0);
            candidates[height][0] = _open(one);
            one.paramsDigest = "another";
            candidates[height][1] = _open(one);
        }
    }

    function commit(uint256 who, uint64 height, uint256 which) external {
        (who, height, which) = (who % 4, height % 5, which % 2);
        bytes memory vote = _vote(who, height, candidates[height][which]);
        (, uint48 time) = attestation.commitmentOf(SUBNET, height, vm.addr(keys[who]));
        vm.prank(vm.addr(keys[who]));
        try attestation.commit(SUBNET, height, keccak256(vote)) {
            _judged(true, time == 0);
        } catch {
            _judged(false, time == 0);
        }
    }

    function reveal(uint256 signers, uint64 height, uint256 which) external {
        (signers, height, which) = (signers % 16, height % 5, which % 2);
        bytes memory proof;
        for (uint256 i = 0; i < 4; ++i) {
            if (signers >> i & 1 != 0) proof = bytes.concat(proof, _vote(i, height, candidates[height][which]));
        }
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        try attestation.reveal(SUBNET, EPOCH, height, candidates[height][which], table, signers, proof) {
            for (uint256 i = 0; i < 4; ++i) counted[i][height] += signers >> i & 1;
        } catch {}
    }

    function theAttestation() external view returns (Attestation) {
        return attestation;
    }
}

contract AttestationTest is World {
    uint64 private constant HEIGHT = 3;
    VoteHandler private _handler;
    bytes32 private _ours;

    function setUp() public {
        _build(_ecdsa());
        _ours = _open(_checkpoint(HEIGHT, 0));
        _handler = new VoteHandler();
        _target(address(_handler));
    }

    // -- snapshot

    function test_snapshot_mustBeComplete() public {
        address[] memory three = new address[](3);
        for (uint256 i = 0; i < 3; ++i) three[i] = vm.addr(keys[i]);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.IncompleteTable.selector, SUBNET, 300, 400));
        attestation.snapshot(SUBNET, three);
    }

    function test_snapshot_mustAscend() public {
        address[] memory twice = new address[](2);
        (twice[0], twice[1]) = (vm.addr(keys[1]), vm.addr(keys[1]));
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotAscending.selector, twice[1]));
        attestation.snapshot(SUBNET, twice);
        twice[1] = vm.addr(keys[0]);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotAscending.selector, twice[1]));
        attestation.snapshot(SUBNET, twice);
    }

    function test_snapshot_ofValidatorsOnly() public {
        address[] memory one = new address[](1);
        one[0] = proposer;
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotValidating.selector, SUBNET, proposer));
        attestation.snapshot(SUBNET, one);
    }

    function test_snapshot_isBounded() public {
        vm.expectRevert(abi.encodeWithSelector(IAttestation.TooManyValidators.selector, 129, 128));
        attestation.snapshot(SUBNET, new address[](129));
    }

    function test_snapshot_needsWeight() public {
        for (uint256 i = 0; i < 4; ++i) operators.set(vm.addr(keys[i]), 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.IncompleteTable.selector, SUBNET, 0, 0));
        attestation.snapshot(SUBNET, new address[](0));
    }

    function test_snapshot_takesThePastWeights() public {
        _validator(5, 7 * WEIGHT);
        _pass(1);
        uint256 id = _snapshot();
        IAttestation.Snapshot memory taken = attestation.snapshotOf(SUBNET, id);
        vm.assertEq(taken.table, keccak256(abi.encodePacked(table)));
        vm.assertEq(uint256(taken.total), 11 * WEIGHT);
        vm.assertEq(uint256(taken.blockNumber), vm.getBlockNumber() - 1);
        vm.assertEq(uint256(taken.takenAt), vm.getBlockTimestamp());
    }

    /// @dev What the registry noted is as old as the last refresh, which nobody must make.
    function test_snapshot_stakeThatLeftDoesNotVote() public {
        operators.lose(vm.addr(keys[0]), WEIGHT);
        operators.lose(vm.addr(keys[1]), 1);
        uint256 id = _snapshot();
        vm.assertEq(uint256(attestation.snapshotOf(SUBNET, id).total), 3 * WEIGHT - 1);
        table[0] -= WEIGHT;
        table[1] -= 1;
        vm.assertEq(attestation.snapshotOf(SUBNET, id).table, keccak256(abi.encodePacked(table)));
        for (uint256 i = 0; i < 4; ++i) operators.lose(vm.addr(keys[i]), WEIGHT);
        vm.expectPartialRevert(IAttestation.IncompleteTable.selector);
        this.again();
    }

    function again() external {
        _snapshot();
    }

    function test_snapshot_ofAnotherNumberIsUnknown() public {
        (uint256 none,) = attestation.latestSnapshot(SUBNET + 1);
        vm.assertEq(none, 0);
        (uint256 latest,) = attestation.latestSnapshot(SUBNET);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NoSnapshot.selector, SUBNET));
        attestation.snapshotOf(SUBNET, 0);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NoSnapshot.selector, SUBNET));
        attestation.snapshotOf(SUBNET, latest + 1);
        vm.assertEq(attestation.snapshotOf(SUBNET, latest).takenAt, vm.getBlockTimestamp());
    }

    // -- begin

    function test_begin_byTheAnchorOnly() public {
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotAnchor.selector, SUBNET, address(this)));
        attestation.begin(SUBNET, HEIGHT, "key");
    }

    function test_begin_needsAFreshSnapshot() public {
        _pass(SNAPSHOT + 1);
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(4, 0);
        ICheckpointAnchor.Place memory place = _propose(proposer, it);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NoSnapshot.selector, SUBNET));
        anchor.open(SUBNET, it, place);
        _snapshot();
        anchor.open(SUBNET, it, place);
    }

    function test_weightsAreThoseOfTheSnapshot() public {
        operators.set(vm.addr(keys[0]), 4, 1000 * WEIGHT);
        _attest(1, HEIGHT, _ours);
        vm.assertEq(uint256(attestation.tallyOf(SUBNET, _ours).weight), WEIGHT);
        vm.assertEq(uint256(attestation.quorumAt(SUBNET, _ours)), 0);
    }

    // -- commit

    function test_commit_onceAHeight() public {
        _commit(0, HEIGHT, _ours);
        address who = vm.addr(keys[0]);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.AlreadyCommitted.selector, SUBNET, HEIGHT, who));
        vm.prank(who);
        attestation.commit(SUBNET, HEIGHT, "another");
    }

    // -- reveal

    function test_reveal_needsAVote() public {
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotVoting.selector, SUBNET, HEIGHT, bytes32("none")));
        _reveal(1, HEIGHT, "none");
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotVoting.selector, SUBNET, HEIGHT + 1, _ours));
        _reveal(1, HEIGHT + 1, _ours);
    }

    function test_reveal_notWhileCommitmentsAreOpen() public {
        _commit(0, HEIGHT, _ours);
        uint256 opensAt = vm.getBlockTimestamp() + COMMIT;
        vm.warp(opensAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.RevealsNotOpen.selector, SUBNET, _ours, opensAt));
        _reveal(1, HEIGHT, _ours);
        vm.warp(opensAt);
        _reveal(1, HEIGHT, _ours);
    }

    function test_reveal_needsTheTable() public {
        _commit(0, HEIGHT, _ours);
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        table[0] += 1;
        vm.expectRevert(abi.encodeWithSelector(IAttestation.UnknownTable.selector, SUBNET, 1));
        _reveal(1, HEIGHT, _ours);
    }

    function test_reveal_needsASigner() public {
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        vm.expectRevert(IAttestation.NobodySigned.selector);
        _reveal(0, HEIGHT, _ours);
        vm.assertEq(uint256(attestation.tallyOf(SUBNET, _ours).revealedAt), 0);
    }

    function test_reveal_needsTheCommitment() public {
        address who = vm.addr(keys[0]);
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotCommitted.selector, SUBNET, HEIGHT, who));
        _reveal(1, HEIGHT, _ours);
        vm.prank(who);
        attestation.commit(SUBNET, HEIGHT, "something else");
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotCommitted.selector, SUBNET, HEIGHT, who));
        _reveal(1, HEIGHT, _ours);
    }

    /// @dev Without commitments whoever waits may sign what the others found; here its vote comes too late.
    function test_reveal_copiersComeTooLate() public {
        _commit(0, HEIGHT, _ours);
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        _reveal(1, HEIGHT, _ours);
        _commit(1, HEIGHT, _ours);
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        address copier = vm.addr(keys[1]);
        bytes memory proof = _vote(1, HEIGHT, _ours);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.CommittedTooLate.selector, SUBNET, HEIGHT, copier));
        attestation.reveal(SUBNET, EPOCH, HEIGHT, _ours, table, 2, proof);
    }

    function test_noVoteTwice() public {
        _attest(2, HEIGHT, _ours);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.VotedAlready.selector, SUBNET, HEIGHT, 1));
        _reveal(1, HEIGHT, _ours);
        vm.assertEq(uint256(attestation.tallyOf(SUBNET, _ours).weight), 2 * WEIGHT);
    }

    function test_noSecondCheckpointOfAHeight() public {
        bytes32 other = _other();
        _attest(1, HEIGHT, _ours);
        address who = vm.addr(keys[0]);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotCommitted.selector, SUBNET, HEIGHT, who));
        _reveal(1, HEIGHT, other);
    }

    function test_noSecondVoteUnderAnotherSnapshot() public {
        _attest(1, HEIGHT, _ours);
        _pass(1);
        _snapshot();
        bytes32 other = _other();
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        address who = vm.addr(keys[0]);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NotCommitted.selector, SUBNET, HEIGHT, who));
        _reveal(1, HEIGHT, other);
    }

    function test_replay_fromAnotherChain() public {
        uint256 here = vm.getChainId();
        vm.chainId(999);
        bytes memory foreign = _vote(0, HEIGHT, _ours);
        vm.chainId(here);
        _refused(foreign);
    }

    function test_replay_fromAnotherRegistry() public {
        bytes32 digest = Statements.digest(_statement(HEIGHT, _ours), address(new SubnetsDouble()));
        (bytes32 r, bytes32 vs) = vm.signCompact(keys[0], digest);
        _refused(abi.encodePacked(r, vs));
    }

    function test_replay_fromAnotherSubnet() public {
        Statement memory elsewhere = _statement(HEIGHT, _ours);
        elsewhere.subnetId = SUBNET + 1;
        _refused(_sign(keys[0], elsewhere));
    }

    function test_quorumAtTwoThirds() public {
        for (uint256 i = 0; i < 4; ++i) _commit(i, HEIGHT, _ours);
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        _reveal(2, HEIGHT, _ours);
        vm.assertEq(uint256(attestation.quorumAt(SUBNET, _ours)), 0);
        vm.warp(vm.getBlockTimestamp() + 5);
        attestation.reveal(SUBNET, EPOCH, HEIGHT, _ours, table, 4, _vote(2, HEIGHT, _ours));
        uint256 reached = vm.getBlockTimestamp();
        vm.assertEq(uint256(attestation.quorumAt(SUBNET, _ours)), reached);
        vm.warp(vm.getBlockTimestamp() + 5);
        attestation.reveal(SUBNET, EPOCH, HEIGHT, _ours, table, 8, _vote(3, HEIGHT, _ours));
        vm.assertEq(uint256(attestation.quorumAt(SUBNET, _ours)), reached);
    }

    function test_reveal_manyAtOnce() public {
        _attest(4, HEIGHT, _ours);
        vm.assertEq(uint256(attestation.tallyOf(SUBNET, _ours).weight), 4 * WEIGHT);
        vm.assertEq(uint256(attestation.tallyOf(SUBNET, _ours).voted), 15);
    }

    // -- aggregated votes

    function test_aggregated_withoutCommitments() public {
        _rebuild();
        attestation.reveal(SUBNET, EPOCH, HEIGHT, _ours, table, 7, "");
        vm.assertEq(uint256(attestation.quorumAt(SUBNET, _ours)), vm.getBlockTimestamp());
    }

    function test_aggregated_onceAHeight() public {
        _rebuild();
        bytes32 other = _other();
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        attestation.reveal(SUBNET, EPOCH, HEIGHT, _ours, table, 3, "");
        vm.expectRevert(abi.encodeWithSelector(IAttestation.VotedAlready.selector, SUBNET, HEIGHT, 2));
        attestation.reveal(SUBNET, EPOCH, HEIGHT, other, table, 6, "");
        _pass(1);
        _snapshot();
        ICheckpointAnchor.Checkpoint memory third = _checkpoint(HEIGHT, 0);
        third.paramsDigest = "a third";
        bytes32 key = _open(third);
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.OtherSnapshotCounts.selector, SUBNET, HEIGHT, 1));
        attestation.reveal(SUBNET, EPOCH, HEIGHT, key, table, 4, "");
    }

    // -- invariants

    function invariant_oneVoteAHeight() public view {
        for (uint256 height = 0; height < 5; ++height) {
            for (uint256 i = 0; i < 4; ++i) vm.assertLt(_handler.counted(i, height), 2, "votes");
        }
    }

    /// @dev There are 20 commitments to make; all that follow must be refused.
    function afterInvariant() public view {
        _handler.asExpected();
    }

    function invariant_quorumHasTwoThirds() public view {
        for (uint256 height = 0; height < 5; ++height) {
            IAttestation.Tally memory one = _handler.theAttestation().tallyOf(SUBNET, _handler.candidates(height, 0));
            IAttestation.Tally memory other = _handler.theAttestation().tallyOf(SUBNET, _handler.candidates(height, 1));
            vm.assertTrue((one.quorumAt != 0) == (one.weight * 3 >= 8 * WEIGHT), "quorum");
            vm.assertTrue(one.quorumAt == 0 || other.quorumAt == 0, "two quorums");
        }
    }

    function _refused(bytes memory vote) private {
        vm.prank(vm.addr(keys[0]));
        attestation.commit(SUBNET, HEIGHT, keccak256(vote));
        vm.warp(vm.getBlockTimestamp() + COMMIT);
        vm.expectPartialRevert(IQuorumVerifier.WrongSigner.selector);
        attestation.reveal(SUBNET, EPOCH, HEIGHT, _ours, table, 1, vote);
    }

    /// @dev Another checkpoint of the same height.
    function _other() private returns (bytes32) {
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(HEIGHT, 0);
        it.paramsDigest = "another";
        return _open(it);
    }

    /// @dev The same world with an aggregating verifier, its vote past the commitments.
    function _rebuild() private {
        delete keys;
        _build(new AggregateDouble());
        _ours = _open(_checkpoint(HEIGHT, 0));
        vm.warp(vm.getBlockTimestamp() + COMMIT);
    }
}
