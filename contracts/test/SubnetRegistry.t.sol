// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground} from "./Economy.sol";
import {Kit, vm} from "./Kit.sol";

/// @notice An anchor, its games and what slashes, whose times add up to what was set.
contract TimesDouble {
    uint256 private _each;
    uint256 public longest;

    function set(uint256 all) external {
        _each = all / 5;
        longest = all - 3 * _each;
    }

    function SLASHING() external view returns (address) {
        return address(this);
    }

    function CHALLENGE_SECONDS() external view returns (uint256) {
        return _each;
    }

    function EPOCH_SECONDS() external view returns (uint256) {
        return _each;
    }

    function VETO_SECONDS() external view returns (uint256) {
        return _each;
    }
}

contract SubnetRegistryTest is Kit {
    SubnetRegistry private _subnets;
    Ground private _ground;
    address private _stranger;

    function setUp() public {
        _stranger = _name("stranger");
        _ground = new Ground(address(this));
        _subnets = _ground.SUBNETS();
    }

    function test_theDaoFounds() public {
        ISubnetRegistry.Terms memory terms = _terms();
        (terms.model, terms.schema, terms.task) = ("model", "schema", "task");
        vm.assertEq(_subnets.found(terms), 1);
        ISubnetRegistry.Subnet memory made = _subnets.subnet(1);
        vm.assertEq(made.founder, _stranger);
        vm.assertEq(made.params, "params");
        vm.assertEq(made.task, "task");
        vm.assertEq(made.model, "model");
        vm.assertEq(_subnets.schemaOf(1), "schema");
        vm.assertEq(_subnets.windowsOf(1).challengeSeconds, 1 hours);
        vm.assertEq(_subnets.economicsOf(1).computeParts, 7);
        vm.assertEq(_subnets.economicsOf(1).dataParts, 3);
    }

    function test_onlyTheDaoFounds() public {
        ISubnetRegistry.Terms memory terms = _terms();
        vm.prank(_stranger);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _stranger));
        _subnets.found(terms);
    }

    function test_stakeOutlastsDisputes() public {
        ISubnetRegistry.Terms memory terms = _terms();
        terms.windows = ISubnetRegistry.Windows(8 hours, 8 hours, 8 hours + 1);
        vm.expectRevert(abi.encodeWithSelector(ISubnetRegistry.ExitTooShort.selector, 1 days, 1 days + 1));
        _subnets.found(terms);
        terms.windows.resolutionSeconds = 8 hours;
        vm.assertEq(_subnets.found(terms), 1);
    }

    function test_stakeOutlastsTheLongestGame() public {
        TimesDouble times = new TimesDouble();
        ISubnetRegistry.Terms memory terms = _terms();
        (terms.anchor, terms.windows) = (address(times), ISubnetRegistry.Windows(0, 0, 0));
        _subnets.setDisputes(IDisputeGame(address(times)));
        // Window, game, epoch and veto take a day in all, and somebody needs a second.
        times.set(1 days);
        vm.expectRevert(abi.encodeWithSelector(ISubnetRegistry.ExitTooShort.selector, 1 days, 1 days + 1));
        _subnets.found(terms);
        times.set(1 days - 1);
        vm.assertEq(_subnets.found(terms), 1);
        terms.windows = ISubnetRegistry.Windows(8 hours, 8 hours, 8 hours + 1);
        vm.expectRevert(abi.encodeWithSelector(ISubnetRegistry.ExitTooShort.selector, 1 days, 1 days + 1));
        _subnets.found(terms);
        times.set(2 days);
        _subnets.setDisputes(IDisputeGame(address(0)));
        terms.windows = ISubnetRegistry.Windows(0, 0, 0);
        vm.assertEq(_subnets.found(terms), 2);
    }

    function test_onlyTheDaoNamesTheGames() public {
        vm.prank(_stranger);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _stranger));
        _subnets.setDisputes(IDisputeGame(_stranger));
        vm.expectEmit(true, false, false, true, address(_subnets));
        emit ISubnetRegistry.DisputesSet(_stranger);
        _subnets.setDisputes(IDisputeGame(_stranger));
        vm.assertEq(address(_subnets.disputes()), _stranger);
    }

    function test_onlyTheDaoSetsEconomics() public {
        _subnets.found(_terms());
        ISubnetRegistry.Economics memory changed = ISubnetRegistry.Economics(0, 0, 1, 1, 0, 0, _stranger);
        vm.prank(_stranger);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _stranger));
        _subnets.setEconomics(1, changed);
        _subnets.setEconomics(1, changed);
        vm.assertEq(_subnets.economicsOf(1).poster, _stranger);
        vm.expectRevert(abi.encodeWithSelector(ISubnetRegistry.UnknownSubnet.selector, 2));
        _subnets.setEconomics(2, changed);
    }

    function test_partsAreOfTheWhole() public {
        _subnets.found(_terms());
        vm.expectRevert(ISubnetRegistry.BadEconomics.selector);
        _subnets.setEconomics(1, ISubnetRegistry.Economics(5001, 5000, 7, 3, 0, 0, _stranger));
        vm.expectRevert(ISubnetRegistry.BadEconomics.selector);
        _subnets.setEconomics(1, ISubnetRegistry.Economics(0, 0, 0, 0, 0, 0, _stranger));
    }

    function test_parentsAreEarlierAndCapped() public {
        ISubnetRegistry.Terms memory terms = _terms();
        terms.parents = new ISubnetRegistry.Parent[](1);
        terms.parents[0] = ISubnetRegistry.Parent(1, 100);
        vm.expectRevert(abi.encodeWithSelector(ISubnetRegistry.UnknownSubnet.selector, 1));
        _subnets.found(terms);
        _subnets.found(_terms());
        terms.parents[0].bps = 3001;
        vm.expectRevert(abi.encodeWithSelector(ISubnetRegistry.BadParents.selector, 1, 3001));
        _subnets.found(terms);
        terms.parents[0].bps = 3000;
        _subnets.found(terms);
        vm.assertEq(_subnets.parentsOf(2)[0].subnetId, 1);
    }

    function _terms() private view returns (ISubnetRegistry.Terms memory) {
        return _ground.terms(_stranger, _stranger);
    }
}
