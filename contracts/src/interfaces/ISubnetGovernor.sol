// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ISubnetRegistry} from "./ISubnetRegistry.sol";

/// @title How the DAO founds subnets: somebody drafts one, members back it by burning $DMP, all vote, the timelock founds it
/// @notice OpenZeppelin's Governor besides: every parameter of 2PM changes by a vote and through the timelock only. What is
///         burned for a draft is gone whether or not the draft is voted in: that is the price of a vote.
interface ISubnetGovernor {
    /// @param proposer who drafted it
    /// @param deadline until it must be backed enough and submitted, seconds
    /// @param backed $DMP burned for it
    /// @param proposalId of the vote, 0 before
    /// @param subnetId once it is founded, 0 before
    struct Draft {
        address proposer;
        uint48 deadline;
        uint256 backed;
        uint256 proposalId;
        uint256 subnetId;
    }

    event SubnetDrafted(
        bytes32 indexed draftId, address indexed proposer, bytes32 salt, ISubnetRegistry.Terms terms, uint48 deadline
    );
    event SubnetBacked(bytes32 indexed draftId, address indexed backer, uint256 amount, uint256 backed);
    event SubnetSubmitted(bytes32 indexed draftId, uint256 indexed proposalId);
    event DraftFounded(bytes32 indexed draftId, uint256 indexed subnetId);
    event BackerSharesGiven(bytes32 indexed draftId, address indexed backer, uint256 shares);
    event BackingSet(uint256 backingNeeded, uint48 backingPeriod);

    error AlreadyDrafted(bytes32 draftId);
    error UnknownDraft(bytes32 draftId);
    error DraftClosed(bytes32 draftId, uint48 deadline, uint256 proposalId);
    error NotBackedEnough(bytes32 draftId, uint256 backed, uint256 needed);
    error NotSubmitted(bytes32 draftId);
    error NotFounded(bytes32 draftId);
    error OtherSubnetFounded(uint256 expected, uint256 actual);
    error NothingBacked(bytes32 draftId, address backer);

    /// @notice Drafts a subnet; anyone may.
    /// @param salt makes the same terms another draft
    function proposeSubnet(bytes32 salt, ISubnetRegistry.Terms calldata terms) external returns (bytes32 draftId);

    /// @notice Burns the caller's $DMP for a draft.
    function back(bytes32 draftId, uint256 amount) external;

    /// @notice Puts a draft that is backed enough to the vote; anyone may.
    function submit(bytes32 salt, ISubnetRegistry.Terms calldata terms) external returns (uint256 proposalId);

    /// @notice Founds a subnet that was voted in; the timelock only.
    function foundSubnet(bytes32 salt, ISubnetRegistry.Terms calldata terms) external returns (uint256 subnetId);

    /// @notice Gives a backer its royalty shares of a founded subnet, in proportion to what it burned; anyone may call.
    function claimBackerShares(bytes32 draftId, address backer) external returns (uint256 shares);

    /// @notice Sets how much backing a draft needs, and for how long it may collect it; the timelock only.
    function setBacking(uint256 backingNeeded, uint48 backingPeriod) external;

    /// @notice A draft.
    function draft(bytes32 draftId) external view returns (Draft memory);

    /// @notice What a backer burned for a draft and has got no shares for.
    function backingOf(bytes32 draftId, address backer) external view returns (uint256);

    /// @notice The id of a draft.
    function draftIdOf(bytes32 salt, ISubnetRegistry.Terms calldata terms) external pure returns (bytes32);

    /// @notice The call that a submitted draft's vote decides on, for `queue` and `execute`.
    function actionOf(bytes32 salt, ISubnetRegistry.Terms calldata terms)
        external
        view
        returns (
            address[] memory targets,
            uint256[] memory values,
            bytes[] memory calldatas,
            string memory description
        );
}
