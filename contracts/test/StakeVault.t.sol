// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {Powers, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

uint48 constant EPOCH = 1 days;

/// @notice Refuses all coins.
contract Closed {}

/// @notice Claims again while it is being paid.
contract Thief {
    StakeVault private _vault;
    uint256 private _epoch;

    constructor(StakeVault vault) payable {
        _vault = vault;
        vault.deposit{value: msg.value}(address(this), address(this), msg.value);
    }

    receive() external payable {
        _vault.claim(address(this), _epoch, address(this));
    }

    function ask() external {
        (uint256 shares,) = _vault.stakeOf(address(this), address(this));
        (_epoch,) = _vault.requestExit(address(this), shares);
    }

    function take() external {
        _vault.claim(address(this), _epoch, address(this));
    }
}

/// @notice Random people stake with two operators, leave, are paid and slashed, while time goes by.
contract StakeVaultHandler is Handler {
    StakeVault private _vault;
    address private _source;
    address[3] public people;
    address[2] public operators;
    uint256 private constant ROUNDING = 6;
    uint256 public slashed;
    uint256 public slashedBeyond;
    uint256 public unfair;
    uint256 public inflated;
    uint256 public firstEpoch;

    constructor(StakeVault vault, address source) {
        (_vault, _source) = (vault, source);
        people = [_name("ann"), _name("bob"), _name("cyd")];
        operators = [_name("op"), _name("po")];
        firstEpoch = vault.currentEpoch();
    }

    function deposit(uint256 who, uint256 which, uint256 amount) external {
        amount = bound(amount, 1, 1e24);
        address operator = operators[which % 2];
        vm.deal(people[who % 3], amount);
        vm.prank(people[who % 3]);
        try _vault.deposit{value: amount}(operator, people[who % 3], amount) {
            _told(true);
        } catch {
            _told(false);
        }
    }

    function requestExit(uint256 who, uint256 which, uint256 part) external {
        (address person, address operator) = (people[who % 3], operators[which % 2]);
        (uint256 shares,) = _vault.stakeOf(operator, person);
        shares = shares * bound(part, 1, 100) / 100;
        vm.prank(person);
        try _vault.requestExit(operator, shares) {
            _told(true);
        } catch {
            _told(false);
        }
    }

    function claim(uint256 who, uint256 which, uint256 epoch) external {
        (address person, address operator) = (people[who % 3], operators[which % 2]);
        uint256[] memory asked = _vault.exitEpochs(operator, person);
        // Whoever has asked for something back, if anybody has.
        for (uint256 i = 1; i < 6 && asked.length == 0; ++i) {
            (person, operator) = (people[(who + i) % 3], operators[(which + i / 3) % 2]);
            asked = _vault.exitEpochs(operator, person);
        }
        epoch = asked.length == 0 ? firstEpoch : asked[epoch % asked.length];
        // Most are patient.
        if (asked.length != 0 && which / 2 % 4 != 0) _wait((epoch + 1) * EPOCH);
        bool due = epoch < _vault.currentEpoch() && _vault.exitOf(operator, epoch, person) > 0;
        vm.prank(person);
        try _vault.claim(operator, epoch, person) {
            _told(true, due);
        } catch {
            _told(false, due);
        }
    }

    function slash(uint256 which, uint256 ago, uint256 share) external {
        address operator = operators[which % 2];
        uint48 when = uint48(vm.getBlockTimestamp() - bound(ago, 0, EPOCH + 10));
        uint256 most = _vault.slashable(operator, when);
        uint256 held = _vault.slashable(operator, uint48(vm.getBlockTimestamp()));
        uint256[3] memory before = _reachable(operator);
        vm.prank(_source);
        uint256 taken = _vault.slash(operator, when, uint64(bound(share, 1, 1e18)));
        slashed += taken;
        if (taken > most) slashedBeyond += 1;
        if (held > 1e6) _compare(before, _reachable(operator), held, taken);
        _told(true);
    }

    function sweep() external {
        slashed -= _vault.sweep();
        _told(true);
    }

    function donate(uint256 amount) external {
        amount = bound(amount, 1, 1e20);
        uint256[3] memory before = _reachable(operators[0]);
        vm.deal(address(_vault), address(_vault).balance + amount);
        uint256[3] memory later = _reachable(operators[0]);
        for (uint256 i = 0; i < 3; ++i) {
            if (before[i] != later[i]) ++inflated;
        }
        _told(true);
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 10 hours));
        _told(true);
    }

    /// @dev What each has with an operator that is not due: in its shares, and on its way out.
    function _reachable(address operator) private view returns (uint256[3] memory sums) {
        uint256 epoch = _vault.currentEpoch();
        for (uint256 i = 0; i < 3; ++i) {
            (, uint256 active) = _vault.stakeOf(operator, people[i]);
            sums[i] = active + _vault.exitOf(operator, epoch, people[i]) + _vault.exitOf(operator, epoch + 1, people[i]);
        }
    }

    /// @dev All lose the same share, whenever they came or asked to leave; but for rounding, one in each of three pools.
    function _compare(uint256[3] memory before, uint256[3] memory later, uint256 held, uint256 taken) private {
        for (uint256 i = 0; i < 3; ++i) {
            uint256 fair = before[i] - before[i] * taken / held;
            if (later[i] > fair + ROUNDING || later[i] + ROUNDING + fair / 1e5 < fair) ++unfair;
        }
    }
}

