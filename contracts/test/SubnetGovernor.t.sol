// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {DMPToken} from "../src/DMPToken.sol";
import {RewardDistributor} from "../src/RewardDistributor.sol";
import {RoyaltyVault} from "../src/RoyaltyVault.sol";
import {SubnetGovernor} from "../src/SubnetGovernor.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {Timelock} from "../src/Timelock.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {IDMPToken} from "../src/interfaces/IDMPToken.sol";
import {IRoyaltyVault} from "../src/interfaces/IRoyaltyVault.sol";
import {ISubnetGovernor} from "../src/interfaces/ISubnetGovernor.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground, Powers} from "./Economy.sol";
import {Kit, vm} from "./Kit.sol";

/// @notice As OpenZeppelin leaves it: whoever has votes enough proposes what it likes.
contract CarelessGovernor is SubnetGovernor {
    constructor(DMPToken dmp, Timelock timelock, SubnetRegistry subnets, RoyaltyVault royalties, Rules memory rules)
        SubnetGovernor(dmp, timelock, subnets, royalties, rules)
    {}

    function _isValidDescriptionForProposer(address, string memory) internal pure override returns (bool) {
        return true;
    }
}

contract SubnetGovernorTest is Kit {
    uint64 private constant GOVERNOR_ROLE = 3;
    uint48 private constant VOTE_DELAY = 1 hours;
    uint32 private constant VOTE_SECONDS = 1 days;
    uint256 private constant LOCK_SECONDS = 2 days;
    bytes32 private constant SALT = "salt";

    TwoPMToken private _token;
    DMPToken private _dmp;
    Timelock private _timelock;
    SubnetRegistry private _subnets;
    RoyaltyVault private _royalties;
    SubnetGovernor private _governor;
    Powers private _powers;
    Ground private _ground;
    ISubnetRegistry.Terms private _terms;
    address private _ann;
    address private _bob;

    function setUp() public {
        (_ann, _bob) = (_name("anna"), _name("bert"));
        _ground = new Ground(address(this));
        (_powers, _subnets) = (_ground.POWERS(), _ground.SUBNETS());
        _token = new TwoPMToken(address(this), 1e27);
        _timelock = new Timelock(LOCK_SECONDS, address(this));
        _dmp = new DMPToken(_token, 7 days, address(_powers));
        RewardDistributor rewards =
            new RewardDistributor(_token, _subnets, 0, address(_timelock), address(_powers));
        _royalties = new RoyaltyVault(_token, rewards, _subnets, 0, address(_powers));
        SubnetGovernor.Rules memory rules =
            SubnetGovernor.Rules(VOTE_DELAY, VOTE_SECONDS, 100e18, 4, 50e18, 7 days);
        _governor = new SubnetGovernor(_dmp, _timelock, _subnets, _royalties, rules);
        _handOver();
        _member(_ann, 1000e18);
        _member(_bob, 500e18);
        ISubnetRegistry.Terms memory terms = _ground.terms(_ann, _bob);
        (_terms.founder, _terms.operators, _terms.anchor) = (terms.founder, terms.operators, terms.anchor);
        (_terms.params, _terms.windows, _terms.economics) = (terms.params, terms.windows, terms.economics);
        vm.warp(vm.getBlockTimestamp() + 1);
    }

    function test_anyoneDraftsOnce() public {
        bytes32 id = _governor.proposeSubnet(SALT, _terms);
        vm.assertEq(_governor.draft(id).proposer, address(this));
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(ISubnetGovernor.AlreadyDrafted.selector, id));
        _governor.proposeSubnet(SALT, _terms);
    }

    function test_aSaltMakesAnotherDraft() public {
        vm.assertTrue(
            _governor.proposeSubnet(SALT, _terms) != _governor.proposeSubnet("other", _terms), "one draft only"
        );
    }

    function test_backingBurns() public {
        bytes32 id = _drafted(20e18);
        vm.assertEq(_dmp.balanceOf(_ann), 980e18);
        vm.assertEq(_dmp.burned(), 20e18);
        vm.assertEq(_governor.draft(id).backed, 20e18);
        vm.assertEq(_governor.backingOf(id, _ann), 20e18);
        vm.prank(_ann);
        vm.expectRevert(IDMPToken.ZeroAmount.selector);
        _governor.back(id, 0);
    }

    function test_onlyOpenDraftsAreBacked() public {
        vm.expectRevert(abi.encodeWithSelector(ISubnetGovernor.UnknownDraft.selector, bytes32("x")));
        _governor.back("x", 1);
        bytes32 id = _drafted(60e18);
        uint48 deadline = _governor.draft(id).deadline;
        vm.warp(deadline + 1);
        vm.prank(_bob);
        vm.expectRevert(abi.encodeWithSelector(ISubnetGovernor.DraftClosed.selector, id, deadline, 0));
        _governor.back(id, 1);
        vm.warp(deadline);
        uint256 vote = _governor.submit(SALT, _terms);
        vm.prank(_bob);
        vm.expectRevert(abi.encodeWithSelector(ISubnetGovernor.DraftClosed.selector, id, deadline, vote));
        _governor.back(id, 1);
    }

    function test_aVoteNeedsBacking() public {
        bytes32 id = _drafted(50e18 - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ISubnetGovernor.NotBackedEnough.selector, id, 50e18 - 1, 50e18)
        );
        _governor.submit(SALT, _terms);
    }

    function test_aBackedDraftIsVotedOn() public {
        _drafted(50e18);
        uint256 vote = _governor.submit(SALT, _terms);
        vm.assertEq(uint256(_governor.state(vote)), uint256(IGovernor.ProposalState.Pending));
        vm.assertEq(_governor.proposalProposer(vote), address(_governor));
    }

    function test_theTimelockFoundsTheSubnet() public {
        _found(50e18);
        vm.assertEq(_subnets.subnetCount(), 1);
        vm.assertEq(_subnets.subnet(1).founder, _ann);
        vm.assertEq(_royalties.reservedOf(1), 1e23);
        vm.prank(_ann);
        _subnets.open(1);
    }

    function test_backersGetTheFirstShares() public {
        bytes32 id = _drafted(30e18);
        vm.prank(_bob);
        _governor.back(id, 60e18);
        vm.expectRevert(abi.encodeWithSelector(ISubnetGovernor.NotFounded.selector, id));
        _governor.claimBackerShares(id, _ann);
        _voteAndExecute(_governor.submit(SALT, _terms));
        vm.assertEq(_governor.claimBackerShares(id, _ann), uint256(1e23) / 3);
        vm.assertEq(_governor.claimBackerShares(id, _bob), uint256(2e23) / 3);
        vm.assertEq(_royalties.balanceOf(_bob, 1), uint256(2e23) / 3);
        vm.expectRevert(abi.encodeWithSelector(ISubnetGovernor.NothingBacked.selector, id, _bob));
        _governor.claimBackerShares(id, _bob);
    }

    function test_aLostVoteFoundsNothing() public {
        _drafted(50e18);
        uint256 vote = _governor.submit(SALT, _terms);
        vm.warp(vm.getBlockTimestamp() + VOTE_DELAY + 1);
        vm.prank(_bob);
        _governor.castVote(vote, 1);
        vm.prank(_ann);
        _governor.castVote(vote, 0);
        vm.warp(vm.getBlockTimestamp() + VOTE_SECONDS);
        vm.assertEq(uint256(_governor.state(vote)), uint256(IGovernor.ProposalState.Defeated));
        (address[] memory t, uint256[] memory v, bytes[] memory c, string memory d) =
            _governor.actionOf(SALT, _terms);
        vm.expectRevert();
        _governor.queue(t, v, c, keccak256(bytes(d)));
    }

    function test_onlyTheTimelockFounds() public {
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, address(this)));
        _governor.foundSubnet(SALT, _terms);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, address(this)));
        _governor.setBacking(0, 1);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        _subnets.found(_terms);
    }

    function test_aVoteCannotSkipTheBacking() public {
        (address[] memory t, uint256[] memory v, bytes[] memory c,) = _governor.actionOf(SALT, _terms);
        vm.prank(_ann);
        uint256 vote = _governor.propose(t, v, c, "sly");
        _pass(vote);
        _governor.queue(t, v, c, keccak256("sly"));
        vm.warp(vm.getBlockTimestamp() + LOCK_SECONDS);
        vm.expectRevert(
            abi.encodeWithSelector(ISubnetGovernor.NotSubmitted.selector, _governor.draftIdOf(SALT, _terms))
        );
        _governor.execute(t, v, c, keccak256("sly"));
    }

    /// @dev A member proposes a draft's very vote before it is backed: later it cannot be submitted any more, and all that
    ///      was burned for it is gone.
    function test_nobodyProposesADraftsVoteFirst() public {
        SubnetGovernor ours = _governor;
        SubnetGovernor.Rules memory rules = SubnetGovernor.Rules(VOTE_DELAY, VOTE_SECONDS, 100e18, 4, 0, 7 days);
        _governor = new CarelessGovernor(_dmp, _timelock, _subnets, _royalties, rules);
        _governor.proposeSubnet(SALT, _terms);
        (address[] memory t, uint256[] memory v, bytes[] memory c, string memory d) =
            _governor.actionOf(SALT, _terms);
        vm.prank(_bob);
        _governor.propose(t, v, c, d);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        _governor.submit(SALT, _terms);
        _governor = ours;
        _drafted(50e18);
        (t, v, c, d) = _governor.actionOf(SALT, _terms);
        vm.prank(_bob);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorRestrictedProposer.selector, _bob));
        _governor.propose(t, v, c, d);
        _voteAndExecute(_governor.submit(SALT, _terms));
        vm.assertEq(_subnets.subnetCount(), 1);
    }

    function test_aDrafterCannotCancelWhatOthersBacked() public {
        _drafted(50e18);
        uint256 vote = _governor.submit(SALT, _terms);
        (address[] memory t, uint256[] memory v, bytes[] memory c, string memory d) =
            _governor.actionOf(SALT, _terms);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, vote, address(this)));
        _governor.cancel(t, v, c, keccak256(bytes(d)));
    }

    function test_aShortTextIsAnybodys() public {
        (address[] memory t, uint256[] memory v, bytes[] memory c) =
            (new address[](1), new uint256[](1), new bytes[](1));
        vm.prank(_ann);
        vm.assertTrue(_governor.propose(t, v, c, "Found") != 0, "proposed");
    }

    function test_theTimelockCannotBeBypassed() public {
        _drafted(50e18);
        uint256 vote = _governor.submit(SALT, _terms);
        (address[] memory t, uint256[] memory v, bytes[] memory c, string memory d) =
            _governor.actionOf(SALT, _terms);
        bytes32 words = keccak256(bytes(d));
        _pass(vote);
        vm.expectRevert();
        _governor.execute(t, v, c, words);
        _governor.queue(t, v, c, words);
        vm.warp(vm.getBlockTimestamp() + LOCK_SECONDS - 1);
        vm.expectRevert();
        _governor.execute(t, v, c, words);
        vm.warp(vm.getBlockTimestamp() + 1);
        bytes32 salt = bytes20(address(_governor)) ^ words;
        vm.expectRevert();
        _timelock.executeBatch(t, v, c, 0, salt);
        vm.expectRevert();
        _timelock.schedule(address(_subnets), 0, "", 0, 0, LOCK_SECONDS);
        vm.assertEq(_subnets.subnetCount(), 0);
        _governor.execute(t, v, c, words);
        vm.assertEq(_subnets.subnetCount(), 1);
    }

    function test_votesBoughtLaterDoNotCount() public {
        _drafted(50e18);
        uint256 vote = _governor.submit(SALT, _terms);
        vm.warp(vm.getBlockTimestamp() + VOTE_DELAY + 1);
        address late = _name("late");
        _member(late, 5000e18);
        vm.prank(late);
        vm.assertEq(_governor.castVote(vote, 0), 0);
        vm.prank(_ann);
        vm.assertEq(_governor.castVote(vote, 1), 950e18);
    }

    function test_parametersChangeByVoteOnly() public {
        test_theTimelockFoundsTheSubnet();
        ISubnetRegistry.Economics memory changed = ISubnetRegistry.Economics(0, 0, 1, 1, 0, 0, _bob);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _ann));
        _subnets.setEconomics(1, changed);
        (address[] memory t, uint256[] memory v, bytes[] memory c) =
            (new address[](2), new uint256[](2), new bytes[](2));
        (t[0], c[0]) = (address(_subnets), abi.encodeCall(ISubnetRegistry.setEconomics, (1, changed)));
        (t[1], c[1]) = (address(_governor), abi.encodeCall(ISubnetGovernor.setBacking, (7, 7 days)));
        vm.prank(_ann);
        _pass(_governor.propose(t, v, c, "fair"));
        _governor.queue(t, v, c, keccak256("fair"));
        vm.warp(vm.getBlockTimestamp() + LOCK_SECONDS);
        _governor.execute(t, v, c, keccak256("fair"));
        vm.assertEq(_subnets.economicsOf(1).computeParts, 1);
        vm.assertEq(_governor.backingNeeded(), 7);
    }

    function test_theDeployerHasNoPowerLeft() public {
        (bool member,) = _powers.hasRole(0, address(this));
        vm.assertTrue(!member, "admin");
        vm.assertTrue(!_timelock.hasRole(0, address(this)), "timelock");
        vm.expectRevert();
        _powers.grantRole(0, address(this), 0);
        vm.expectRevert();
        _timelock.updateDelay(0);
    }

    /// @dev As contracts/deploy_dao.py does it.
    function _handOver() private {
        _role(address(_subnets), ISubnetRegistry.found.selector);
        _role(address(_dmp), IDMPToken.burn.selector);
        _role(address(_royalties), IRoyaltyVault.open.selector);
        _role(address(_royalties), IRoyaltyVault.giveReserved.selector);
        _powers.grantRole(GOVERNOR_ROLE, address(_governor), 0);
        _powers.grantRole(0, address(_timelock), 0);
        _powers.renounceRole(0, address(this));
        _timelock.grantRole(_timelock.PROPOSER_ROLE(), address(_governor));
        _timelock.grantRole(_timelock.CANCELLER_ROLE(), address(_governor));
        _timelock.grantRole(_timelock.EXECUTOR_ROLE(), address(0));
        _timelock.renounceRole(0x00, address(this));
    }

    function _role(address target, bytes4 selector) private {
        bytes4[] memory one = new bytes4[](1);
        one[0] = selector;
        _powers.setTargetFunctionRole(target, one, GOVERNOR_ROLE);
    }

    function _member(address who, uint256 amount) private {
        _token.transfer(who, amount);
        vm.startPrank(who);
        _token.approve(address(_dmp), amount);
        _dmp.stake(amount);
        vm.stopPrank();
    }

    function _drafted(uint256 backing) private returns (bytes32 id) {
        id = _governor.proposeSubnet(SALT, _terms);
        vm.prank(_ann);
        _governor.back(id, backing);
    }

    function _found(uint256 backing) private {
        _drafted(backing);
        _voteAndExecute(_governor.submit(SALT, _terms));
    }

    function _pass(uint256 vote) private {
        vm.warp(vm.getBlockTimestamp() + VOTE_DELAY + 1);
        vm.prank(_ann);
        _governor.castVote(vote, 1);
        vm.warp(vm.getBlockTimestamp() + VOTE_SECONDS);
    }

    function _voteAndExecute(uint256 vote) private {
        (address[] memory t, uint256[] memory v, bytes[] memory c, string memory d) =
            _governor.actionOf(SALT, _terms);
        _pass(vote);
        _governor.queue(t, v, c, keccak256(bytes(d)));
        vm.warp(vm.getBlockTimestamp() + LOCK_SECONDS);
        _governor.execute(t, v, c, keccak256(bytes(d)));
    }
}
