// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {RewardDistributor} from "../src/RewardDistributor.sol";
import {RoyaltyVault} from "../src/RoyaltyVault.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {ICumulativeRoots} from "../src/interfaces/ICumulativeRoots.sol";
import {IRoyaltyVault} from "../src/interfaces/IRoyaltyVault.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

/// @notice Fees come in for a subnet and its child, shares are given and move, dividends are taken.
contract RoyaltyHandler is Handler {
    RoyaltyVault private _vault;
    TwoPMToken private _token;
    address private _governor;
    address[3] public people;
    uint256 public paidIn;
    uint256 public paidOut;
    uint256 public late;

    constructor(RoyaltyVault vault, TwoPMToken token, address governor) {
        (_vault, _token, _governor) = (vault, token, governor);
        people = [_name("ann"), _name("bob"), _name("cyd")];
    }

    function pay(uint256 subnet, uint256 amount) external {
        amount = bound(amount, 0, 1e24);
        _token.approve(address(_vault), amount);
        uint256 before = _token.balanceOf(address(_vault));
        _vault.pay(1 + subnet % 2, amount);
        paidIn += _token.balanceOf(address(_vault)) - before;
        _told(true);
    }

    function give(uint256 subnet, uint256 who, uint256 shares) external {
        subnet = 1 + subnet % 2;
        shares = bound(shares, 0, _vault.reservedOf(subnet) / 3);
        vm.prank(_governor);
        _vault.giveReserved(subnet, people[who % 3], shares);
        _told(true);
    }

    function move(uint256 subnet, uint256 from, uint256 to, uint256 shares) external {
        subnet = 1 + subnet % 2;
        address target = to % 4 == 3 ? address(_vault) : people[to % 4];
        shares = bound(shares, 0, _vault.balanceOf(people[from % 3], subnet));
        _vault.divide(subnet);
        uint256 mine = _vault.dividendOf(subnet, people[from % 3]);
        uint256 theirs = _vault.dividendOf(subnet, target);
        vm.prank(people[from % 3]);
        _vault.transfer(target, subnet, shares);
        if (_vault.dividendOf(subnet, people[from % 3]) != mine) late += 1;
        if (_vault.dividendOf(subnet, target) != theirs) late += 1;
        _told(true);
    }

    function claim(uint256 subnet, uint256 who) external {
        _vault.divide(1 + subnet % 2);
        bool due = _vault.dividendOf(1 + subnet % 2, people[who % 3]) > 0;
        try _vault.claim(1 + subnet % 2, people[who % 3]) returns (uint256 sum) {
            paidOut += sum;
            _told(true, due);
        } catch {
            _told(false, due);
        }
    }
}

