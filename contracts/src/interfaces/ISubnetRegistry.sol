// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDisputeGame} from "./IDisputeGame.sol";

/// @title The subnets of the network: what each one learns, by which rules, and where its contracts stand
/// @notice With the chain's URL, this contract's address and a subnet id a stranger can find everything else. Only the DAO
///         founds subnets; all but the economics is immutable, and those only the DAO changes.
interface ISubnetRegistry {
    /// @notice How long disputes may take, in seconds; together at most the exit delay of the subnet's stake.
    /// @param anchorSeconds from a round to its anchored checkpoint
    /// @param challengeSeconds in which an anchored checkpoint can be challenged
    /// @param resolutionSeconds until a challenge is resolved and its slash executed
    struct Windows {
        uint32 anchorSeconds;
        uint32 challengeSeconds;
        uint32 resolutionSeconds;
    }

    /// @notice Who gets what. Basis points are of 10,000.
    /// @param verifierBps of the rewards, to those who verify
    /// @param daoBps of the rewards, to the DAO
    /// @param computeParts of what remains, to computing power (7 as 2PM specifies)
    /// @param dataParts of what remains, to data (3 as 2PM specifies)
    /// @param rewardBps of an inference fee, to the rewards; the rest to the holders of royalty shares
    /// @param backerBps of the royalty shares, to those who backed the subnet's proposal
    /// @param poster who posts the roots by which rewards and royalty shares are given out
    struct Economics {
        uint16 verifierBps;
        uint16 daoBps;
        uint16 computeParts;
        uint16 dataParts;
        uint16 rewardBps;
        uint16 backerBps;
        address poster;
    }

    /// @param subnetId an earlier subnet, whose model this one builds on
    /// @param bps of what goes to royalties, to the parent's holders
    struct Parent {
        uint256 subnetId;
        uint16 bps;
    }

    /// @notice What a subnet is founded with.
    /// @param founder who alone may open it
    /// @param operators its operator registry
    /// @param anchor its checkpoint anchor
    /// @param model digest of the first model's parameters; zero if the task makes them
    /// @param schema digest of the data schema
    /// @param params canonical encoding of the protocol's parameters
    /// @param task canonical encoding of the task's name, digest and options
    struct Terms {
        address founder;
        address operators;
        address anchor;
        bytes32 model;
        bytes32 schema;
        bytes params;
        bytes task;
        Windows windows;
        Economics economics;
        Parent[] parents;
    }

    /// @param founder who alone may open it
    /// @param operators the subnet's operator registry
    /// @param anchor the subnet's checkpoint anchor
    /// @param openedBlock the block in which it was opened, 0 while it is closed
    /// @param params as in `Terms`
    /// @param task as in `Terms`
    /// @param model as in `Terms`
    /// @param schema as in `Terms`
    struct Subnet {
        address founder;
        address operators;
        address anchor;
        uint64 openedBlock;
        bytes params;
        bytes task;
        bytes32 model;
        bytes32 schema;
    }

    event SubnetFounded(uint256 indexed subnetId, address indexed founder, address operators, address anchor);
    event SubnetOpened(uint256 indexed subnetId, uint64 openedBlock);
    event DisputesSet(address indexed disputes);
    event EconomicsSet(uint256 indexed subnetId, Economics economics);

    error UnknownSubnet(uint256 subnetId);
    error NotFounder(uint256 subnetId, address caller);
    error AlreadyOpen(uint256 subnetId, uint64 openedBlock);
    error BadLength(uint256 paramsBytes, uint256 taskBytes, uint256 limitBytes);
    error NotAContract(address account);
    error NotFor(address account, address subnets);
    error ExitTooShort(uint256 exitSeconds, uint256 windowSeconds);
    error BadEconomics();
    error BadParents(uint256 count, uint256 bps);

    /// @notice Founds a subnet; it is closed until its founder opens it. The DAO only.
    /// @return subnetId the new subnet's id, counted from 1
    function found(Terms calldata terms) external returns (uint256 subnetId);

    /// @notice Opens the subnet, once: its first epoch follows from this block.
    function open(uint256 subnetId) external;

    /// @notice Changes who gets what from now on; the DAO only.
    function setEconomics(uint256 subnetId, Economics calldata economics) external;

    /// @notice Names the games in which checkpoints are disputed: a subnet is founded only if stake outlasts the longest of
    ///         them, and the sentence that follows; zero asks for what the subnet's own terms say alone. The DAO only.
    function setDisputes(IDisputeGame games) external;

    /// @notice The games in which checkpoints are disputed.
    function disputes() external view returns (IDisputeGame);

    /// @notice How many subnets there are; their ids are 1 to this number.
    function subnetCount() external view returns (uint256);

    /// @notice What a node needs to know about one subnet.
    function subnet(uint256 subnetId) external view returns (Subnet memory);

    /// @notice Who gets what.
    function economicsOf(uint256 subnetId) external view returns (Economics memory);

    /// @notice How long disputes may take.
    function windowsOf(uint256 subnetId) external view returns (Windows memory);

    /// @notice The models that this one builds on.
    function parentsOf(uint256 subnetId) external view returns (Parent[] memory);

    /// @notice Digest of the data schema; zero if the subnet takes any.
    function schemaOf(uint256 subnetId) external view returns (bytes32);

    /// @notice The contracts that a subnet named when it was founded.
    function contractsOf(uint256 subnetId) external view returns (address operators, address anchor);

    /// @notice The block in which the subnet was opened, 0 while it is closed.
    function openedBlock(uint256 subnetId) external view returns (uint64);
}
