// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {DMPToken} from "../src/DMPToken.sol";
import {DatasetRegistry} from "../src/DatasetRegistry.sol";
import {LocalStakeSource} from "../src/LocalStakeSource.sol";
import {OperatorRegistry} from "../src/OperatorRegistry.sol";
import {RewardDistributor} from "../src/RewardDistributor.sol";
import {RoyaltyVault} from "../src/RoyaltyVault.sol";
import {SlashingManager} from "../src/SlashingManager.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {IDatasetRegistry} from "../src/interfaces/IDatasetRegistry.sol";
import {ILocalStakeSource} from "../src/interfaces/ILocalStakeSource.sol";
import {IRewardDistributor} from "../src/interfaces/IRewardDistributor.sol";
import {IStakeSource} from "../src/interfaces/IStakeSource.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground, Powers} from "./Economy.sol";
import {vm} from "./Kit.sol";
import {World} from "./World.sol";

/// @notice Acts for the attacker, and when anything calls it while it is armed, acts once more from within.
contract Accomplice {
    address private _where;
    bytes private _what;
    bool private _armed;
    uint256 public strikes;
    bool public succeeded;

    receive() external payable {
        strike();
    }

    function arm(address where, bytes calldata what) external {
        (_where, _what, _armed) = (where, what, true);
    }

    function act(address where, uint256 value, bytes calldata what) external returns (bytes memory answer) {
        bool done;
        (done, answer) = where.call{value: value}(what);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function strike() public {
        if (!_armed) return;
        (_armed, strikes) = (false, strikes + 1);
        (succeeded,) = _where.call(_what);
    }
}

/// @notice A token that has the accomplice called before and after every movement, as tokens with hooks do.
contract HookToken is ERC20 {
    Accomplice private _accomplice;

    constructor(Accomplice accomplice) ERC20("hooks", "H") {
        _accomplice = accomplice;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0)) _accomplice.strike();
        super._update(from, to, amount);
    }
}

/// @notice Pays, and then notes that it paid.
contract CarelessVault {
    mapping(address owner => uint256) public held;

    function deposit() external payable {
        held[msg.sender] += msg.value;
    }

    function claim() external {
        uint256 amount = held[msg.sender];
        (bool done,) = msg.sender.call{value: amount}("");
        require(done, "refused");
        held[msg.sender] = 0;
    }
}

/// @notice A stake source, and a vault, that call the accomplice whenever they are called.
contract HookSource {
    Accomplice private _accomplice;
    uint256 public slashes;

    constructor(Accomplice accomplice) {
        _accomplice = accomplice;
    }

    function EPOCH_SECONDS() external pure returns (uint48) {
        return 1 days;
    }

    function note(address) external returns (uint256) {
        _accomplice.strike();
        return 1e18;
    }

    function slash(address, uint48, uint64, bytes32) external returns (uint256) {
        ++slashes;
        _accomplice.strike();
        return 1;
    }

    function slash(address, uint48, uint64) external returns (uint256) {
        ++slashes;
        _accomplice.strike();
        return 1;
    }
}

/// @notice Writes when it is only asked: a signer, and an operator registry.
contract Scribbler {
    uint256 public written;

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        ++written;
        return this.isValidSignature.selector;
    }

    function SUBNETS() external returns (address) {
        ++written;
        return msg.sender;
    }
}