contract RoyaltyVaultTest is Kit {
    TwoPMToken private _token;
    RewardDistributor private _rewards;
    RoyaltyVault private _vault;
    RoyaltyHandler private _handler;
    address private _ann;
    address private _bob;

    function setUp() public {
        (_ann, _bob) = (_name("anna"), _name("bert"));
        Ground ground = new Ground(address(this));
        ISubnetRegistry.Terms memory terms = ground.terms(address(this), address(this));
        ground.SUBNETS().found(terms);
        terms.parents = new ISubnetRegistry.Parent[](1);
        terms.parents[0] = ISubnetRegistry.Parent(1, 2000);
        terms.economics.rewardBps = 0;
        ground.SUBNETS().found(terms);
        terms.parents[0] = ISubnetRegistry.Parent(2, 1000);
        ground.SUBNETS().found(terms);
        _token = new TwoPMToken(address(this), 1e30);
        address powers = address(ground.POWERS());
        _rewards = new RewardDistributor(_token, ground.SUBNETS(), 0, _name("treasury"), powers);
        _vault = new RoyaltyVault(_token, _rewards, ground.SUBNETS(), 1 hours, powers);
        _token.approve(address(_vault), type(uint256).max);
        _vault.open(1, 1e23);
        _vault.open(2, 1e23);
        _handler = new RoyaltyHandler(_vault, _token, address(this));
        _token.transfer(address(_handler), 1e29);
        _target(address(_handler));
    }

    function test_sharesAreMintedPreemptively() public view {
        vm.assertEq(_vault.balanceOf(address(_vault), 1), _vault.SUPPLY());
        vm.assertEq(_vault.reservedOf(1), 1e23);
        vm.assertEq(_vault.given(1), 0);
    }

    function test_onlyTheGovernorOpensOnce() public {
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.RoyaltiesOpen.selector, 1));
        _vault.open(1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 3, 1e24 + 1, 1e24));
        _vault.open(3, 1e24 + 1);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _ann));
        _vault.open(3, 0);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _ann));
        _vault.giveReserved(1, _ann, 1);
    }

    function test_backersGetReservedShares() public {
        _vault.giveReserved(1, _ann, 4e22);
        vm.assertEq(_vault.balanceOf(_ann, 1), 4e22);
        vm.assertEq(_vault.given(1), 4e22);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 1, 7e22, 6e22));
        _vault.giveReserved(1, _bob, 7e22);
    }

    function test_contributorsGetWhatTheyEarned() public {
        bytes32[] memory none = new bytes32[](0);
        _vault.postRoot(1, keccak256(bytes.concat(_vault.leafOf(1, _ann, 5e20))));
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        vm.assertEq(_vault.claimShares(1, _ann, 5e20, 0, none), 5e20);
        vm.assertEq(_vault.balanceOf(_ann, 1), 5e20);
        vm.expectRevert(abi.encodeWithSelector(ICumulativeRoots.NothingDue.selector, _ann, 5e20, 5e20));
        _vault.claimShares(1, _ann, 5e20, 0, none);
        vm.expectRevert(abi.encodeWithSelector(ICumulativeRoots.WrongProof.selector, 1, 0));
        _vault.claimShares(1, _bob, 5e20, 0, none);
    }

    function test_reservedSharesAreKept() public {
        _vault.postRoot(1, keccak256(bytes.concat(_vault.leafOf(1, _ann, 9e23 + 1))));
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 1, 9e23 + 1, 9e23));
        _vault.claimShares(1, _ann, 9e23 + 1, 0, new bytes32[](0));
    }

    function test_aFeeIsDivided() public {
        _vault.giveReserved(1, _ann, 1e22);
        _vault.giveReserved(1, _bob, 3e22);
        _vault.pay(1, 8000);
        vm.assertEq(_token.balanceOf(address(_rewards)), 4000);
        vm.assertEq(_vault.dividendOf(1, _ann), 1000);
        vm.assertEq(_vault.claim(1, _bob), 3000);
        vm.assertEq(_token.balanceOf(_bob), 3000);
    }

    function test_withoutHoldersFeesWait() public {
        _vault.pay(1, 8000);
        vm.assertEq(_vault.waiting(1), 4000);
        _vault.giveReserved(1, _ann, 1e22);
        vm.assertEq(_vault.claim(1, _ann), 4000);
    }

    function test_parentsGetTheirPart() public {
        _vault.giveReserved(1, _ann, 1e22);
        _vault.giveReserved(2, _bob, 1e22);
        _vault.open(3, 10);
        _vault.giveReserved(3, _name("child"), 10);
        _vault.pay(3, 10_000);
        vm.assertEq(_vault.claim(3, _name("child")), 9000);
        vm.assertEq(_vault.waiting(2), 1000);
        vm.assertEq(_vault.claim(2, _bob), 800);
        vm.assertEq(_vault.claim(1, _ann), 200);
        vm.assertEq(_token.balanceOf(address(_vault)), 0);
    }

    function test_closedRoyaltiesTakeNoFees() public {
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.RoyaltiesClosed.selector, 3));
        _vault.pay(3, 1);
    }

    function test_aShareThatMovesNeitherGainsNorLoses() public {
        _vault.giveReserved(2, _ann, 1e22);
        _vault.pay(2, 1000);
        vm.prank(_ann);
        _vault.transfer(_bob, 2, 1e22);
        _vault.pay(2, 500);
        vm.assertEq(_vault.claim(2, _ann), 800);
        vm.assertEq(_vault.claim(2, _bob), 400);
    }

    function test_sharesInTheVaultEarnNothing() public {
        _vault.giveReserved(2, _ann, 1e22);
        _vault.giveReserved(2, _bob, 1e22);
        vm.prank(_ann);
        _vault.transfer(address(_vault), 2, 1e22);
        vm.assertEq(_vault.given(2), 1e22);
        _vault.pay(2, 1000);
        vm.assertEq(_vault.claim(2, _bob), 800);
        vm.assertEq(_vault.dividendOf(2, _ann), 0);
        vm.assertEq(_vault.dividendOf(2, address(_vault)), 0);
    }

    function test_dividendsArePaidOnce() public {
        test_aFeeIsDivided();
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.NothingToPay.selector, 1, _bob));
        _vault.claim(1, _bob);
    }

    function test_nothingIsNotPaid() public {
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.NothingToPay.selector, 1, _ann));
        _vault.claim(1, _ann);
    }

    function test_roundingIsNotLost() public {
        _vault.giveReserved(2, _ann, 3);
        _vault.giveReserved(2, _bob, 4);
        for (uint256 i = 0; i < 700; ++i) {
            _vault.pay(2, 1);
        }
        uint256 sum = _vault.dividendOf(2, _ann) + _vault.dividendOf(2, _bob) + _vault.waiting(2) + _vault.waiting(1);
        vm.assertGe(sum, 699, "lost");
        vm.assertLe(sum, 700, "made");
    }

    function invariant_nothingIsMadeOrLost() public view {
        uint256 due = 0;
        for (uint256 subnet = 1; subnet <= 2; ++subnet) {
            due += _vault.waiting(subnet);
            for (uint256 i = 0; i < 3; ++i) {
                due += _vault.dividendOf(subnet, _handler.people(i));
            }
        }
        uint256 balance = _token.balanceOf(address(_vault));
        vm.assertEq(balance, _handler.paidIn() - _handler.paidOut());
        vm.assertLe(due, balance, "owed");
        vm.assertLe(balance - due, 1000, "dust"); // at most one of the smallest unit for each holder and division
        vm.assertEq(_handler.late(), 0);
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function invariant_sharesAddUp() public view {
        for (uint256 subnet = 1; subnet <= 2; ++subnet) {
            uint256 held = 0;
            for (uint256 i = 0; i < 3; ++i) {
                held += _vault.balanceOf(_handler.people(i), subnet);
            }
            vm.assertEq(held, _vault.given(subnet));
            vm.assertEq(held + _vault.balanceOf(address(_vault), subnet), _vault.SUPPLY());
            vm.assertLe(_vault.reservedOf(subnet), _vault.balanceOf(address(_vault), subnet), "reserve");
        }
    }
}
