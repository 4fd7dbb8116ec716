// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {SlashingManager} from "../src/SlashingManager.sol";
import {ISlashingManager} from "../src/interfaces/ISlashingManager.sol";
import {IStakeSource} from "../src/interfaces/IStakeSource.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Handler, vm} from "./Kit.sol";
import {OperatorsDouble, SubnetsDouble} from "./World.sol";

/// @notice A stake of 1,000,000 from which slashes are taken; notes every slash.
contract SourceDouble {
    mapping(address operator => uint256) public taken;
    mapping(bytes32 id => bool) public slashedFor;
    uint256 public slashes;
    uint256 public largest;

    function slash(address operator, uint48, uint64 share, bytes32 id) external returns (uint256 amount) {
        require(!slashedFor[id], "twice");
        slashedFor[id] = true;
        ++slashes;
        if (share > largest) largest = share;
        amount = 1_000_000 * uint256(share) / 1e18;
        taken[operator] += amount;
    }
}

abstract contract SlashingWorld is Handler {
    uint256 internal constant EPOCH = 1 days;
    uint256 internal constant VETO = 2 days;
    uint64 internal constant CAP = 0.5e18;

    SlashingManager internal manager;
    SourceDouble internal source;
    address internal operator;

    function _build() internal {
        vm.warp(1_700_000_000);
        AccessManager access = new AccessManager(address(this));
        SubnetsDouble subnets = new SubnetsDouble();
        OperatorsDouble operators = new OperatorsDouble();
        source = new SourceDouble();
        operators.setStakeSource(address(source));
        subnets.set(address(operators), address(0));
        manager = new SlashingManager(ISubnetRegistry(address(subnets)), EPOCH, VETO, CAP, address(access));
        bytes4[] memory selectors = new bytes4[](2);
        (selectors[0], selectors[1]) = (SlashingManager.report.selector, SlashingManager.veto.selector);
        access.setTargetFunctionRole(address(manager), selectors, 7);
        access.grantRole(7, address(this), 0);
        operator = _name("operator");
    }

    function _epoch() internal view returns (uint32) {
        return uint32(vm.getBlockTimestamp() / EPOCH);
    }

    function _report(bytes32 offence, uint64 share) internal {
        manager.report(offence, 1, operator, uint48(vm.getBlockTimestamp()), share);
    }

    function _execute(uint32 epoch) internal returns (uint256) {
        return manager.execute(IStakeSource(address(source)), operator, epoch);
    }
}

contract SlashingHandler is SlashingWorld {
    uint32 public first;
    uint256 public count;
    mapping(uint32 epoch => uint256) public due;

    constructor() {
        _build();
        first = _epoch();
    }

    /// @dev A new offence, or one that was reported before, with another share.
    function report(uint256 id, uint64 share) external {
        id = id % (2 + count);
        count = id < count ? count : count + 1;
        share = share % 1e18 + 1;
        if (manager.offenceOf(bytes32(id)).operator == address(0)) due[_epoch()] += share;
        _report(bytes32(id), share);
        _told(true);
    }

    /// @dev What must be refused is tried less often.
    function veto(uint256 id) external {
        bool anyway = id % 4 == 0;
        id = count == 0 ? 0 : id / 4 % count;
        ISlashingManager.Offence memory found = manager.offenceOf(bytes32(id));
        bool stands = found.operator != address(0) && !found.vetoed && !_sentence(found.epoch).executed;
        vm.assume(stands || anyway);
        try manager.veto(bytes32(id)) {
            due[found.epoch] -= found.share;
            _told(true, stands);
        } catch {
            _told(false, stands);
        }
    }

    function execute(uint256 back) external {
        uint32 epoch = _epoch() - uint32(back / 4 % 5);
        // Most are patient.
        if (back % 4 != 0 && due[epoch] > 0) _wait((uint256(epoch) + 1) * EPOCH + VETO);
        bool ripe = vm.getBlockTimestamp() >= (uint256(epoch) + 1) * EPOCH + VETO && !_sentence(epoch).executed && due[epoch] > 0;
        vm.assume(ripe || back % 4 == 0);
        try manager.execute(IStakeSource(address(source)), operator, epoch) returns (uint256 amount) {
            uint256 share = due[epoch] < CAP ? due[epoch] : CAP;
            if (amount != 1_000_000 * share / 1e18) ++surprises;
            _told(true, ripe);
        } catch {
            _told(false, ripe);
        }
    }

    function pass(uint256 secs) external {
        vm.warp(vm.getBlockTimestamp() + secs % EPOCH);
        _told(true);
    }

    /// @dev The sum of the distinct offences of an epoch that stand, in whatever order they came, however often.
    function sums() external view returns (bool) {
        for (uint32 epoch = first; epoch <= _epoch(); ++epoch) {
            if (_sentence(epoch).share != due[epoch]) return false;
        }
        return true;
    }

    function _sentence(uint32 epoch) private view returns (ISlashingManager.Sentence memory) {
        return manager.sentenceOf(IStakeSource(address(source)), operator, epoch);
    }

    function theSource() external view returns (SourceDouble) {
        return source;
    }

    function epochs() external view returns (uint256) {
        return _epoch() - first + 1;
    }

    function who() external view returns (address) {
        return operator;
    }
}

