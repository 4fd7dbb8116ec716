// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {
    GovernorVotesQuorumFraction
} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {DMPToken} from "../src/DMPToken.sol";
import {EigenLayerStakeSource} from "../src/EigenLayerStakeSource.sol";
import {LocalStakeSource} from "../src/LocalStakeSource.sol";
import {OperatorRegistry} from "../src/OperatorRegistry.sol";
import {RewardDistributor} from "../src/RewardDistributor.sol";
import {RoyaltyVault} from "../src/RoyaltyVault.sol";
import {SlashingManager} from "../src/SlashingManager.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {SubnetGovernor} from "../src/SubnetGovernor.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {Timelock} from "../src/Timelock.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {IAVSRegistrar} from "../src/interfaces/IEigenLayer.sol";
import {IDMPToken} from "../src/interfaces/IDMPToken.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {IEigenLayerStakeSource} from "../src/interfaces/IEigenLayerStakeSource.sol";
import {ILocalStakeSource} from "../src/interfaces/ILocalStakeSource.sol";
import {IPostedRoots} from "../src/interfaces/IPostedRoots.sol";
import {IRoyaltyVault} from "../src/interfaces/IRoyaltyVault.sol";
import {ISlashingManager} from "../src/interfaces/ISlashingManager.sol";
import {IStakeSource} from "../src/interfaces/IStakeSource.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {IStepVerifier} from "../src/interfaces/IStepVerifier.sol";
import {ISubnetGovernor} from "../src/interfaces/ISubnetGovernor.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {EigenLayerDouble} from "./EigenLayerStakeSource.t.sol";
import {Games} from "./Games.sol";
import {Handler, vm} from "./Kit.sol";

/// @notice A call that not everybody may make, and who may; `holder` zero: nobody by itself, only what was voted.
struct Power {
    string name;
    address target;
    bytes call;
    address holder;
}