/// @notice At every place where a contract calls another, the other, or who it pays, calls back.
contract ReentrancyTest is World {
    uint48 private constant EPOCH_SECONDS = 1 days;
    Accomplice private _thief;
    HookToken private _token;
    Powers private _powers;
    Ground private _ground;

    function setUp() public {
        vm.warp(1_700_000_000);
        _thief = new Accomplice();
        _token = new HookToken(_thief);
        _ground = new Ground(address(this));
        _powers = _ground.POWERS();
        _token.mint(address(_thief), 1000);
        _token.mint(address(this), 1e6);
    }

    receive() external payable {}

    function test_aCarelessVaultIsEmptied() public {
        CarelessVault vault = new CarelessVault();
        vm.deal(address(this), 5);
        vault.deposit{value: 5}();
        vm.deal(address(_thief), 5);
        _thief.act(address(vault), 5, abi.encodeCall(CarelessVault.deposit, ()));
        _thief.arm(address(vault), abi.encodeCall(CarelessVault.claim, ()));
        _thief.act(address(vault), 0, abi.encodeCall(CarelessVault.claim, ()));
        vm.assertEq(address(_thief).balance, 10);
    }

    function test_vault_deposit() public {
        StakeVault vault = _vault();
        bytes memory deposit = abi.encodeCall(IStakeVault.deposit, (address(_thief), address(_thief), 100));
        _strike(address(vault), deposit, deposit, false);
        vm.assertEq(vault.staked(address(_thief)), 100);
        // What asks for the shares back that are being paid for is only queued.
        bytes memory leave = abi.encodeCall(IStakeVault.requestExit, (address(_thief), 150_000));
        _strike(address(vault), deposit, leave, true);
        uint256 leaving = vault.exitOf(address(_thief), vault.currentEpoch() + 1, address(_thief));
        vm.assertEq(vault.staked(address(_thief)) + leaving, 200);
        vm.assertEq(_token.balanceOf(address(vault)), 200);
    }

    function test_vault_claim() public {
        StakeVault vault = _vault();
        vault.deposit(address(_thief), address(this), 500);
        _thief.act(
            address(vault), 0, abi.encodeCall(IStakeVault.deposit, (address(_thief), address(_thief), 100))
        );
        _thief.act(address(vault), 0, abi.encodeCall(IStakeVault.requestExit, (address(_thief), 100_000)));
        uint256 epoch = vault.currentEpoch() + 1;
        vm.warp((epoch + 1) * EPOCH_SECONDS);
        bytes memory claim = abi.encodeCall(IStakeVault.claim, (address(_thief), epoch, address(_thief)));
        _strike(address(vault), claim, claim, false);
        vm.assertEq(_token.balanceOf(address(_thief)), 1000);
        vm.assertEq(_token.balanceOf(address(vault)), 500);
    }

    function test_vault_sweep() public {
        StakeVault vault = new StakeVault(address(0), EPOCH_SECONDS, address(_thief), address(_powers));
        vm.deal(address(this), 10);
        vault.deposit{value: 10}(address(this), address(this), 10);
        vault.slash(address(this), uint48(vm.getBlockTimestamp()), 0.5e18);
        bytes memory sweep = abi.encodeCall(IStakeVault.sweep, ());
        _strike(address(vault), sweep, sweep, false);
        vm.assertEq(address(_thief).balance, 5);
        vm.assertEq(address(vault).balance, 5);
    }

    function test_rewards_claim() public {
        (RewardDistributor rewards, bytes32[] memory none) = (_rewards(), new bytes32[](0));
        bytes memory claim = abi.encodeCall(
            IRewardDistributor.claim, (1, IRewardDistributor.Pot.Compute, address(_thief), 300, 0, none)
        );
        _strike(address(rewards), claim, claim, false);
        vm.assertEq(_token.balanceOf(address(_thief)), 1300);
        _strike(
            address(rewards),
            abi.encodeCall(IRewardDistributor.payDao, (1)),
            abi.encodeCall(IRewardDistributor.payDao, (1)),
            false
        );
        vm.assertEq(_token.balanceOf(address(rewards)), 10_000 - 300 - 500);
    }

    function test_rewards_claimMany() public {
        RewardDistributor rewards = _rewards();
        IRewardDistributor.Claim[] memory twice = new IRewardDistributor.Claim[](2);
        for (uint256 i = 0; i < 2; ++i) {
            twice[i] = IRewardDistributor.Claim(
                1, IRewardDistributor.Pot.Compute, address(_thief), 300, 0, new bytes32[](0)
            );
        }
        bytes memory claim = abi.encodeCall(IRewardDistributor.claimMany, (twice));
        _strike(address(rewards), claim, claim, true);
        vm.assertEq(_token.balanceOf(address(_thief)), 1300);
        vm.assertEq(rewards.balanceOf(1, IRewardDistributor.Pot.Compute).claimed, 300);
        vm.assertEq(rewards.claimMany(twice), 0);
    }

    function test_rewards_fund() public {
        RewardDistributor rewards = _rewards();
        bytes memory fund = abi.encodeCall(IRewardDistributor.fund, (1, 400));
        _strike(address(rewards), fund, fund, true);
        uint256 sum = 0;
        for (uint8 i = 0; i < 4; ++i) sum += rewards.balanceOf(1, IRewardDistributor.Pot(i)).funded;
        vm.assertEq(sum, 10_800);
        vm.assertEq(_token.balanceOf(address(rewards)), 10_800);
    }

    function test_royalties_pay() public {
        RoyaltyVault royalties = _royalties();
        royalties.pay(1, 2000);
        bytes memory claim = abi.encodeCall(RoyaltyVault.claim, (1, address(_thief)));
        _strike(address(royalties), abi.encodeCall(RoyaltyVault.pay, (1, 200)), claim, true);
        // A quarter of the shares, of half of the fees: of its own too, that it has paid by the end.
        vm.assertEq(_token.balanceOf(address(_thief)), 1000 - 200 + 250 + 25);
        vm.assertEq(royalties.dividendOf(1, address(this)), 825);
        vm.assertEq(_token.balanceOf(address(royalties)), 825);
    }

    function test_royalties_claim() public {
        RoyaltyVault royalties = _royalties();
        royalties.pay(1, 2000);
        bytes memory claim = abi.encodeCall(RoyaltyVault.claim, (1, address(_thief)));
        _strike(address(royalties), claim, claim, false);
        vm.assertEq(_token.balanceOf(address(_thief)), 1250);
        vm.assertEq(_token.balanceOf(address(royalties)), 750);
    }

    function test_dmp_stake() public {
        DMPToken dmp = _dmp();
        bytes memory stake = abi.encodeCall(DMPToken.stake, (100));
        _strike(address(dmp), stake, stake, true);
        vm.assertEq(dmp.getVotes(address(_thief)), 200);
        _strike(address(dmp), stake, abi.encodeCall(DMPToken.requestExit, (300)), true);
        vm.assertEq(dmp.totalSupply(), 0);
        vm.assertEq(dmp.staked(), 300);
        vm.assertEq(_token.balanceOf(address(dmp)), 300);
    }

    function test_dmp_claimExit() public {
        DMPToken dmp = _dmp();
        _token.approve(address(dmp), 500);
        dmp.stake(500);
        _thief.act(address(dmp), 0, abi.encodeCall(DMPToken.stake, (100)));
        _thief.act(address(dmp), 0, abi.encodeCall(DMPToken.requestExit, (100)));
        vm.warp(vm.getBlockTimestamp() + 1 days);
        bytes memory claim = abi.encodeCall(DMPToken.claimExit, (0));
        _strike(address(dmp), claim, claim, false);
        vm.assertEq(_token.balanceOf(address(_thief)), 1000);
        vm.assertEq(_token.balanceOf(address(dmp)), 500);
    }

    function test_operators_register() public {
        IStakeSource source = IStakeSource(address(new HookSource(_thief)));
        SubnetRegistry registry = new SubnetRegistry(address(_powers));
        OperatorRegistry operators_ = new OperatorRegistry(registry, source, IStakeVault(address(0)), 1);
        vm.mockCall(
            address(registry),
            abi.encodeCall(ISubnetRegistry.contractsOf, (1)),
            abi.encode(address(operators_), address(0))
        );
        bytes memory register = abi.encodeCall(OperatorRegistry.register, (1, "peer", new bytes(64), 4));
        _strike(address(operators_), register, register, false);
        vm.assertEq(operators_.operatorCount(1), 1);
        vm.assertEq(operators_.validatorStake(1), 1e18);
        address[] memory one = new address[](1);
        one[0] = address(_thief);
        bytes memory leave = abi.encodeCall(OperatorRegistry.deregister, (1));
        _strike(address(operators_), abi.encodeCall(OperatorRegistry.refresh, (1, one)), leave, false);
        vm.assertEq(operators_.validatorStake(1), 1e18);
    }

    function test_slashing_execute() public {
        HookSource source = new HookSource(_thief);
        _build(_ecdsa());
        operators.setStakeSource(address(source));
        SlashingManager manager =
            new SlashingManager(ISubnetRegistry(address(subnets)), 1 days, 1 days, 1e18, address(_powers));
        manager.report("offence", 1, address(7), uint48(vm.getBlockTimestamp()), 0.5e18);
        uint32 epoch = uint32(vm.getBlockTimestamp() / 1 days);
        vm.warp(vm.getBlockTimestamp() + 2 days);
        bytes memory execute =
            abi.encodeCall(SlashingManager.execute, (IStakeSource(address(source)), address(7), epoch));
        _strike(address(manager), execute, execute, false);
        vm.assertEq(source.slashes(), 1);
    }

    function test_source_slash() public {
        HookSource vault = new HookSource(_thief);
        _powers = new Powers(address(_thief));
        ILocalStakeSource.WeighedVault[] memory vaults = new ILocalStakeSource.WeighedVault[](1);
        vaults[0] = ILocalStakeSource.WeighedVault(IStakeVault(address(vault)), 1e18);
        LocalStakeSource source = new LocalStakeSource(vaults, address(_powers));
        bytes memory slash =
            abi.encodeCall(IStakeSource.slash, (address(7), uint48(vm.getBlockTimestamp()), 1e18, bytes32("offence")));
        _strike(address(source), slash, slash, false);
        vm.assertEq(vault.slashes(), 1);
    }

    function test_anchor_settle() public {
        _build(_ecdsa());
        _allow(address(anchor), ICheckpointAnchor.hold.selector, address(_thief));
        _allow(address(anchor), ICheckpointAnchor.settle.selector, address(_thief));
        _proposer("another");
        bytes32 key = _open(_checkpoint(1, 0));
        _thief.act(address(anchor), 0, abi.encodeCall(ICheckpointAnchor.hold, (SUBNET, key)));
        bytes memory settle = abi.encodeCall(ICheckpointAnchor.settle, (SUBNET, key, true));
        _strike(address(anchor), settle, settle, false);
        vm.assertEq(address(_thief).balance, BOND);
        vm.assertEq(address(anchor).balance, BOND);
    }

    function test_dataset_signer() public {
        _ground.SUBNETS().found(_ground.terms(address(this), address(this)));
        DatasetRegistry datasets = new DatasetRegistry(_ground.SUBNETS());
        address signer = address(new Scribbler());
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.WrongSignature.selector, signer));
        datasets.commit(1, "any", "root", 5, 0, signer, "");
    }

    function test_subnets_found() public {
        SubnetRegistry registry = _ground.SUBNETS();
        ISubnetRegistry.Terms memory terms = _ground.terms(address(this), address(this));
        Scribbler scribbler = new Scribbler();
        terms.operators = address(scribbler);
        vm.expectRevert();
        registry.found{gas: 1_000_000}(terms);
        vm.assertEq(scribbler.written(), 0);
    }

    /// @dev The thief calls, and calls again from within; the inner call does or does not go through.
    function _strike(address where, bytes memory outer, bytes memory inner, bool through) private {
        uint256 before = _thief.strikes();
        _thief.arm(where, inner);
        _thief.act(where, 0, outer);
        vm.assertEq(_thief.strikes(), before + 1);
        vm.assertEq(_thief.succeeded(), through);
    }

    function _approved(address spender) private {
        _token.approve(spender, type(uint256).max);
        _thief.act(address(_token), 0, abi.encodeCall(ERC20.approve, (spender, type(uint256).max)));
    }

    function _vault() private returns (StakeVault vault) {
        vault = new StakeVault(address(_token), EPOCH_SECONDS, address(1), address(_powers));
        _approved(address(vault));
    }

    function _dmp() private returns (DMPToken dmp) {
        dmp = new DMPToken(_token, 1 days, address(_powers));
        _approved(address(dmp));
    }

    /// @dev 10,000 in the pots, of which 300 of the computing part are the thief's.
    function _rewards() private returns (RewardDistributor rewards) {
        _ground.SUBNETS().found(_ground.terms(address(this), address(this)));
        rewards = new RewardDistributor(_token, _ground.SUBNETS(), 0, address(1), address(_powers));
        _approved(address(rewards));
        rewards.fund(1, 10_000);
        bytes32 leaf = rewards.leafOf(1, IRewardDistributor.Pot.Compute, address(_thief), 300);
        rewards.postRoot(1, keccak256(bytes.concat(leaf)));
    }

    /// @dev A quarter of what is given out is the thief's; half of the fees go to rewards.
    function _royalties() private returns (RoyaltyVault royalties) {
        royalties = new RoyaltyVault(_token, _rewards(), _ground.SUBNETS(), 0, address(_powers));
        _approved(address(royalties));
        royalties.open(1, 4e20);
        royalties.giveReserved(1, address(_thief), 1e20);
        royalties.giveReserved(1, address(this), 3e20);
    }
}
