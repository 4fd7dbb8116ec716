// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {RewardDistributor} from "../src/RewardDistributor.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {IPostedRoots} from "../src/interfaces/IPostedRoots.sol";
import {IRewardDistributor} from "../src/interfaces/IRewardDistributor.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";
import {Tree} from "./Tree.sol";

uint48 constant DELAY = 1 hours;

/// @notice Two subnets are funded, their posters post roots that promise too much or too little, and people claim.
contract RewardHandler is Handler {
    RewardDistributor private _rewards;
    TwoPMToken private _token;
    address private _poster;
    address private _guardian;
    address[3] private _people;
    uint256 public shrunk;
    uint256 public replayed;
    uint256 public paid;
    uint256 public funded;
    mapping(uint256 subnet => mapping(uint256 root => uint256)) private _promise;

    constructor(RewardDistributor rewards, TwoPMToken token, address poster, address guardian) {
        (_rewards, _token, _poster, _guardian) = (rewards, token, poster, guardian);
        _people = [_name("ann"), _name("bob"), _name("cyd")];
    }

    function fund(uint256 subnet, uint256 amount) external {
        amount = bound(amount, 0, 1e24);
        _token.approve(address(_rewards), amount);
        _rewards.fund(1 + subnet % 2, amount);
        funded += amount;
        _told(true);
    }

    function post(uint256 subnet, uint256 amount) external {
        subnet = 1 + subnet % 2;
        amount = bound(amount, 1, 1e22);
        uint256 index = _rewards.rootCount(subnet);
        _promise[subnet][index] = amount;
        bytes32 root = Tree.root(_leaves(subnet, amount));
        vm.prank(_poster);
        _rewards.postRoot(subnet, root);
        _told(true);
    }

    function disable(uint256 subnet, uint256 index) external {
        subnet = 1 + subnet % 2;
        uint256 count = _rewards.rootCount(subnet);
        vm.assume(count >= 4);
        vm.prank(_guardian);
        _rewards.disableRoot(subnet, index % count);
    }

    function claim(uint256 subnet, uint256 leaf, uint256 index) external {
        subnet = 1 + subnet % 2;
        uint256 count = _rewards.rootCount(subnet);
        vm.assume(count != 0);
        (index, leaf) = (index % count, leaf % 9);
        uint256 amount = _promise[subnet][index];
        bytes32[] memory proof = Tree.proof(_leaves(subnet, amount), leaf);
        (IRewardDistributor.Pot pot, address who) = _leaf(leaf);
        uint256 before = _rewards.claimedOf(subnet, pot, who);
        uint256 left = _left(subnet, pot);
        bool due = _active(subnet, index) && amount * (leaf + 1) > before && amount * (leaf + 1) - before <= left;
        try _rewards.claim(subnet, pot, who, amount * (leaf + 1), index, proof) returns (uint256 sum) {
            paid += sum;
            _told(true, due);
            try _rewards.claim(subnet, pot, who, amount * (leaf + 1), index, proof) {
                replayed += 1;
            } catch {}
        } catch {
            _told(false, due);
        }
        if (_rewards.claimedOf(subnet, pot, who) < before) shrunk += 1;
    }

    function prepare(uint256 subnet, uint8 pot, uint256 who) external {
        address[] memory one = new address[](1);
        one[0] = _people[who % 3];
        uint256 before = _rewards.claimedOf(1 + subnet % 2, IRewardDistributor.Pot(pot % 4), one[0]);
        _rewards.prepare(1 + subnet % 2, IRewardDistributor.Pot(pot % 4), one);
        _told(_rewards.claimedOf(1 + subnet % 2, IRewardDistributor.Pot(pot % 4), one[0]) == before, true);
    }

    function payDao(uint256 subnet) external {
        bool due = _left(1 + subnet % 2, IRewardDistributor.Pot.Dao) > 0;
        try _rewards.payDao(1 + subnet % 2) returns (uint256 sum) {
            paid += sum;
            _told(true, due);
        } catch {
            _told(false, due);
        }
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 2 * DELAY));
        _told(true);
    }

    function _left(uint256 subnet, IRewardDistributor.Pot pot) private view returns (uint256) {
        IRewardDistributor.Balance memory held = _rewards.balanceOf(subnet, pot);
        return held.funded - held.claimed;
    }

    function _active(uint256 subnet, uint256 index) private view returns (bool) {
        IPostedRoots.Root memory root = _rewards.rootOf(subnet, index);
        return !root.disabled && root.activeFrom <= vm.getBlockTimestamp();
    }

    function _leaf(uint256 leaf) private view returns (IRewardDistributor.Pot pot, address who) {
        pot = [IRewardDistributor.Pot.Verifier, IRewardDistributor.Pot.Compute, IRewardDistributor.Pot.Data][leaf / 3];
        who = _people[leaf % 3];
    }

    function _leaves(uint256 subnet, uint256 amount) private view returns (bytes32[] memory inner) {
        inner = new bytes32[](9);
        for (uint256 i = 0; i < 9; ++i) {
            (IRewardDistributor.Pot pot, address who) = _leaf(i);
            inner[i] = _rewards.leafOf(subnet, pot, who, amount * (i + 1));
        }
    }
}

