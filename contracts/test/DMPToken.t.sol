// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {DMPToken} from "../src/DMPToken.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {IDMPToken} from "../src/interfaces/IDMPToken.sol";
import {Powers, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

uint48 constant EXIT_SECONDS = 7 days;

/// @notice Random people do random things.
contract DMPTokenHandler is Handler {
    TwoPMToken private _token;
    DMPToken private _dmp;
    address private _timelock;
    address[3] private _people;

    constructor(TwoPMToken token, DMPToken dmp, address timelock) {
        (_token, _dmp, _timelock) = (token, dmp, timelock);
        _people = [_name("ann"), _name("bob"), _name("cyd")];
    }

    function stake(uint256 who, uint256 amount) external {
        amount = bound(amount, 1, 1e24);
        _token.transfer(_people[who % 3], amount);
        vm.startPrank(_people[who % 3]);
        _token.approve(address(_dmp), amount);
        _dmp.stake(amount);
        vm.stopPrank();
        _told(true);
    }

    function requestExit(uint256 who, uint256 amount) external {
        uint256 held = _dmp.balanceOf(_people[who % 3]);
        vm.assume(held != 0);
        vm.prank(_people[who % 3]);
        _dmp.requestExit(bound(amount, 1, held));
        _told(true);
    }

    function claimExit(uint256 who, uint256 index) external {
        uint256 count = _dmp.exits(_people[who % 3]).length;
        vm.assume(count != 0);
        IDMPToken.Exit memory exit = _dmp.exits(_people[who % 3])[index % count];
        // Most are patient.
        if (who / 3 % 4 != 0) _wait(exit.claimableAt);
        bool due = exit.claimableAt != 0 && exit.claimableAt <= vm.getBlockTimestamp();
        vm.prank(_people[who % 3]);
        try _dmp.claimExit(index % count) {
            _told(true, due);
        } catch {
            _told(false, due);
        }
    }

    function burn(uint256 who, uint256 amount) external {
        uint256 held = _dmp.balanceOf(_people[who % 3]);
        vm.assume(held != 0);
        vm.prank(_timelock);
        _dmp.burn(_people[who % 3], bound(amount, 1, held));
        _told(true);
    }

    function spend(uint256 amount) external {
        amount = bound(amount, 0, _dmp.burned() - _dmp.spent());
        vm.prank(_timelock);
        _dmp.spend(address(this), amount);
        _told(true);
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 5 days));
        _told(true);
    }
}

contract DMPTokenTest is Kit {
    TwoPMToken private _token;
    DMPToken private _dmp;
    address private _timelock;
    address private _ann;
    DMPTokenHandler private _handler;

    function setUp() public {
        _timelock = _name("timelock");
        _ann = _name("member");
        _token = new TwoPMToken(address(this), 1e33);
        _dmp = new DMPToken(_token, EXIT_SECONDS, address(new Powers(_timelock)));
        _token.transfer(_ann, 100);
        vm.prank(_ann);
        _token.approve(address(_dmp), 100);
        _handler = new DMPTokenHandler(_token, _dmp, _timelock);
        _token.transfer(address(_handler), 1e32);
        _target(address(_handler));
    }

    function test_stakingMintsVotesOneForOne() public {
        _stake(60);
        vm.assertEq(_dmp.balanceOf(_ann), 60);
        vm.assertEq(_dmp.getVotes(_ann), 60);
        vm.assertEq(_token.balanceOf(address(_dmp)), 60);
        vm.assertEq(_dmp.staked(), 60);
    }

    function test_nothingIsNoStake() public {
        vm.expectRevert(IDMPToken.ZeroAmount.selector);
        _stake(0);
        vm.expectRevert(IDMPToken.ZeroAmount.selector);
        _dmp.requestExit(0);
        vm.prank(_timelock);
        vm.expectRevert(IDMPToken.ZeroAmount.selector);
        _dmp.burn(_ann, 0);
    }

    function test_itCannotBeTransferred() public {
        _stake(60);
        vm.prank(_ann);
        vm.expectRevert(IDMPToken.NotTransferable.selector);
        _dmp.transfer(address(this), 1);
        vm.prank(_ann);
        _dmp.approve(address(this), 1);
        vm.expectRevert(IDMPToken.NotTransferable.selector);
        _dmp.transferFrom(_ann, address(this), 1);
    }

    function test_anExitEndsVotesAtOnce() public {
        _stake(60);
        _exit(25);
        vm.assertEq(_dmp.getVotes(_ann), 35);
        vm.assertEq(_dmp.queued(), 25);
        vm.assertEq(_dmp.staked(), 60);
    }

    function test_nobodyExitsMoreThanItHas() public {
        _stake(60);
        vm.prank(_ann);
        vm.expectRevert();
        _dmp.requestExit(61);
    }

    function test_anExitWaitsItsTime() public {
        _stake(60);
        _exit(60);
        uint48 due = uint48(vm.getBlockTimestamp()) + EXIT_SECONDS;
        vm.warp(due - 1);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IDMPToken.ExitWaits.selector, due));
        _dmp.claimExit(0);
    }

    function test_anExitPaysOnce() public {
        _stake(60);
        _exit(60);
        vm.warp(vm.getBlockTimestamp() + EXIT_SECONDS);
        vm.prank(_ann);
        _dmp.claimExit(0);
        vm.assertEq(_token.balanceOf(_ann), 100);
        vm.assertEq(_dmp.staked(), 0);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IDMPToken.UnknownExit.selector, _ann, 0));
        _dmp.claimExit(0);
    }

    function test_anUnknownExitIsRefused() public {
        _stake(60);
        _exit(60);
        vm.expectRevert(abi.encodeWithSelector(IDMPToken.UnknownExit.selector, address(this), 0));
        _dmp.claimExit(0);
    }

    function test_burningLeavesTheStakeToTheTreasury() public {
        _stake(60);
        vm.prank(_timelock);
        _dmp.burn(_ann, 20);
        vm.assertEq(_dmp.totalSupply(), 40);
        vm.assertEq(_dmp.burned(), 20);
        vm.assertEq(_token.balanceOf(address(_dmp)), 60);
    }

    function test_onlyTheGovernorBurns() public {
        _stake(60);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _ann));
        _dmp.burn(_ann, 20);
    }

    function test_theTimelockSpendsWhatWasBurned() public {
        test_burningLeavesTheStakeToTheTreasury();
        vm.prank(_timelock);
        _dmp.spend(_timelock, 20);
        vm.assertEq(_token.balanceOf(_timelock), 20);
    }

    function test_stakesCannotBeSpent() public {
        test_theTimelockSpendsWhatWasBurned();
        vm.prank(_timelock);
        vm.expectRevert(abi.encodeWithSelector(IDMPToken.BeyondTreasury.selector, 1, 0));
        _dmp.spend(_timelock, 1);
    }

    function test_onlyTheTimelockSpends() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        _dmp.spend(address(this), 0);
    }

    function invariant_supplyIsStakedLessQueuedLessBurned() public view {
        vm.assertEq(_dmp.totalSupply(), _dmp.staked() - _dmp.queued() - _dmp.burned());
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function invariant_theTreasuryIsCovered() public view {
        vm.assertEq(_token.balanceOf(address(_dmp)), _dmp.staked() - _dmp.spent());
        vm.assertLe(_dmp.spent(), _dmp.burned(), "spent");
    }

    function _stake(uint256 amount) private {
        vm.prank(_ann);
        _dmp.stake(amount);
    }

    function _exit(uint256 amount) private {
        vm.prank(_ann);
        _dmp.requestExit(amount);
    }
}