contract StakeVaultTest is Kit {
    StakeVault private _vault;
    address private _source;
    address private _treasury;
    address private _op;
    address private _ann;
    address private _bob;
    StakeVaultHandler private _handler;

    function setUp() public {
        (_source, _treasury) = (_name("source"), _name("treasury"));
        (_op, _ann, _bob) = (_name("operator"), _name("anna"), _name("bert"));
        _vault = new StakeVault(address(0), EPOCH, _treasury, address(new Powers(_source)));
        vm.deal(_ann, 1e30);
        vm.deal(_bob, 1e30);
        vm.warp((vm.getBlockTimestamp() / EPOCH + 1) * EPOCH + 1);
        _handler = new StakeVaultHandler(_vault, _source);
        _target(address(_handler));
    }

    function test_aDepositCountsForItsOperator() public {
        _deposit(_ann, 1e18);
        _deposit(_bob, 3e18);
        vm.assertEq(_vault.staked(_op), 4e18);
        (uint256 shares, uint256 assets) = _vault.stakeOf(_op, _bob);
        vm.assertEq(shares, 3e21);
        vm.assertEq(assets, 3e18);
        vm.assertEq(address(_vault).balance, 4e18);
    }

    function test_theValueMustBeTheAmount() public {
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.WrongValue.selector, 1, 2));
        _vault.deposit{value: 1}(_op, _ann, 2);
    }

    function test_aTokenVaultTakesNoCoins() public {
        TwoPMToken token = new TwoPMToken(address(this), 100);
        StakeVault vault = new StakeVault(address(token), EPOCH, _treasury, address(new Powers(_source)));
        token.approve(address(vault), 100);
        vm.deal(address(this), 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.WrongValue.selector, 1, 0));
        vault.deposit{value: 1}(_op, _ann, 100);
        vault.deposit(_op, _ann, 100);
        vm.assertEq(token.balanceOf(address(vault)), 100);
        vm.prank(_ann);
        (uint256 epoch,) = vault.requestExit(_op, 100_000);
        vm.warp((epoch + 1) * EPOCH);
        vm.prank(_ann);
        vault.claim(_op, epoch, _bob);
        vm.assertEq(token.balanceOf(_bob), 100);
    }

    function test_anEmptyDepositIsRefused() public {
        vm.expectRevert(IStakeVault.ZeroAmount.selector);
        _vault.deposit(_op, _ann, 0);
        vm.expectRevert(IStakeVault.ZeroAddress.selector);
        _vault.deposit(address(0), _ann, 0);
        vm.expectRevert(IStakeVault.ZeroAddress.selector);
        _vault.deposit(_op, address(0), 0);
        vm.expectRevert(IStakeVault.ZeroAmount.selector);
        _vault.requestExit(_op, 0);
    }

    function test_aVaultNeedsEpochsAndATreasury() public {
        Powers powers = new Powers(_source);
        vm.expectRevert(IStakeVault.ZeroAmount.selector);
        new StakeVault(address(0), 0, _treasury, address(powers));
        vm.expectRevert(IStakeVault.ZeroAddress.selector);
        new StakeVault(address(0), EPOCH, address(0), address(powers));
    }

    function test_whatLeavesStaysSlashableUntilItIsDue() public {
        _deposit(_ann, 1e18);
        uint256 epoch = _exit(_ann, 1e21);
        vm.assertEq(_vault.staked(_op), 0);
        vm.assertEq(_vault.slashable(_op, uint48(vm.getBlockTimestamp())), 1e18);
        vm.warp((epoch + 1) * EPOCH - 1);
        vm.assertEq(_vault.slashable(_op, uint48(vm.getBlockTimestamp())), 1e18);
        vm.warp((epoch + 1) * EPOCH);
        vm.assertEq(_vault.slashable(_op, uint48(vm.getBlockTimestamp())), 0);
    }

    function test_exitsTakeOneEpochAtLeast(uint256 into) public {
        _deposit(_ann, 1e18);
        vm.warp(vm.getBlockTimestamp() + bound(into, 0, 3 * uint256(EPOCH)));
        uint256 asked = vm.getBlockTimestamp();
        uint256 due = (_exit(_ann, 1e21) + 1) * EPOCH;
        vm.assertLt(asked + EPOCH, due + 1, "at least");
        vm.assertLe(due, asked + 2 * uint256(EPOCH), "at most");
    }

    function test_nobodyExitsAnothersShares() public {
        _deposit(_ann, 1e18);
        vm.prank(_bob);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.TooFewShares.selector, _bob, 1, 0));
        _vault.requestExit(_op, 1);
    }

    function test_anExitIsNotPaidEarly() public {
        _deposit(_ann, 1e18);
        uint256 epoch = _exit(_ann, 1e21);
        vm.warp((epoch + 1) * EPOCH - 1);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ExitNotDue.selector, epoch, (epoch + 1) * EPOCH));
        _vault.claim(_op, epoch, _ann);
    }

    function test_anExitIsPaidOnce() public {
        _deposit(_ann, 1e18);
        uint256 epoch = _exit(_ann, 1e21);
        vm.warp((epoch + 1) * EPOCH);
        vm.assertEq(_vault.exitOf(_op, epoch, _ann), 1e18);
        vm.prank(_ann);
        vm.assertEq(_vault.claim(_op, epoch, _name("purse")), 1e18);
        vm.assertEq(_name("purse").balance, 1e18);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingToClaim.selector, _op, epoch, _ann));
        _vault.claim(_op, epoch, _ann);
    }

    function test_aSlashCutsAllAlike() public {
        _deposit(_ann, 4e18);
        _deposit(_bob, 4e18);
        uint256 first = _exit(_bob, 2e21);
        vm.warp(vm.getBlockTimestamp() + EPOCH);
        uint256 second = _exit(_bob, 1e21);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.assertEq(_slash(uint48(vm.getBlockTimestamp() - 1), 0.25e18), 2e18);
        vm.assertEq(_vault.exitOf(_op, first, _bob), 1.5e18);
        vm.assertEq(_vault.exitOf(_op, second, _bob), 0.75e18);
        (, uint256 anns) = _vault.stakeOf(_op, _ann);
        (, uint256 berts) = _vault.stakeOf(_op, _bob);
        vm.assertEq(anns, 3e18);
        vm.assertEq(berts, 0.75e18);
    }

    function test_aSlashIsBoundedByWhatWasThereThen() public {
        _deposit(_ann, 1e18);
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.warp(vm.getBlockTimestamp() + 10);
        _deposit(_bob, 9e18);
        vm.assertEq(_slash(offence, 1e18), 1e18);
    }

    function test_slashesAddUpToNoMoreThanThereWas() public {
        _deposit(_ann, 1e18);
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.warp(vm.getBlockTimestamp() + 10);
        _deposit(_bob, 9e18);
        vm.assertEq(_slash(offence, 0.5e18), 0.5e18);
        vm.assertEq(_slash(offence, 0.5e18), 0.25e18);
        vm.assertEq(_slash(offence, 1e18), 0.25e18);
        vm.assertEq(_slash(offence, 1e18), 0);
    }

    function test_anOffenceTooOldTakesNothing() public {
        _deposit(_ann, 1e18);
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.warp(vm.getBlockTimestamp() + EPOCH);
        vm.assertEq(_vault.slashable(_op, offence), 1e18);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.assertEq(_slash(offence, 1e18), 0);
        vm.assertEq(_slash(uint48(vm.getBlockTimestamp() + 1), 1e18), 0);
    }

    function test_slashAndExitInOneBlock() public {
        _deposit(_ann, 2e18);
        _deposit(_bob, 2e18);
        vm.warp(vm.getBlockTimestamp() + 5);
        uint256 first = _exit(_ann, 2e21);
        _slash(uint48(vm.getBlockTimestamp() - 1), 0.5e18);
        uint256 second = _exit(_bob, 2e21);
        vm.assertEq(_vault.exitOf(_op, first, _ann), 1e18);
        vm.assertEq(first, second);
        vm.assertEq(_vault.exitOf(_op, second, _bob), 1e18 - 1); // rounded for the vault
    }

    function test_afterATotalSlashSharesBeginAnew() public {
        _deposit(_ann, 1e18);
        uint256 epoch = _exit(_ann, 0.5e21);
        vm.assertEq(_slash(uint48(vm.getBlockTimestamp()), 1e18), 1e18);
        _deposit(_bob, 1e18);
        (uint256 shares,) = _vault.stakeOf(_op, _ann);
        vm.assertEq(shares, 0);
        (, uint256 assets) = _vault.stakeOf(_op, _bob);
        vm.assertEq(assets, 1e18);
        _exit(_bob, 0.5e21);
        vm.assertEq(_vault.exitOf(_op, epoch, _ann), 0);
        vm.assertEq(_vault.exitOf(_op, epoch, _bob), 0.5e18);
    }

    function test_aSlashTakesExactlyItsShare(uint96 active, uint96 leaving, uint64 share) public {
        uint256 sum = uint256(active) + leaving + 2;
        share = uint64(bound(share, 1, 1e18));
        _deposit(_ann, sum);
        _exit(_ann, (uint256(leaving) + 1) * 1000);
        uint256 wanted = sum * share / 1e18;
        vm.assertEq(_slash(uint48(vm.getBlockTimestamp()), share), wanted);
        vm.assertEq(_vault.unswept(), wanted);
        vm.assertEq(_vault.slashable(_op, uint48(vm.getBlockTimestamp())), sum - wanted);
    }

    function test_onlyTheStakeSourceSlashes() public {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        _vault.slash(_op, uint48(vm.getBlockTimestamp()), 1e18);
    }

    function test_slashedStakeGoesToTheTreasury() public {
        _deposit(_ann, 4e18);
        _slash(uint48(vm.getBlockTimestamp()), 0.25e18);
        vm.assertEq(_vault.sweep(), 1e18);
        vm.assertEq(_treasury.balance, 1e18);
        vm.assertEq(_vault.sweep(), 0);
    }

    function test_aTreasuryThatRefusesStopsNoSlash() public {
        _vault = new StakeVault(address(0), EPOCH, address(new Closed()), address(new Powers(_source)));
        _deposit(_ann, 4e18);
        vm.assertEq(_slash(uint48(vm.getBlockTimestamp()), 0.25e18), 1e18);
        vm.expectRevert();
        _vault.sweep();
        vm.assertEq(_vault.unswept(), 1e18);
    }

    function test_aDonationInflatesNothing() public {
        _deposit(_ann, 1);
        vm.deal(address(_vault), 1e24);
        _deposit(_bob, 1e18);
        (, uint256 assets) = _vault.stakeOf(_op, _bob);
        vm.assertEq(assets, 1e18);
    }

    function test_aFirstDepositorGainsNothing(uint96 first, uint96 second, uint64 share) public {
        (uint256 a, uint256 b) = (uint256(first) + 1, uint256(second) + 1);
        _deposit(_ann, a);
        _slash(uint48(vm.getBlockTimestamp()), uint64(bound(share, 1, 0.999e18)));
        (, uint256 before) = _vault.stakeOf(_op, _ann);
        vm.prank(_bob);
        try _vault.deposit{value: b}(_op, _bob, b) {} catch {
            return;
        }
        (, uint256 later) = _vault.stakeOf(_op, _ann);
        (, uint256 berts) = _vault.stakeOf(_op, _bob);
        vm.assertLe(later + berts, _vault.staked(_op), "more than there is");
        vm.assertLe(later, before + 2 + b / 1000, "the first one's gain");
    }

    function test_dustDelegationsHurtNobody() public {
        _deposit(_ann, 1e18);
        for (uint256 i = 0; i < 50; ++i) {
            _deposit(vm.addr(i + 1), 1);
        }
        uint256 epoch = _exit(_ann, 1e21);
        for (uint256 i = 0; i < 50; ++i) {
            vm.prank(vm.addr(i + 1));
            try _vault.requestExit(_op, 1000) {} catch {}
        }
        vm.warp((epoch + 1) * EPOCH);
        vm.prank(_ann);
        vm.assertEq(_vault.claim(_op, epoch, _ann), 1e18);
    }

    function test_aReceiverThatCallsBackIsPaidOnce() public {
        _deposit(_bob, 5e18);
        vm.deal(address(this), 1e18);
        Thief thief = new Thief{value: 1e18}(_vault);
        thief.ask();
        vm.warp(vm.getBlockTimestamp() + 2 * EPOCH);
        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        thief.take();
        vm.assertEq(address(_vault).balance, 6e18);
    }

    function invariant_theBalanceCoversEverything() public view {
        uint256 sum = _vault.unswept();
        for (uint256 o = 0; o < 2; ++o) {
            sum += _vault.staked(_handler.operators(o)) + _leaving(_handler.operators(o));
        }
        vm.assertLe(sum, address(_vault).balance, "balance");
        vm.assertEq(_vault.unswept(), _handler.slashed());
    }

    function invariant_nobodyEscapesASlash() public view {
        vm.assertEq(_handler.unfair(), 0);
    }

    function invariant_donationsInflateNothing() public view {
        vm.assertEq(_handler.inflated(), 0);
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function invariant_nobodyOwnsMoreThanThereIs() public view {
        for (uint256 o = 0; o < 2; ++o) {
            uint256 sum = 0;
            for (uint256 i = 0; i < 3; ++i) {
                (, uint256 assets) = _vault.stakeOf(_handler.operators(o), _handler.people(i));
                sum += assets;
            }
            vm.assertLe(sum, _vault.staked(_handler.operators(o)), "owned");
        }
    }

    function invariant_whatIsSlashableIsThere() public view {
        for (uint256 o = 0; o < 2; ++o) {
            address operator = _handler.operators(o);
            uint256 slashable = _vault.slashable(operator, uint48(vm.getBlockTimestamp()));
            vm.assertGe(slashable, _vault.staked(operator), "active");
            vm.assertLe(slashable, address(_vault).balance, "slashable");
        }
        vm.assertEq(_handler.slashedBeyond(), 0);
    }

    /// @dev What everybody has on its way out, due or not.
    function _leaving(address operator) private view returns (uint256 sum) {
        for (uint256 epoch = _handler.firstEpoch(); epoch <= _vault.currentEpoch() + 1; ++epoch) {
            for (uint256 i = 0; i < 3; ++i) {
                sum += _vault.exitOf(operator, epoch, _handler.people(i));
            }
        }
    }

    function _deposit(address who, uint256 amount) private {
        vm.deal(who, amount);
        vm.prank(who);
        _vault.deposit{value: amount}(_op, who, amount);
    }

    function _exit(address who, uint256 shares) private returns (uint256 epoch) {
        vm.prank(who);
        (epoch,) = _vault.requestExit(_op, shares);
    }

    function _slash(uint48 when, uint64 share) private returns (uint256) {
        vm.prank(_source);
        return _vault.slash(_op, when, share);
    }
}
