// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAttestation} from "./IAttestation.sol";

/// @title The checkpoints of every subnet, and which of them are final
/// @notice A proposal costs about 30,000 gas: it only moves its proposer's rolling hash and says in a log what it is of.
///         It becomes a record when somebody opens it from that hash; then validators vote ({IAttestation}), anybody
///         may dispute it while its window is open, and with a quorum and no dispute it becomes final, together with
///         its ancestors. The final ones form one chain, and nothing final is ever undone.
/// @dev A checkpoint's key is the hash of all there is to say of it. Two that differ in anything are two checkpoints, so
///      that nobody can stand in the way of a right one by proposing a wrong one first.
interface ICheckpointAnchor {
    enum Status {
        None,
        Open,
        Final,
        Rejected
    }

    /// @param height the round it closes; above its parent's
    /// @param header digest of the checkpoint's header
    /// @param parent key of the checkpoint that it builds on; zero for a first one
    /// @param paramsDigest digest of the model's parameters
    struct Checkpoint {
        uint64 height;
        bytes32 header;
        bytes32 parent;
        bytes32 paramsDigest;
    }

    /// @notice Where in a proposer's rolling hash a proposal stands.
    /// @param proposer who sent it
    /// @param time of its block, seconds
    /// @param blockNumber its block
    /// @param before the rolling hash before it
    /// @param later two words for each of the proposer's later proposals: key, `time << 48 | blockNumber`
    struct Place {
        address proposer;
        uint48 time;
        uint48 blockNumber;
        bytes32 before;
        bytes32[] later;
    }

    /// @param parent key of the one below
    /// @param proposer whose bond stands behind it
    /// @param proposedAt seconds; no sooner than what stands below it: from here its window counts
    /// @param proposedBlock block
    /// @param height of the round
    /// @param depth how many checkpoints stand below it
    /// @param disputes that are open against it
    /// @param status what became of it
    struct Record {
        bytes32 parent;
        address proposer;
        uint48 proposedAt;
        uint48 proposedBlock;
        uint64 height;
        uint32 depth;
        uint32 disputes;
        Status status;
    }

    /// @param amount in wei; 0: none
    /// @param leftAt when its owner asked for it back, seconds; 0: it did not
    /// @param disputes that are open against checkpoints which it stands behind
    struct Bond {
        uint128 amount;
        uint48 leftAt;
        uint32 disputes;
    }

    event Bonded(uint256 indexed subnetId, address indexed proposer, bytes32 rolling);
    event Unbonded(uint256 indexed subnetId, address indexed proposer);
    event BondReturned(uint256 indexed subnetId, address indexed proposer, uint256 amount);
    event BondForfeited(uint256 indexed subnetId, address indexed proposer, uint256 amount);
    event Proposed(
        uint256 indexed subnetId, uint64 indexed height, bytes32 indexed header, bytes32 parent, bytes32 paramsDigest,
        address proposer
    );
    event Opened(uint256 indexed subnetId, uint64 indexed height, bytes32 indexed key, address proposer);
    event Held(uint256 indexed subnetId, bytes32 indexed key, uint32 disputes);
    event Settled(uint256 indexed subnetId, bytes32 indexed key, bool upheld);
    event Finalised(uint256 indexed subnetId, uint64 indexed height, bytes32 indexed key);

    error AlreadyBonded(uint256 subnetId, address proposer);
    error AlreadyOpened(uint256 subnetId, bytes32 key);
    error BelowFinal(uint256 subnetId, uint64 height, uint64 finalHeight);
    error BondLocked(uint256 subnetId, address proposer, uint256 untilTime, uint256 disputes);
    error ConflictsWithFinal(uint256 subnetId, bytes32 key, bytes32 finalKey);
    error Disputed(uint256 subnetId, bytes32 key);
    error FinalityLags(uint256 subnetId, uint64 finalHeight, uint256 limit);
    error NoQuorum(uint256 subnetId, bytes32 key);
    error NotAboveParent(uint64 height, uint64 parentHeight);
    error NotBonded(uint256 subnetId, address proposer);
    error NotComputing(uint256 subnetId, address account);
    error NotHeld(uint256 subnetId, bytes32 key);
    error NotProposed(uint256 subnetId, bytes32 key, address proposer);
    error SubnetClosed(uint256 subnetId);
    error UnknownCheckpoint(uint256 subnetId, bytes32 key);
    error UnknownParent(uint256 subnetId, bytes32 parent);
    error WindowClosed(uint256 subnetId, bytes32 key, uint256 closedAt);
    error WindowOpen(uint256 subnetId, bytes32 key, uint256 closesAt);
    error WrongBond(uint256 sent, uint256 wanted);
    error ZeroHeader();

    /// @notice Puts down the bond with which a computing operator may propose in a subnet.
    function bond(uint256 subnetId) external payable;

    /// @notice Stops proposing; what was proposed and not opened is void.
    function unbond(uint256 subnetId) external;

    /// @notice Pays the bond back once no window is open any more, and no dispute.
    function withdrawBond(uint256 subnetId) external;

    /// @notice Proposes a checkpoint; heights of abandoned rounds, and those between anchors, are skipped.
    function propose(uint256 subnetId, uint64 height, bytes32 header, bytes32 parent, bytes32 paramsDigest) external;

    /// @notice Makes a record of a proposal, and has the vote begin; anybody may, its parent's record must stand.
    function open(uint256 subnetId, Checkpoint calldata checkpoint, Place calldata place) external;

    /// @notice Makes a checkpoint and its ancestors final; anybody may once it has its quorum and all windows are over.
    function finalise(uint256 subnetId, bytes32 key) external;

    /// @notice A dispute begins: nothing above and including the checkpoint becomes final. The dispute game only.
    function hold(uint256 subnetId, bytes32 key) external;

    /// @notice A dispute ends. If it was upheld the checkpoint is rejected for good, and its proposer's bond, if it is
    ///         still there, is sent to the caller, who knows the winner. The dispute game only.
    /// @return amount of the bond in wei
    function settle(uint256 subnetId, bytes32 key, bool upheld) external returns (uint256 amount);

    /// @notice The hash of all there is to say of a checkpoint.
    function keyOf(uint256 subnetId, Checkpoint calldata checkpoint) external pure returns (bytes32);

    /// @notice The record of a checkpoint; all zero before it is opened.
    function recordOf(uint256 subnetId, bytes32 key) external view returns (Record memory);

    /// @notice A proposer's rolling hash; zero if it has no bond.
    function rollingOf(uint256 subnetId, address proposer) external view returns (bytes32);

    /// @notice A proposer's bond.
    function bondOf(uint256 subnetId, address proposer) external view returns (Bond memory);

    /// @notice The newest final checkpoint's key, zero if there is none.
    function finalKey(uint256 subnetId) external view returns (bytes32);

    /// @notice Where its checkpoints are voted on.
    function ATTESTATION() external view returns (IAttestation);

    /// @notice For how long after its proposal a checkpoint may be disputed, and is not final, seconds.
    function CHALLENGE_SECONDS() external view returns (uint256);
}
