// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {OperatorRegistry} from "../src/OperatorRegistry.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {IOperatorRegistry} from "../src/interfaces/IOperatorRegistry.sol";
import {Ground, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

/// @notice Operators come, go, gain and lose stake in two subnets, and somebody refreshes now and then.
contract OperatorHandler is Handler {
    OperatorRegistry private _registry;
    StakeVault private _vault;
    address[4] public people;

    constructor(OperatorRegistry registry, StakeVault vault) {
        (_registry, _vault) = (registry, vault);
        people = [_name("ann"), _name("bob"), _name("cyd"), _name("dan")];
    }

    function register(uint256 subnet, uint256 who, uint256 roles, uint256 amount) external {
        amount = bound(amount, 0, 3e18);
        address person = people[who % 4];
        vm.deal(person, amount);
        (uint8 had,,) = _registry.standing(1 + subnet % 2, person);
        bool fits = had == 0 && _vault.staked(person) + amount >= 1e18;
        vm.prank(person);
        try _registry.register{value: amount}(1 + subnet % 2, "peer", new bytes(64), uint8(bound(roles, 1, 7))) {
            _told(true, fits);
        } catch {
            _told(false, fits);
        }
    }

    function leave(uint256 subnet, uint256 who) external {
        (uint8 had,,) = _registry.standing(1 + subnet % 2, people[who % 4]);
        vm.prank(people[who % 4]);
        try _registry.deregister(1 + subnet % 2) {
            _told(true, had != 0);
        } catch {
            _told(false, had != 0);
        }
    }

    function stake(uint256 who, uint256 amount) external {
        amount = bound(amount, 1, 3e18);
        vm.deal(address(this), amount);
        _vault.deposit{value: amount}(people[who % 4], people[who % 4], amount);
        _told(true);
    }

    function exit(uint256 who, uint256 part) external {
        (uint256 shares,) = _vault.stakeOf(people[who % 4], people[who % 4]);
        vm.prank(people[who % 4]);
        try _vault.requestExit(people[who % 4], shares * bound(part, 1, 10) / 10) {
            _told(true);
        } catch {
            _told(false);
        }
    }

    function refresh(uint256 subnet, uint256 who) external {
        address[] memory one = new address[](1);
        one[0] = people[who % 4];
        _registry.refresh(1 + subnet % 2, one);
        _told(true);
    }

    function mine(uint256 blocks) external {
        vm.roll(vm.getBlockNumber() + bound(blocks, 1, 5));
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        _told(true);
    }
}

contract OperatorRegistryTest is Kit {
    uint8 private constant VALIDATOR = 4;
    OperatorRegistry private _registry;
    StakeVault private _vault;
    OperatorHandler private _handler;
    address private _op;
    address private _friend;

    function setUp() public {
        (_op, _friend) = (_name("operator"), _name("friend"));
        Ground ground = new Ground(address(this));
        (_registry, _vault) = (ground.OPERATORS(), ground.VAULT());
        ground.SUBNETS().found(ground.terms(address(this), address(this)));
        ground.SUBNETS().found(ground.terms(address(this), address(this)));
        vm.deal(_op, 100e18);
        vm.deal(_friend, 100e18);
        vm.roll(100);
        _handler = new OperatorHandler(_registry, _vault);
        _target(address(_handler));
    }

    function test_stakeIsSentAlongOrMadeBefore() public {
        _register(_op, 1, 2e18);
        _register(_op, 2, 0);
        vm.assertEq(_registry.validatorStake(1), 2e18);
        vm.assertEq(_registry.validatorStake(2), 2e18);
        vm.assertEq(_vault.staked(_op), 2e18);
    }

    function test_whatLeavesDoesNotCount() public {
        vm.prank(_friend);
        _vault.deposit{value: 1e18}(_op, _friend, 1e18);
        vm.prank(_friend);
        _vault.requestExit(_op, 0.6e21);
        vm.prank(_op);
        vm.expectRevert(abi.encodeWithSelector(IOperatorRegistry.StakeTooSmall.selector, 0.9e18, 1e18));
        _registry.register{value: 0.5e18}(1, "peer", new bytes(64), VALIDATOR);
        _register(_op, 1, 0.6e18);
    }

    function test_nobodyBlocksAKey() public {
        _register(_friend, 1, 1e18);
        _register(_op, 1, 1e18);
        vm.assertEq(_registry.operatorCount(1), 2);
    }

    function test_thePastStays() public {
        _register(_op, 1, 1e18);
        vm.roll(110);
        _grow();
        vm.roll(120);
        vm.assertEq(_registry.validatorWeightAt(1, _op, 99), 0);
        vm.assertEq(_registry.validatorWeightAt(1, _op, 109), 1e18);
        vm.assertEq(_registry.validatorWeightTotalAt(1, 109), 1e18);
        vm.assertEq(_registry.validatorWeightAt(1, _op, 110), 3e18);
    }

    function test_anyoneRefreshes() public {
        _register(_op, 1, 1e18);
        _grow();
        vm.assertEq(_registry.validatorStake(1), 3e18);
    }

    function test_tooLittleStakeEndsTheStay() public {
        _register(_op, 1, 1e18);
        vm.prank(_op);
        _vault.requestExit(_op, 1000);
        _refresh();
        (uint8 roles,,) = _registry.standing(1, _op);
        vm.assertEq(roles, 0);
        vm.assertEq(_registry.validatorStake(1), 0);
    }

    function test_leavingMovesNoStake() public {
        _register(_op, 1, 1e18);
        vm.prank(_op);
        _registry.deregister(1);
        vm.assertEq(_registry.validatorStake(1), 0);
        vm.assertEq(_vault.staked(_op), 1e18);
    }

    function invariant_theTotalIsTheSum() public view {
        for (uint256 subnet = 1; subnet <= 2; ++subnet) {
            uint256 sum = 0;
            for (uint256 i = 0; i < 4; ++i) {
                (uint8 roles, uint96 stake,) = _registry.standing(subnet, _handler.people(i));
                if (roles & VALIDATOR != 0) sum += stake;
            }
            vm.assertEq(_registry.validatorStake(subnet), sum);
            vm.assertEq(_registry.validatorWeightTotalAt(subnet, uint48(vm.getBlockNumber())), sum);
        }
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function invariant_itHoldsNoMoney() public view {
        vm.assertEq(address(_registry).balance, 0);
    }

    function _register(address who, uint256 subnet, uint256 amount) private {
        vm.prank(who);
        _registry.register{value: amount}(subnet, "peer", new bytes(64), VALIDATOR);
    }

    function _grow() private {
        vm.prank(_friend);
        _vault.deposit{value: 2e18}(_op, _friend, 2e18);
        _refresh();
    }

    function _refresh() private {
        address[] memory one = new address[](1);
        one[0] = _op;
        vm.prank(_friend);
        _registry.refresh(1, one);
    }
}