/// @notice All contracts, handed over as contracts/deploy_*.py do it, and all that not everybody may do with them.
abstract contract Handed is Games {
    uint64 internal constant SOURCE = 1;
    uint64 internal constant GOVERNOR = 2;
    uint64 internal constant GUARDIAN = 3;
    uint64 internal constant COURT = 4;
    uint64 internal constant MANAGER = 5;
    uint256 internal constant LOCK_SECONDS = 2 days;

    Power[] internal powers;
    address[] internal parties;
    address internal ann;
    address internal bob;
    address internal guardian;
    address internal court;
    TwoPMToken internal token;
    DMPToken internal dmp;
    StakeVault internal vault;
    LocalStakeSource internal source;
    EigenLayerDouble internal eigen;
    EigenLayerStakeSource internal restaked;
    SubnetRegistry internal registry;
    OperatorRegistry internal enrolled;
    RewardDistributor internal rewards;
    RoyaltyVault internal royalties;
    SlashingManager internal manager;
    Timelock internal timelock;
    SubnetGovernor internal governor;
    bytes32 internal disputed;
    bytes32 internal held;
    uint256 internal over;
    bytes32 internal pending;

    function _found() internal {
        (ann, bob, guardian, court) = (_name("anna"), _name("bert"), _name("guardian"), _name("court"));
        _play();
        _contracts();
        _states();
        _roles();
        _powers();
        parties = [
            ann, bob, _name("stranger"), address(this), address(timelock), address(governor), guardian, court,
            address(source), address(manager), address(disputes), address(access), address(eigen), game
        ];
    }

    function _contracts() private {
        address authority = address(access);
        token = new TwoPMToken(address(this), 1e27);
        timelock = new Timelock(LOCK_SECONDS, address(this));
        dmp = new DMPToken(token, 7 days, authority);
        vault = new StakeVault(address(0), 1 days, address(timelock), authority);
        ILocalStakeSource.WeighedVault[] memory vaults = new ILocalStakeSource.WeighedVault[](1);
        vaults[0] = ILocalStakeSource.WeighedVault(vault, 1e18);
        source = new LocalStakeSource(vaults, authority);
        eigen = new EigenLayerDouble();
        (address[] memory strategies, uint96[] memory weights) = (new address[](1), new uint96[](1));
        (strategies[0], weights[0]) = (_name("strategy"), 1e18);
        restaked = new EigenLayerStakeSource(eigen, eigen, strategies, weights, 12, authority);
        registry = new SubnetRegistry(authority);
        enrolled = new OperatorRegistry(registry, source, vault, 1e18);
        rewards = new RewardDistributor(token, registry, 0, address(timelock), authority);
        royalties = new RoyaltyVault(token, rewards, registry, 0, authority);
        manager = new SlashingManager(registry, 1 days, 1 days, 1e18, authority);
        SubnetGovernor.Rules memory rules = SubnetGovernor.Rules(1 hours, 1 days, 100e18, 4, 50e18, 7 days);
        governor = new SubnetGovernor(dmp, timelock, registry, royalties, rules);
    }

    /// @dev Something for every power to act on.
    function _states() private {
        eigen.become(ann);
        registry.found(_terms());
        registry.found(_terms());
        royalties.open(1, 1e23);
        vm.prank(bob);
        royalties.grant(1, "root", 5);
        vm.prank(bob);
        rewards.postRoot(1, "root");
        manager.report("offence", 1, ann, 1, 1);
        token.transfer(ann, 1000e18);
        vm.startPrank(ann);
        token.approve(address(dmp), 1000e18);
        dmp.stake(1000e18);
        vm.stopPrank();
        dmp.burn(ann, 100);
        bytes32 rejected;
        (over, rejected) = _played(7, 6);
        disputes.prove(over, "");
        proposer = _proposer("another proposer");
        (ICheckpointAnchor.Checkpoint memory it,) = _claim(2, 4, 0);
        disputed = _open(it);
        (it,) = _claim(3, 4, 0);
        held = _open(it);
        vm.prank(game);
        anchor.hold(SUBNET, held);
        vm.warp(vm.getBlockTimestamp() + 1);
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(this));
        pending = timelock.hashOperation(address(this), 0, "", 0, 0);
        timelock.schedule(address(this), 0, "", 0, 0, LOCK_SECONDS);
        timelock.revokeRole(timelock.PROPOSER_ROLE(), address(this));
    }

    function _roles() private {
        _give(SOURCE, address(vault), IStakeVault.slash.selector, address(source));
        _give(GOVERNOR, address(registry), ISubnetRegistry.found.selector, address(governor));
        _give(GOVERNOR, address(dmp), IDMPToken.burn.selector, address(governor));
        _give(GOVERNOR, address(royalties), IRoyaltyVault.open.selector, address(governor));
        _give(GOVERNOR, address(royalties), IRoyaltyVault.giveReserved.selector, address(governor));
        _give(GUARDIAN, address(royalties), IPostedRoots.disableRoot.selector, guardian);
        _give(GUARDIAN, address(rewards), IPostedRoots.disableRoot.selector, guardian);
        _give(COURT, address(manager), ISlashingManager.report.selector, court);
        _give(MANAGER, address(source), IStakeSource.slash.selector, address(manager));
        _give(MANAGER, address(restaked), IStakeSource.slash.selector, address(manager));
        // In the place of the games while states were made.
        access.revokeRole(GAME_ROLE, game);
        access.grantRole(0, address(timelock), 0);
        access.renounceRole(0, address(this));
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(governor));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(governor));
        timelock.grantRole(timelock.EXECUTOR_ROLE(), address(0));
        timelock.renounceRole(0x00, address(this));
    }

    /// @dev Whatever the sources say is restricted; tests/contracts/test_powers.py holds the names against them.
    function _powers() private {
        (address dao, address gov, address games) = (address(timelock), address(governor), address(disputes));
        ISubnetRegistry.Economics memory mine = ISubnetRegistry.Economics(0, 10_000, 1, 1, 0, 0, bob);
        _add("SubnetRegistry.found", address(registry), abi.encodeCall(ISubnetRegistry.found, (_terms())), gov);
        _add("SubnetRegistry.setEconomics", address(registry), abi.encodeCall(ISubnetRegistry.setEconomics, (1, mine)), dao);
        _add("SubnetRegistry.setDisputes", address(registry), abi.encodeCall(ISubnetRegistry.setDisputes, (disputes)), dao);
        _add("DMPToken.burn", address(dmp), abi.encodeCall(IDMPToken.burn, (ann, 1)), gov);
        _add("DMPToken.spend", address(dmp), abi.encodeCall(IDMPToken.spend, (bob, 1)), dao);
        _add("RoyaltyVault.open", address(royalties), abi.encodeCall(IRoyaltyVault.open, (2, 1)), gov);
        _add("RoyaltyVault.giveReserved", address(royalties), abi.encodeCall(IRoyaltyVault.giveReserved, (1, bob, 1)), gov);
        _add("RoyaltyVault.disableRoot", address(royalties), abi.encodeCall(IPostedRoots.disableRoot, (1, 0)), guardian);
        _add("RoyaltyVault.grant", address(royalties), abi.encodeCall(IRoyaltyVault.grant, (1, "r", 1)), bob);
        _add("RewardDistributor.disableRoot", address(rewards), abi.encodeCall(IPostedRoots.disableRoot, (1, 0)), guardian);
        _add("RewardDistributor.postRoot", address(rewards), abi.encodeCall(RewardDistributor.postRoot, (1, "r")), bob);
        _add("StakeVault.slash", address(vault), abi.encodeCall(IStakeVault.slash, (ann, 1, 1)), address(source));
        _add("LocalStakeSource.setVault", address(source), abi.encodeCall(ILocalStakeSource.setVault, (vault, 0)), dao);
        bytes memory slash = abi.encodeCall(IStakeSource.slash, (ann, 1, 1, "offence"));
        _add("LocalStakeSource.slash", address(source), slash, address(manager));
        _add("EigenLayerStakeSource.slash", address(restaked), slash, address(manager));
        _add("EigenLayerStakeSource.enrol", address(restaked), abi.encodeCall(IEigenLayerStakeSource.enrol, ("uri")), dao);
        bytes memory enters = abi.encodeCall(IAVSRegistrar.registerOperator, (ann, address(restaked), new uint32[](1), ""));
        _add("EigenLayerStakeSource.registerOperator", address(restaked), enters, address(eigen));
        bytes memory leaves = abi.encodeCall(IAVSRegistrar.deregisterOperator, (ann, address(restaked), new uint32[](1)));
        _add("EigenLayerStakeSource.deregisterOperator", address(restaked), leaves, address(eigen));
        bytes memory report = abi.encodeCall(ISlashingManager.report, ("other", 1, ann, 1, 1));
        _add("SlashingManager.report", address(manager), report, court);
        _add("SlashingManager.veto", address(manager), abi.encodeCall(ISlashingManager.veto, ("offence")), dao);
        _add("CheckpointAnchor.hold", address(anchor), abi.encodeCall(ICheckpointAnchor.hold, (SUBNET, disputed)), games);
        bytes memory settle = abi.encodeCall(ICheckpointAnchor.settle, (SUBNET, held, false));
        _add("CheckpointAnchor.settle", address(anchor), settle, games);
        _add("DisputeGame.annul", address(disputes), abi.encodeCall(IDisputeGame.annul, (over)), dao);
        bytes memory other = abi.encodeCall(IDisputeGame.setVerifier, (SUBNET, IStepVerifier(bob)));
        _add("DisputeGame.setVerifier", address(disputes), other, dao);
        _authoritys(dao);
        _timelocks(dao, gov);
        _votes();
    }

    function _authoritys(address dao) private {
        address to = address(access);
        bytes4[] memory one = new bytes4[](1);
        one[0] = ISubnetRegistry.setEconomics.selector;
        _add("AccessManager.labelRole", to, abi.encodeCall(AccessManager.labelRole, (9, "x")), dao);
        _add("AccessManager.grantRole", to, abi.encodeCall(AccessManager.grantRole, (0, bob, 0)), dao);
        _add("AccessManager.revokeRole", to, abi.encodeCall(AccessManager.revokeRole, (COURT, court)), dao);
        _add("AccessManager.setRoleAdmin", to, abi.encodeCall(AccessManager.setRoleAdmin, (9, 9)), dao);
        _add("AccessManager.setRoleGuardian", to, abi.encodeCall(AccessManager.setRoleGuardian, (9, 9)), dao);
        _add("AccessManager.setGrantDelay", to, abi.encodeCall(AccessManager.setGrantDelay, (9, 9)), dao);
        bytes memory role = abi.encodeCall(AccessManager.setTargetFunctionRole, (address(registry), one, 9));
        _add("AccessManager.setTargetFunctionRole", to, role, dao);
        bytes memory delay = abi.encodeCall(AccessManager.setTargetAdminDelay, (address(registry), 9));
        _add("AccessManager.setTargetAdminDelay", to, delay, dao);
        _add("AccessManager.setTargetClosed", to, abi.encodeCall(AccessManager.setTargetClosed, (address(dmp), true)), dao);
        bytes memory moved = abi.encodeCall(AccessManager.updateAuthority, (address(dmp), address(token)));
        _add("AccessManager.updateAuthority", to, moved, dao);
        // What the authority itself may do it does for who may do it by itself.
        bytes memory spend = abi.encodeCall(AccessManager.execute, (address(dmp), abi.encodeCall(IDMPToken.spend, (bob, 1))));
        _add("AccessManager.execute", to, spend, dao);
        address[10] memory managed = [
            address(registry), address(dmp), address(royalties), address(rewards), address(vault), address(source),
            address(restaked), address(manager), address(anchor), address(disputes)
        ];
        for (uint256 i = 0; i < managed.length; ++i) {
            bytes memory another = abi.encodeCall(AccessManaged.setAuthority, (address(token)));
            _add("AccessManaged.setAuthority", managed[i], another, address(access));
        }
    }

    function _timelocks(address dao, address gov) private {
        address to = address(timelock);
        bytes memory open = abi.encodeCall(TimelockController.schedule, (address(registry), 0, "", 0, 0, LOCK_SECONDS));
        _add("TimelockController.schedule", to, open, gov);
        bytes memory batch = abi.encodeCall(
            TimelockController.scheduleBatch,
            (new address[](1), new uint256[](1), new bytes[](1), bytes32(0), bytes32(0), LOCK_SECONDS)
        );
        _add("TimelockController.scheduleBatch", to, batch, gov);
        _add("TimelockController.cancel", to, abi.encodeCall(TimelockController.cancel, (pending)), gov);
        _add("TimelockController.updateDelay", to, abi.encodeCall(TimelockController.updateDelay, (0)), dao);
        bytes32 role = timelock.PROPOSER_ROLE();
        _add("AccessControl.grantRole", to, abi.encodeWithSignature("grantRole(bytes32,address)", role, bob), dao);
        _add("AccessControl.revokeRole", to, abi.encodeWithSignature("revokeRole(bytes32,address)", role, gov), dao);
    }

    /// @dev Nobody makes these calls, not even the timelock, unless they were voted: `test_aVoteDoesWhatOnlyAVoteMay`.
    function _votes() private {
        address to = address(governor);
        _add("SubnetGovernor.setBacking", to, abi.encodeCall(ISubnetGovernor.setBacking, (7, 8)), address(0));
        bytes memory founds = abi.encodeCall(ISubnetGovernor.foundSubnet, ("salt", _terms()));
        _add("SubnetGovernor.foundSubnet", to, founds, address(0));
        bytes memory burn = abi.encodeCall(IDMPToken.burn, (ann, 1));
        _add("Governor.relay", to, abi.encodeCall(Governor.relay, (address(dmp), 0, burn)), address(0));
        _add("GovernorSettings.setVotingDelay", to, abi.encodeCall(GovernorSettings.setVotingDelay, (7)), address(0));
        _add("GovernorSettings.setVotingPeriod", to, abi.encodeCall(GovernorSettings.setVotingPeriod, (7)), address(0));
        bytes memory threshold = abi.encodeCall(GovernorSettings.setProposalThreshold, (7));
        _add("GovernorSettings.setProposalThreshold", to, threshold, address(0));
        bytes memory quorum = abi.encodeCall(GovernorVotesQuorumFraction.updateQuorumNumerator, (7));
        _add("GovernorVotesQuorumFraction.updateQuorumNumerator", to, quorum, address(0));
        bytes memory lock = abi.encodeCall(GovernorTimelockControl.updateTimelock, (TimelockController(payable(bob))));
        _add("GovernorTimelockControl.updateTimelock", to, lock, address(0));
    }

    function _add(string memory name, address target, bytes memory call, address holder) private {
        powers.push(Power(name, target, call, holder));
    }

    function _give(uint64 role, address target, bytes4 selector, address who) private {
        bytes4[] memory one = new bytes4[](1);
        one[0] = selector;
        access.setTargetFunctionRole(target, one, role);
        access.grantRole(role, who, 0);
    }

    function _terms() internal view returns (ISubnetRegistry.Terms memory made) {
        (made.founder, made.operators, made.anchor) = (ann, address(enrolled), address(anchor));
        (made.params, made.windows) = ("params", ISubnetRegistry.Windows(1 hours, 1 hours, 1 hours));
        made.economics = ISubnetRegistry.Economics(1000, 500, 7, 3, 5000, 1000, bob);
        made.parents = new ISubnetRegistry.Parent[](0);
    }

    /// @dev All that a power could change.
    function _everything() internal view returns (bytes32) {
        bytes memory subnets =
            abi.encode(registry.subnetCount(), registry.economicsOf(1), registry.disputes(), source.vaults());
        bytes memory money = abi.encode(
            dmp.burned(), dmp.spent(), royalties.reservedOf(1), royalties.reservedOf(2), royalties.granted(1),
            royalties.rootCount(1), rewards.rootCount(1), rewards.rootOf(1, 0), royalties.rootOf(1, 0)
        );
        bytes memory justice = abi.encode(
            manager.offenceOf("offence"), manager.offenceOf("other"), disputes.gameOf(over), disputes.verifierOf(SUBNET),
            anchor.recordOf(SUBNET, disputed), anchor.recordOf(SUBNET, held), source.slashedFor("offence"),
            restaked.slashedFor("offence"), eigen.sets(address(restaked))
        );
        return keccak256(abi.encode(subnets, money, justice, _rules(), _ways()));
    }

    function _rules() private view returns (bytes memory) {
        return abi.encode(
            governor.backingNeeded(), governor.backingPeriod(), governor.votingDelay(), governor.votingPeriod(),
            governor.proposalThreshold(), governor.quorumNumerator(), governor.timelock(), timelock.getMinDelay()
        );
    }

    /// @dev Who holds which role, and where each contract asks.
    function _ways() private view returns (bytes memory ways) {
        for (uint64 role = 0; role <= 9; role += role == MANAGER ? 4 : 1) {
            ways = abi.encode(ways, access.getRoleAdmin(role), access.getRoleGuardian(role), access.getRoleGrantDelay(role));
            for (uint256 i = 0; i < parties.length; ++i) {
                (bool member,) = access.hasRole(role, parties[i]);
                ways = abi.encode(keccak256(ways), member, timelock.hasRole(timelock.PROPOSER_ROLE(), parties[i]));
            }
        }
        for (uint256 i = 0; i < powers.length; ++i) {
            if (powers[i].target == address(access) || powers[i].target == address(timelock)) continue;
            bytes4 selector = bytes4(powers[i].call);
            ways = abi.encode(
                keccak256(ways), access.isTargetClosed(powers[i].target), access.getTargetAdminDelay(powers[i].target),
                access.getTargetFunctionRole(powers[i].target, selector)
            );
        }
        return abi.encode(ways, dmp.authority(), registry.authority(), timelock.getOperationState(pending));
    }
}

