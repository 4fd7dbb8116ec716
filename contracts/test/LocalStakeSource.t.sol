// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {LocalStakeSource} from "../src/LocalStakeSource.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {ILocalStakeSource} from "../src/interfaces/ILocalStakeSource.sol";
import {IStakeSource} from "../src/interfaces/IStakeSource.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground, Powers, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

/// @notice Two operators stake in up to four vaults, leave and are slashed; subnets are founded on their exit delay.
contract SourceHandler is Handler {
    SubnetRegistry public immutable SUBNETS;
    LocalStakeSource public immutable SOURCE;
    Ground private _ground;
    uint256 private _offences;
    uint256 public beyond;
    address[2] private _people;

    constructor() {
        _people = [_name("ann"), _name("bob")];
        _ground = new Ground(address(this));
        (SUBNETS, SOURCE) = (_ground.SUBNETS(), _ground.SOURCE());
        _ground.POWERS().grantRole(0, address(SOURCE), 0);
        vm.warp(vm.getBlockTimestamp() + 1 days);
    }

    function stake(uint256 who, uint256 which, uint256 amount) external {
        amount = bound(amount, 1e6, 1e24);
        vm.deal(address(this), amount);
        // Little stake that is left after many slashes has shares so many that little more has none.
        try _at(which).deposit{value: amount}(_people[who % 2], _people[who % 2], amount) {
            _told(true);
        } catch {
            _told(false);
        }
    }

    function leave(uint256 who, uint256 which, uint256 part) external {
        address person = _people[who % 2];
        IStakeVault vault = _at(which);
        (uint256 shares,) = vault.stakeOf(person, person);
        vm.assume(shares != 0);
        vm.prank(person);
        try vault.requestExit(person, shares * bound(part, 1, 100) / 100) {
            _told(true);
        } catch {
            _told(false);
        }
    }

    function slash(uint256 who, uint256 ago, uint64 share) external {
        address person = _people[who % 2];
        uint48 when = uint48(vm.getBlockTimestamp() - ago % 3 * 1 hours);
        uint256 most = SOURCE.slashableStake(person, when);
        uint256 taken = SOURCE.slash(person, when, uint64(bound(share, 1, 1e18)), bytes32(++_offences));
        if (taken > most) ++beyond;
        _told(true);
    }

    function found(uint32 anchor, uint32 challenge, uint32 resolution) external {
        ISubnetRegistry.Terms memory terms = _ground.terms(address(this), address(this));
        (anchor, challenge, resolution) = (anchor % 12 hours, challenge % 12 hours, resolution % 12 hours);
        terms.windows = ISubnetRegistry.Windows(anchor, challenge, resolution);
        bool fits = uint256(anchor) + challenge + resolution <= SOURCE.exitDelay();
        try SUBNETS.found(terms) {
            _told(true, fits);
        } catch {
            _told(false, fits);
        }
    }

    function addVault(uint48 epoch) external {
        bool anyway = epoch % 4 == 0;
        epoch = uint48(bound(epoch, 1, 2 days));
        StakeVault vault = new StakeVault(address(0), epoch, address(1), address(_ground.POWERS()));
        bool fits = epoch >= SOURCE.exitDelay() && SOURCE.vaults().length < 4;
        vm.assume(fits || anyway);
        try SOURCE.setVault(vault, 0.5e18) {
            _told(true, fits);
        } catch {
            _told(false, fits);
        }
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 10 hours));
        _told(true);
    }

    function _at(uint256 which) private view returns (IStakeVault) {
        ILocalStakeSource.WeighedVault[] memory all = SOURCE.vaults();
        return all[which % all.length].vault;
    }
}