contract SlashingManagerTest is SlashingWorld {
    SlashingHandler private _handler;

    function setUp() public {
        _handler = new SlashingHandler();
        _build();
        _target(address(_handler));
    }

    function test_report_byCourtsOnly() public {
        vm.prank(operator);
        vm.expectRevert();
        manager.report("a", 1, operator, 1, 1);
    }

    function test_report_countsOnce() public {
        _report("a", 0.1e18);
        _report("a", 0.2e18);
        ISlashingManager.Sentence memory sentence =
            manager.sentenceOf(IStakeSource(address(source)), operator, _epoch());
        vm.assertEq(uint256(sentence.share), 0.1e18);
        vm.assertEq(uint256(manager.offenceOf("a").share), 0.1e18);
    }

    function test_veto_byTheDaoOfWhatStands() public {
        uint32 epoch = _epoch();
        _report("a", 0.1e18);
        _report("b", 0.1e18);
        vm.prank(operator);
        vm.expectRevert();
        manager.veto("a");
        vm.expectRevert(abi.encodeWithSelector(ISlashingManager.UnknownOffence.selector, bytes32("c")));
        manager.veto("c");
        manager.veto("a");
        vm.expectRevert(abi.encodeWithSelector(ISlashingManager.UnknownOffence.selector, bytes32("a")));
        manager.veto("a");
        vm.warp(vm.getBlockTimestamp() + EPOCH + VETO);
        _execute(epoch);
        vm.expectRevert(abi.encodeWithSelector(ISlashingManager.AlreadyExecuted.selector, operator, epoch));
        manager.veto("b");
    }

    function test_veto_takesBack() public {
        uint32 epoch = _epoch();
        _report("a", 0.1e18);
        _report("b", 0.2e18);
        manager.veto("b");
        vm.warp(vm.getBlockTimestamp() + EPOCH + VETO);
        vm.assertEq(_execute(epoch), 100_000);
    }

    function test_execute_notInTheVetoWindow() public {
        uint32 epoch = _epoch();
        _report("a", 0.1e18);
        uint256 opensAt = (uint256(epoch) + 1) * EPOCH + VETO;
        vm.warp(opensAt - 1);
        vm.expectRevert(abi.encodeWithSelector(ISlashingManager.TooEarly.selector, opensAt));
        _execute(epoch);
        vm.warp(opensAt);
        _execute(epoch);
    }

    function test_execute_once() public {
        uint32 epoch = _epoch();
        _report("a", 0.1e18);
        vm.warp(vm.getBlockTimestamp() + EPOCH + VETO);
        _execute(epoch);
        vm.expectRevert(abi.encodeWithSelector(ISlashingManager.AlreadyExecuted.selector, operator, epoch));
        _execute(epoch);
        vm.expectRevert(abi.encodeWithSelector(ISlashingManager.AlreadyExecuted.selector, operator, epoch - 1));
        _execute(epoch - 1);
        vm.assertEq(source.slashes(), 1);
    }

    function test_execute_isCapped() public {
        uint32 epoch = _epoch();
        _report("a", 0.4e18);
        _report("b", 0.4e18);
        vm.warp(vm.getBlockTimestamp() + EPOCH + VETO);
        vm.assertEq(_execute(epoch), 500_000);
    }

    function test_execute_isOrderIndependent(uint256 order, uint8 twice) public {
        uint32 epoch = _epoch();
        uint64[3] memory shares = [uint64(0.1e18), 0.15e18, 0.2e18];
        for (uint256 i = 0; i < 3; ++i) {
            uint256 which = (order % 3 + i * (1 + order % 2)) % 3;
            _report(bytes32(which), shares[which]);
            if (twice >> i & 1 == 1) _report(bytes32(which), shares[which]);
        }
        vm.warp(vm.getBlockTimestamp() + EPOCH + VETO);
        vm.assertEq(_execute(epoch), 450_000);
    }

    function invariant_theOrderDoesNotMatter() public view {
        vm.assertTrue(_handler.sums(), "a sentence is not the sum of its offences");
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function invariant_capAndOnce() public view {
        SourceDouble double = _handler.theSource();
        vm.assertLe(double.largest(), CAP, "cap");
        vm.assertLe(double.slashes(), _handler.epochs(), "once an epoch");
        vm.assertLe(double.taken(_handler.who()), _handler.epochs() * 500_000, "cap an epoch");
    }
}
