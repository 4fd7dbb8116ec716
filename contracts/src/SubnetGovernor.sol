// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {
    GovernorVotesQuorumFraction
} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IDMPToken} from "./interfaces/IDMPToken.sol";
import {IRoyaltyVault} from "./interfaces/IRoyaltyVault.sol";
import {ISubnetGovernor} from "./interfaces/ISubnetGovernor.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {ISubnetGovernor}.
contract SubnetGovernor is
    ISubnetGovernor,
    Governor,
    GovernorSettings,
    GovernorCountingSimple,
    GovernorVotes,
    GovernorVotesQuorumFraction,
    GovernorTimelockControl
{
    /// @notice Times in seconds, since votes are counted at times; `quorumPercent` of all votes.
    struct Rules {
        uint48 votingDelay;
        uint32 votingPeriod;
        uint256 proposalThreshold;
        uint256 quorumPercent;
        uint256 backingNeeded;
        uint48 backingPeriod;
    }

    uint256 private constant ALL_BPS = 10_000;
    uint256 private constant ALL_SHARES = 1e24;
    /// @dev How the description of every draft's vote begins.
    bytes private constant RESERVED = "Found subnet ";

    ISubnetRegistry public immutable SUBNETS;
    IRoyaltyVault public immutable ROYALTIES;

    uint256 public backingNeeded;
    uint48 public backingPeriod;
    mapping(bytes32 draftId => Draft) private _drafts;
    mapping(bytes32 draftId => uint256) private _reserved;
    /// @inheritdoc ISubnetGovernor
    mapping(bytes32 draftId => mapping(address backer => uint256)) public backingOf;

    constructor(
        IVotes votes,
        TimelockController timelock,
        ISubnetRegistry subnets,
        IRoyaltyVault royalties,
        Rules memory rules
    )
        Governor("2PM")
        GovernorSettings(rules.votingDelay, rules.votingPeriod, rules.proposalThreshold)
        GovernorVotes(votes)
        GovernorVotesQuorumFraction(rules.quorumPercent)
        GovernorTimelockControl(timelock)
    {
        SUBNETS = subnets;
        ROYALTIES = royalties;
        _setBacking(rules.backingNeeded, rules.backingPeriod);
    }

    /// @inheritdoc ISubnetGovernor
    function proposeSubnet(bytes32 salt, ISubnetRegistry.Terms calldata terms) external returns (bytes32 draftId) {
        draftId = draftIdOf(salt, terms);
        Draft storage made = _drafts[draftId];
        if (made.proposer != address(0)) revert AlreadyDrafted(draftId);
        made.proposer = msg.sender;
        made.deadline = clock() + backingPeriod;
        emit SubnetDrafted(draftId, msg.sender, salt, terms, made.deadline);
    }

    /// @inheritdoc ISubnetGovernor
    function back(bytes32 draftId, uint256 amount) external {
        Draft storage backed = _open(draftId);
        backed.backed += amount;
        backingOf[draftId][msg.sender] += amount;
        emit SubnetBacked(draftId, msg.sender, amount, backed.backed);
        IDMPToken(address(token())).burn(msg.sender, amount);
    }

    /// @inheritdoc ISubnetGovernor
    function submit(bytes32 salt, ISubnetRegistry.Terms calldata terms) external returns (uint256 proposalId) {
        bytes32 draftId = draftIdOf(salt, terms);
        Draft storage ready = _open(draftId);
        if (ready.backed < backingNeeded) revert NotBackedEnough(draftId, ready.backed, backingNeeded);
        (address[] memory targets, uint256[] memory values, bytes[] memory calldatas, string memory description) =
            actionOf(salt, terms);
        // Whoever drafted it cannot cancel the vote either: others have burned for it.
        proposalId = _propose(targets, values, calldatas, description, address(this));
        ready.proposalId = proposalId;
        emit SubnetSubmitted(draftId, proposalId);
    }

    /// @inheritdoc ISubnetGovernor
    function foundSubnet(bytes32 salt, ISubnetRegistry.Terms calldata terms)
        external
        onlyGovernance
        returns (uint256 subnetId)
    {
        bytes32 draftId = draftIdOf(salt, terms);
        Draft storage voted = _drafts[draftId];
        if (voted.proposalId == 0 || voted.subnetId != 0) revert NotSubmitted(draftId);
        subnetId = SUBNETS.subnetCount() + 1;
        voted.subnetId = subnetId;
        // What nobody backed nobody could claim, and what it earns would be lost.
        uint256 reserved = voted.backed == 0 ? 0 : ALL_SHARES * terms.economics.backerBps / ALL_BPS;
        _reserved[draftId] = reserved;
        emit DraftFounded(draftId, subnetId);
        uint256 made = SUBNETS.found(terms);
        if (made != subnetId) revert OtherSubnetFounded(subnetId, made);
        ROYALTIES.open(subnetId, reserved);
    }

    /// @inheritdoc ISubnetGovernor
    function claimBackerShares(bytes32 draftId, address backer) external returns (uint256 shares) {
        Draft storage founded = _drafts[draftId];
        if (founded.subnetId == 0) revert NotFounded(draftId);
        uint256 burned = backingOf[draftId][backer];
        if (burned == 0) revert NothingBacked(draftId, backer);
        backingOf[draftId][backer] = 0;
        shares = Math.mulDiv(_reserved[draftId], burned, founded.backed);
        emit BackerSharesGiven(draftId, backer, shares);
        ROYALTIES.giveReserved(founded.subnetId, backer, shares);
    }

    /// @inheritdoc ISubnetGovernor
    function setBacking(uint256 needed, uint48 period) external onlyGovernance {
        _setBacking(needed, period);
    }

    /// @inheritdoc ISubnetGovernor
    function draft(bytes32 draftId) external view returns (Draft memory) {
        return _drafts[draftId];
    }

    /// @inheritdoc ISubnetGovernor
    function draftIdOf(bytes32 salt, ISubnetRegistry.Terms calldata terms) public pure returns (bytes32) {
        return keccak256(abi.encode(salt, terms));
    }

    /// @inheritdoc ISubnetGovernor
    function actionOf(bytes32 salt, ISubnetRegistry.Terms calldata terms)
        public
        view
        returns (
            address[] memory targets,
            uint256[] memory values,
            bytes[] memory calldatas,
            string memory description
        )
    {
        targets = new address[](1);
        values = new uint256[](1);
        calldatas = new bytes[](1);
        targets[0] = address(this);
        calldatas[0] = abi.encodeCall(ISubnetGovernor.foundSubnet, (salt, terms));
        description = string.concat(string(RESERVED), Strings.toHexString(uint256(draftIdOf(salt, terms)), 32));
    }

    // -- what OpenZeppelin's parts leave open ---------------------------------------------------------------------------

    /// @notice See {Governor}.
    function state(uint256 proposalId) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(proposalId);
    }

    /// @notice See {Governor}.
    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    /// @notice See {Governor}.
    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }

    /// @dev A vote's id is the hash of what it says. Who could propose a draft's very vote before it is backed, would have
    ///      it lost or void by the time it is submitted, and all that was burned for it.
    function _isValidDescriptionForProposer(address who, string memory description)
        internal
        view
        virtual
        override
        returns (bool)
    {
        bool reserved = bytes13(bytes(description)) == bytes13(RESERVED);
        return !reserved && super._isValidDescriptionForProposer(who, description);
    }

    function _open(bytes32 draftId) private view returns (Draft storage found) {
        found = _drafts[draftId];
        if (found.proposer == address(0)) revert UnknownDraft(draftId);
        if (found.proposalId != 0 || clock() > found.deadline) {
            revert DraftClosed(draftId, found.deadline, found.proposalId);
        }
    }

    function _setBacking(uint256 needed, uint48 period) private {
        backingNeeded = needed;
        backingPeriod = period;
        emit BackingSet(needed, period);
    }
}