/// @notice Everybody tries everything, with time passing; now and then a holder does what it may.
contract IntruderHandler is Handler, Handed {
    uint256 public intrusions;
    uint256 public used;

    constructor() {
        _found();
    }

    function intrude(uint256 which, uint256 who) external {
        Power storage power = powers[which % powers.length];
        address intruder = parties[who / 16 % parties.length];
        vm.assume(intruder != power.holder);
        // Looking at everything takes its time: now and then.
        bool looks = who % 16 == 0;
        bytes32 before = looks ? _everything() : bytes32(0);
        vm.prank(intruder);
        (bool done,) = power.target.call(power.call);
        if (done || (looks && _everything() != before)) ++intrusions;
    }

    function use(uint256 which) external {
        Power storage power = powers[which % powers.length];
        // Whoever is given another's role is no intruder; who has its own taken away shows nothing any more.
        bool keeps = power.target != address(access) && power.target != address(timelock) && power.holder != address(access);
        vm.assume(keeps && power.holder != address(0));
        vm.prank(power.holder);
        (bool done,) = power.target.call(power.call);
        if (done) ++used;
        _told(done);
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + time % 3 days);
        _told(true);
    }
}

contract PowersTest is Handed {
    IntruderHandler private _handler;

    function setUp() public {
        _found();
        _handler = new IntruderHandler();
        _target(address(_handler));
    }

    function test_eachPowerIsItsHoldersAlone() public {
        bytes32 before = _everything();
        for (uint256 i = 0; i < powers.length; ++i) {
            uint256 state = vm.snapshotState();
            if (powers[i].holder != address(0)) {
                vm.prank(powers[i].holder);
                (bool done,) = powers[i].target.call(powers[i].call);
                vm.assertTrue(done, powers[i].name);
                vm.assertTrue(vm.revertToState(state), "back");
            }
            for (uint256 j = 0; j < parties.length; ++j) {
                if (parties[j] == powers[i].holder) continue;
                vm.prank(parties[j]);
                (bool done,) = powers[i].target.call(powers[i].call);
                vm.assertTrue(!done, powers[i].name);
            }
        }
        vm.assertTrue(_everything() == before, "something changed");
    }

    function test_aVoteDoesWhatOnlyAVoteMay() public {
        uint256 count;
        for (uint256 i = 0; i < powers.length; ++i) {
            if (powers[i].holder == address(0) && !_founds(powers[i])) ++count;
        }
        (address[] memory t, uint256[] memory v, bytes[] memory c) =
            (new address[](count), new uint256[](count), new bytes[](count));
        for (uint256 i = powers.length; i > 0; --i) {
            Power storage power = powers[i - 1];
            if (power.holder == address(0) && !_founds(power)) (t[--count], c[count]) = (power.target, power.call);
        }
        vm.prank(ann);
        uint256 vote = governor.propose(t, v, c, "all of it");
        vm.warp(vm.getBlockTimestamp() + 1 hours + 1);
        vm.prank(ann);
        governor.castVote(vote, 1);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        governor.queue(t, v, c, keccak256("all of it"));
        vm.warp(vm.getBlockTimestamp() + LOCK_SECONDS);
        governor.execute(t, v, c, keccak256("all of it"));
        vm.assertEq(governor.backingNeeded(), 7);
        vm.assertEq(governor.votingDelay() + governor.votingPeriod() + governor.proposalThreshold(), 21);
        vm.assertEq(governor.quorumNumerator(), 7);
        vm.assertEq(governor.timelock(), bob);
        vm.assertEq(dmp.burned(), 101);
    }

    function invariant_onlyTheirHoldersUsePowers() public view {
        vm.assertEq(_handler.intrusions(), 0);
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    /// @dev For that a draft must have been backed; SubnetGovernor.t.sol founds subnets.
    function _founds(Power storage power) private view returns (bool) {
        return bytes4(power.call) == ISubnetGovernor.foundSubnet.selector;
    }
}