contract RewardDistributorTest is Kit {
    TwoPMToken private _token;
    SubnetRegistry private _subnets;
    RewardDistributor private _rewards;
    RewardHandler private _handler;
    address private _poster;
    address private _ann;
    address private _bob;
    address private _treasury;
    bytes32[] private _inner;

    function setUp() public {
        (_poster, _ann, _bob, _treasury) = (_name("poster"), _name("anna"), _name("bert"), _name("treasury"));
        Ground ground = new Ground(address(this));
        _subnets = ground.SUBNETS();
        _subnets.found(ground.terms(address(this), _poster));
        _subnets.found(ground.terms(address(this), _poster));
        _token = new TwoPMToken(address(this), 1e30);
        _rewards = new RewardDistributor(_token, _subnets, DELAY, _treasury, address(ground.POWERS()));
        _token.approve(address(_rewards), type(uint256).max);
        _handler = new RewardHandler(_rewards, _token, _poster, address(this));
        _token.transfer(address(_handler), 1e29);
        _target(address(_handler));
    }

    function test_fundsAreSplitIntoFourPots() public {
        _rewards.fund(1, 1000);
        vm.assertEq(_rewards.balanceOf(1, IRewardDistributor.Pot.Verifier).funded, 100);
        vm.assertEq(_rewards.balanceOf(1, IRewardDistributor.Pot.Dao).funded, 50);
        vm.assertEq(_rewards.balanceOf(1, IRewardDistributor.Pot.Compute).funded, 595);
        vm.assertEq(_rewards.balanceOf(1, IRewardDistributor.Pot.Data).funded, 255);
        vm.assertEq(_token.balanceOf(address(_rewards)), 1000);
    }

    function test_newEconomicsChangeNothingThatCameBefore() public {
        _rewards.fund(1, 1000);
        _subnets.setEconomics(1, ISubnetRegistry.Economics(0, 0, 0, 1, 0, 0, _poster));
        vm.assertEq(_rewards.balanceOf(1, IRewardDistributor.Pot.Compute).funded, 595);
        _rewards.fund(1, 1000);
        vm.assertEq(_rewards.balanceOf(1, IRewardDistributor.Pot.Data).funded, 1255);
    }

    function test_potsAddUp(uint96 amount, uint16 verifiers, uint16 dao, uint16 compute, uint16 data) public {
        verifiers = uint16(bound(verifiers, 0, 10_000));
        dao = uint16(bound(dao, 0, 10_000 - verifiers));
        if (compute == 0 && data == 0) data = 1;
        _subnets.setEconomics(1, ISubnetRegistry.Economics(verifiers, dao, compute, data, 0, 0, _poster));
        _rewards.fund(1, amount);
        uint256 sum = 0;
        for (uint8 i = 0; i < 4; ++i) {
            sum += _rewards.balanceOf(1, IRewardDistributor.Pot(i)).funded;
        }
        vm.assertEq(sum, amount);
    }

    function test_aClaimPaysTheDifference() public {
        _rewards.fund(1, 1000);
        _post(100, 50);
        vm.assertEq(_claim(_ann, 100, 0), 100);
        _post(130, 70);
        vm.assertEq(_claim(_ann, 130, 1), 30);
        vm.assertEq(_token.balanceOf(_ann), 130);
    }

    function test_aReplayPaysNothing() public {
        _rewards.fund(1, 1000);
        _post(100, 50);
        _claim(_ann, 100, 0);
        bytes32[] memory proof = Tree.proof(_inner, 0);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NothingDue.selector, _ann, 100, 100));
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 100, 0, proof);
    }

    function test_aRootWaitsAndCanBeDisabled() public {
        _rewards.fund(1, 1000);
        _post(100, 50);
        uint48 active = uint48(vm.getBlockTimestamp());
        bytes32[] memory proof = Tree.proof(_inner, 0);
        vm.warp(active - 1);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.RootNotActive.selector, 1, 0, active, false));
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 100, 0, proof);
        _rewards.disableRoot(1, 0);
        vm.assertTrue(_rewards.rootOf(1, 0).disabled, "disabled");
        vm.warp(active);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.RootNotActive.selector, 1, 0, active, true));
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 100, 0, proof);
    }

    function test_aProofIsForOneLeaf() public {
        _rewards.fund(1, 1000);
        _rewards.fund(2, 1000);
        _post(100, 50);
        bytes32[] memory proof = Tree.proof(_inner, 0);
        vm.prank(_poster);
        _rewards.postRoot(2, Tree.root(_inner));
        vm.warp(vm.getBlockTimestamp() + DELAY);
        bytes memory wrong = abi.encodeWithSelector(IPostedRoots.WrongProof.selector, 1, 0);
        vm.expectRevert(wrong);
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _bob, 100, 0, proof);
        vm.expectRevert(wrong);
        _rewards.claim(1, IRewardDistributor.Pot.Data, _ann, 100, 0, proof);
        vm.expectRevert(wrong);
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 101, 0, proof);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.WrongProof.selector, 2, 0));
        _rewards.claim(2, IRewardDistributor.Pot.Compute, _ann, 100, 0, proof);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.UnknownRoot.selector, 1, 1));
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 100, 1, proof);
        vm.chainId(vm.getChainId() + 1);
        vm.expectRevert(wrong);
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 100, 0, proof);
    }

    function test_aFalseRootTakesNoMoreThanItsPot() public {
        _rewards.fund(1, 1000);
        _rewards.fund(2, 1000);
        _post(596, 595);
        bytes32[] memory proof = Tree.proof(_inner, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRewardDistributor.BeyondPot.selector, 1, IRewardDistributor.Pot.Compute, 596, 595
            )
        );
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 596, 0, proof);
        vm.assertEq(_claim(_bob, 595, 0), 595);
        vm.assertEq(_token.balanceOf(address(_rewards)), 1405);
    }

    function test_theDaosShareGoesToTheTreasury() public {
        _rewards.fund(1, 1000);
        vm.expectRevert(
            abi.encodeWithSelector(IRewardDistributor.NotClaimable.selector, IRewardDistributor.Pot.Dao)
        );
        _rewards.claim(1, IRewardDistributor.Pot.Dao, _ann, 1, 0, new bytes32[](0));
        vm.assertEq(_rewards.payDao(1), 50);
        vm.assertEq(_token.balanceOf(_treasury), 50);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NothingDue.selector, _treasury, 50, 50));
        _rewards.payDao(1);
    }

    function test_onlyThePosterPosts() public {
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.NotPoster.selector, 1, address(this)));
        _rewards.postRoot(1, "root");
    }

    function test_onlyTheGuardianDisables() public {
        _post(1, 1);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _ann));
        _rewards.disableRoot(1, 0);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.UnknownRoot.selector, 1, 9));
        _rewards.disableRoot(1, 9);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.UnknownRoot.selector, 1, 9));
        _rewards.rootOf(1, 9);
    }

    /// @dev An operator that holds $2PM already, in a tree of 1,024 claims: the second claim of its life and the first.
    function test_aClaimIsCheap() public {
        _rewards.fund(1, 1e18);
        _token.transfer(_ann, 1);
        _prepare(_ann);
        bytes32[] memory proof = new bytes32[](10);
        for (uint256 round = 1; round <= 2; ++round) {
            bytes32 node = keccak256(bytes.concat(_rewards.leafOf(1, IRewardDistributor.Pot.Compute, _ann, round)));
            for (uint256 i = 0; i < 10; ++i) {
                proof[i] = keccak256(abi.encode(i));
                node = node < proof[i] ? keccak256(abi.encode(node, proof[i])) : keccak256(abi.encode(proof[i], node));
            }
            vm.prank(_poster);
            _rewards.postRoot(1, node);
        }
        vm.warp(vm.getBlockTimestamp() + DELAY);
        for (uint256 round = 1; round <= 2; ++round) {
            bytes memory data = abi.encodeCall(
                IRewardDistributor.claim, (1, IRewardDistributor.Pot.Compute, _ann, round, round - 1, proof)
            );
            uint256 sent = 21_000;
            for (uint256 i = 0; i < data.length; ++i) sent += data[i] == 0 ? 4 : 16;
            vm.cool(address(_rewards));
            vm.cool(address(_token));
            uint256 before = gasleft();
            (bool done,) = address(_rewards).call(data);
            uint256 used = before - gasleft();
            vm.assertTrue(done, "claim");
            _atMostGas(sent + used, 75_000);
        }
    }

    function test_preparingChangesNothingThatIsDue() public {
        _rewards.fund(1, 1000);
        _prepare(_ann);
        vm.assertEq(_rewards.claimedOf(1, IRewardDistributor.Pot.Compute, _ann), 0);
        _post(100, 50);
        vm.assertEq(_claim(_ann, 100, 0), 100);
        _prepare(_ann);
        vm.assertEq(_rewards.claimedOf(1, IRewardDistributor.Pot.Compute, _ann), 100);
        bytes32[] memory proof = Tree.proof(_inner, 0);
        vm.expectRevert(abi.encodeWithSelector(IRewardDistributor.NothingDue.selector, _ann, 100, 100));
        _rewards.claim(1, IRewardDistributor.Pot.Compute, _ann, 100, 0, proof);
    }

    function test_aClaimPreparesToo() public {
        _rewards.fund(1, 1000);
        _post(100, 50);
        _prepare(_bob);
        vm.assertEq(_rewards.isPrepared(1, IRewardDistributor.Pot.Compute, _bob), true);
        vm.assertEq(_rewards.isPrepared(1, IRewardDistributor.Pot.Data, _bob), false);
        vm.assertEq(_rewards.isPrepared(1, IRewardDistributor.Pot.Compute, _ann), false);
        _claim(_ann, 100, 0);
        vm.assertEq(_rewards.isPrepared(1, IRewardDistributor.Pot.Compute, _ann), true);
    }

    function invariant_claimedIsAtMostFunded() public view {
        uint256 left = 0;
        for (uint256 subnet = 1; subnet <= 2; ++subnet) {
            for (uint8 i = 0; i < 4; ++i) {
                IRewardDistributor.Balance memory pot = _rewards.balanceOf(subnet, IRewardDistributor.Pot(i));
                vm.assertLe(pot.claimed, pot.funded, "claimed");
                left += pot.funded - pot.claimed;
            }
        }
        vm.assertEq(_token.balanceOf(address(_rewards)), left);
        vm.assertEq(_handler.funded(), left + _handler.paid());
    }

    function invariant_aReplayPaysNothing() public view {
        vm.assertEq(_handler.replayed(), 0);
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function invariant_claimsOnlyGrow() public view {
        vm.assertEq(_handler.shrunk(), 0);
    }

    function _prepare(address account) private {
        address[] memory one = new address[](1);
        one[0] = account;
        _rewards.prepare(1, IRewardDistributor.Pot.Compute, one);
    }

    function _post(uint256 anns, uint256 berts) private {
        delete _inner;
        _inner.push(_rewards.leafOf(1, IRewardDistributor.Pot.Compute, _ann, anns));
        _inner.push(_rewards.leafOf(1, IRewardDistributor.Pot.Compute, _bob, berts));
        _inner.push(bytes32("padding"));
        vm.prank(_poster);
        _rewards.postRoot(1, Tree.root(_inner));
        vm.warp(vm.getBlockTimestamp() + DELAY);
    }

    function _claim(address who, uint256 amount, uint256 index) private returns (uint256) {
        bytes32[] memory proof = Tree.proof(_inner, who == _ann ? 0 : 1);
        return _rewards.claim(1, IRewardDistributor.Pot.Compute, who, amount, index, proof);
    }
}