contract LocalStakeSourceTest is Kit {
    SourceHandler private _handler;

    uint64 private constant VAULT_ROLE = 7;
    uint48 private constant COIN_EPOCH = 2 days;
    uint48 private constant TOKEN_EPOCH = 1 days;

    Powers private _powers;
    TwoPMToken private _token;
    StakeVault private _coins;
    StakeVault private _tokens;
    LocalStakeSource private _source;
    address private _slasher;
    address private _op;

    function setUp() public {
        _handler = new SourceHandler();
        _target(address(_handler));
        (_slasher, _op) = (_name("slasher"), _name("operator"));
        _powers = new Powers(address(this));
        _token = new TwoPMToken(address(this), 1e27);
        _coins = new StakeVault(address(0), COIN_EPOCH, _name("treasury"), address(_powers));
        _tokens = new StakeVault(address(_token), TOKEN_EPOCH, _name("treasury"), address(_powers));
        ILocalStakeSource.WeighedVault[] memory both = new ILocalStakeSource.WeighedVault[](2);
        both[0] = ILocalStakeSource.WeighedVault(_coins, 1e18);
        both[1] = ILocalStakeSource.WeighedVault(_tokens, 0.01e18);
        _source = new LocalStakeSource(both, address(_powers));
        _powers.grantRole(VAULT_ROLE, address(_source), 0);
        _powers.grantRole(VAULT_ROLE + 1, _slasher, 0);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = IStakeVault.slash.selector;
        _powers.setTargetFunctionRole(address(_coins), selectors, VAULT_ROLE);
        _powers.setTargetFunctionRole(address(_tokens), selectors, VAULT_ROLE);
        selectors[0] = IStakeSource.slash.selector;
        _powers.setTargetFunctionRole(address(_source), selectors, VAULT_ROLE + 1);
        vm.warp((vm.getBlockTimestamp() / COIN_EPOCH + 1) * COIN_EPOCH + 1);
        vm.deal(address(this), 2e18);
        _coins.deposit{value: 2e18}(_op, address(this), 2e18);
        _token.approve(address(_tokens), 1e27);
        _tokens.deposit(_op, address(this), 300e18);
    }

    function test_stakeIsTheWeighedSum() public view {
        vm.assertEq(_source.stake(_op), 5e18);
        vm.assertEq(_source.slashableStake(_op, uint48(vm.getBlockTimestamp())), 5e18);
        vm.assertEq(_source.stake(address(this)), 0);
    }

    function test_whatLeavesIsSlashableAndDoesNotCount() public {
        _coins.requestExit(_op, 1e21);
        vm.assertEq(_source.stake(_op), 4e18);
        vm.assertEq(_source.slashableStake(_op, uint48(vm.getBlockTimestamp())), 5e18);
    }

    function test_theExitDelayIsTheShortest() public view {
        vm.assertEq(_source.exitDelay(), TOKEN_EPOCH);
    }

    function test_aSlashReachesEveryVault() public {
        vm.assertEq(_slash(0.5e18, "one"), 2.5e18);
        vm.assertEq(_coins.unswept(), 1e18);
        vm.assertEq(_tokens.unswept(), 150e18);
        vm.assertTrue(_source.slashedFor("one"), "slashed");
    }

    function test_eachOffenceIsSlashedOnce() public {
        _slash(0.5e18, "one");
        vm.prank(_slasher);
        vm.expectRevert(abi.encodeWithSelector(IStakeSource.AlreadySlashed.selector, bytes32("one")));
        _source.slash(_op, uint48(vm.getBlockTimestamp()), 0.5e18, "one");
    }

    function test_theOrderOfOffencesDoesNotMatter() public {
        uint256 start = vm.snapshotState();
        _slash(0.5e18, "one");
        _slash(0.1e18, "two");
        uint256 left = _source.stake(_op);
        vm.revertToState(start);
        _slash(0.1e18, "two");
        _slash(0.5e18, "one");
        vm.assertEq(_source.stake(_op), left);
        vm.assertEq(left, 2.25e18);
    }

    function test_aShareIsAShare() public {
        for (uint64 i = 0; i < 2; ++i) {
            uint64 share = i * (1e18 + 1);
            vm.prank(_slasher);
            vm.expectRevert(abi.encodeWithSelector(IStakeSource.BadShare.selector, share));
            _source.slash(_op, uint48(vm.getBlockTimestamp()), share, "one");
        }
    }

    function test_noOffenceInTheFuture() public {
        uint48 when = uint48(vm.getBlockTimestamp() + 1);
        vm.prank(_slasher);
        vm.expectRevert(abi.encodeWithSelector(IStakeSource.OffenceInFuture.selector, when));
        _source.slash(_op, when, 1, "one");
    }

    function test_onlyTheSlasherSlashes() public {
        vm.prank(_op);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _op));
        _source.slash(_op, uint48(vm.getBlockTimestamp()), 1, "one");
    }

    function test_weightsChange() public {
        _source.setVault(_tokens, 0);
        vm.assertEq(_source.stake(_op), 2e18);
        vm.assertEq(_source.vaults().length, 2);
        _slash(0.5e18, "one");
        vm.assertEq(_tokens.unswept(), 150e18);
    }

    function test_thereIsALimitOfVaults() public {
        _source.setVault(_vault(TOKEN_EPOCH), 1);
        _source.setVault(_vault(COIN_EPOCH), 1);
        StakeVault fifth = _vault(COIN_EPOCH);
        vm.expectRevert(abi.encodeWithSelector(ILocalStakeSource.TooManyVaults.selector, 4));
        _source.setVault(fifth, 1);
        vm.expectRevert(ILocalStakeSource.NoVault.selector);
        new LocalStakeSource(new ILocalStakeSource.WeighedVault[](0), address(_powers));
    }

    /// @dev Else stake would leave before the disputes of subnets that were founded on the longer delay are over.
    function test_theExitDelayNeverShrinks() public {
        StakeVault hasty = _vault(TOKEN_EPOCH - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ILocalStakeSource.ExitWouldShorten.selector, TOKEN_EPOCH - 1, TOKEN_EPOCH)
        );
        _source.setVault(hasty, 1);
        vm.assertEq(_source.exitDelay(), TOKEN_EPOCH);
    }

    function invariant_slashesAreOfWhatWasThere() public view {
        vm.assertEq(_handler.beyond(), 0);
    }

    function invariant_exitsOutlastDisputes() public view {
        SubnetRegistry subnets = _handler.SUBNETS();
        for (uint256 id = 1; id <= subnets.subnetCount(); ++id) {
            ISubnetRegistry.Windows memory windows = subnets.windowsOf(id);
            uint256 sum = uint256(windows.anchorSeconds) + windows.challengeSeconds + windows.resolutionSeconds;
            vm.assertLe(sum, _handler.SOURCE().exitDelay(), "windows");
        }
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function _vault(uint48 epoch) private returns (StakeVault) {
        return new StakeVault(address(0), epoch, _name("treasury"), address(_powers));
    }

    function test_onlyTheTimelockSetsVaults() public {
        vm.prank(_slasher);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _slasher));
        _source.setVault(_tokens, 0);
    }

    function _slash(uint64 share, bytes32 offence) private returns (uint256) {
        vm.prank(_slasher);
        return _source.slash(_op, uint48(vm.getBlockTimestamp()), share, offence);
    }
}
