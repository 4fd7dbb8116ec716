// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ICheckpointAnchor} from "./ICheckpointAnchor.sol";
import {ISlashingManager} from "./ISlashingManager.sol";
import {IStepVerifier} from "./IStepVerifier.sol";
import {ISubnetRegistry} from "./ISubnetRegistry.sol";

/// @title A dispute about a checkpoint: two sides halve its computation until one step is left, and that one is proven
/// @notice A challenger puts down a bond, and the checkpoint is held: it cannot become final. Its proposer commits to the
///         states of the computation; the defender shows the state in the middle, the challenger says whether it agrees
///         up to there, and so on. A challenger that answers truthfully ends between a state that is right and one that
///         is wrong; a defender whose states are right wins whatever the answers.
/// @dev Each side has a clock that runs while it is its turn, and after each of its moves at least `EXTENSION_SECONDS` are
///      on it: who needs no longer for any move never times out. States are committed as a Merkle root, so anybody may
///      show them in the proposer's place, and no game can be shown other ones.
///      Half of a loser's bond is the winner's and half the treasury's: disputing one's own checkpoint, to be the first
///      or to delay it, costs something. So does a game whose last step nobody proves although it is not the defender's to
///      prove: half of the challenger's bond is the treasury's, and nobody else's, who could else be silent for it. Any number of games may be open against one checkpoint, so nobody can shut out
///      an honest challenger by losing on purpose.
interface IDisputeGame {
    /// @notice Whose turn it is, and for what.
    enum Phase {
        None,
        Commit,
        Reveal,
        Answer,
        Prove,
        Resolved
    }

    /// @notice What became of a game. The challenge was upheld or refuted; void: everybody gets its own back, since another
    ///         game rejected the checkpoint, or the DAO annulled this one; unproven: see above.
    enum Outcome {
        Open,
        Upheld,
        Refuted,
        Void,
        Unproven
    }

    /// @param subnetId the subnet
    /// @param key of the checkpoint
    /// @param challenger who disputes it
    /// @param since when the present turn began, seconds
    /// @param defenderSeconds that the defender has left
    /// @param phase of the game
    /// @param outcome of the game
    /// @param released whether bonds were credited to who gets them
    /// @param defender its proposer
    /// @param challengerSeconds that the challenger has left
    /// @param low the last step up to which both agree, and `lowState` the state there
    /// @param high the first step at which they differ, and `highState` what the defender says of it
    /// @param verifier who decides the last step
    /// @param steps of the computation
    /// @param height of the checkpoint
    /// @param bond the challenger's, wei
    /// @param forfeited the proposer's, once it lost it, wei
    /// @param trace root over the states after steps 1 to steps - 1
    /// @param middle the state that was shown last
    struct Game {
        uint256 subnetId;
        bytes32 key;
        address challenger;
        uint48 since;
        uint32 defenderSeconds;
        Phase phase;
        Outcome outcome;
        bool released;
        address defender;
        uint32 challengerSeconds;
        uint32 low;
        uint32 high;
        IStepVerifier verifier;
        uint32 steps;
        uint64 height;
        uint128 bond;
        uint128 forfeited;
        bytes32 trace;
        bytes32 lowState;
        bytes32 highState;
        bytes32 middle;
    }

    /// @param bondWei what a challenger puts down
    /// @param clockSeconds on each side's clock at the beginning
    /// @param extensionSeconds at least on it after a move; greater than 0, at most `clockSeconds`
    /// @param proveSeconds for the last step
    /// @param payoutSeconds from the resolution to the payout
    /// @param falseShare what a proven false checkpoint costs its proposer, of 1e18
    struct Rules {
        uint128 bondWei;
        uint32 clockSeconds;
        uint32 extensionSeconds;
        uint32 proveSeconds;
        uint32 payoutSeconds;
        uint64 falseShare;
    }

    event Challenged(uint256 indexed game, uint256 indexed subnetId, bytes32 indexed key, address challenger);
    event TraceCommitted(uint256 indexed game, uint32 steps, bytes32 trace);
    event StateRevealed(uint256 indexed game, uint32 step, bytes32 state);
    event Answered(uint256 indexed game, uint32 step, bool agreed);
    event Resolved(uint256 indexed game, Outcome outcome, bool proven, uint256 forfeited);
    event Annulled(uint256 indexed game);
    event Released(uint256 indexed game);
    event Withdrawn(address indexed account, uint256 amount);
    event VerifierSet(uint256 indexed subnetId, address verifier);

    error BadRules();
    error BadSteps(uint256 steps, uint256 limit);
    error NotChallenger(uint256 game, address caller);
    error NotDefender(uint256 game, address caller);
    error NotResolved(uint256 game);
    error NotTimedOut(uint256 game, uint256 endsAt);
    error NothingOwed(address account);
    error PayoutPending(uint256 game, uint256 dueAt);
    error StillStands(uint256 game);
    error TimedOut(uint256 game, uint256 endedAt);
    error UnexpectedPayment(address payer, uint256 amount);
    error WrongChallengeBond(uint256 sent, uint256 wanted);
    error WrongCheckpoint(uint256 game, bytes32 key);
    error WrongPhase(uint256 game, Phase phase);
    error WrongState(uint256 game, uint32 step);
    error AlreadyReleased(uint256 game);

    /// @notice Disputes a checkpoint whose window is open, and holds it; the value sent is the bond.
    /// @return game its number, counted from 1
    function challenge(uint256 subnetId, bytes32 key) external payable returns (uint256 game);

    /// @notice The proposer's first move: how many steps the computation has, and the root over the states between them.
    /// @param checkpoint that was challenged
    /// @param trace root of a tree ({Sha256Merkle}) whose leaf s - 1 is SHA-256(0x00 || s u32 || state after step s), for s
    ///        from 1 to steps - 1; not looked at if there is one step only
    function commit(uint256 game, ICheckpointAnchor.Checkpoint calldata checkpoint, uint32 steps, bytes32 trace)
        external;

    /// @notice The defender's move: the committed state in the middle. Anybody may make it.
    function reveal(uint256 game, bytes32 state, bytes32[] calldata path) external;

    /// @notice The challenger's move: whether it agrees with the state that was shown.
    function answer(uint256 game, bool agreed) external;

    /// @notice Proves what the last step leads to, and so decides the game; anybody may, for either side.
    function prove(uint256 game, bytes calldata proof) external;

    /// @notice Ends a game whose mover's clock has run out.
    function timeout(uint256 game) external;

    /// @notice Ends a game about a checkpoint that another game had rejected; nobody loses.
    function drop(uint256 game) external;

    /// @notice Takes back what a resolved game would pay: everybody gets its own back. The DAO only, before the payout. The
    ///         checkpoint stays what it became.
    function annul(uint256 game) external;

    /// @notice Once the delay is over: credits what the game pays. Anybody may.
    function release(uint256 game) external;

    /// @notice Pays an account what it is owed; anybody may, it is the account that gets it.
    function withdraw(address account) external returns (uint256 amount);

    /// @notice Has new games of a subnet be decided by another verifier; zero for the default one. The DAO only.
    function setVerifier(uint256 subnetId, IStepVerifier verifier) external;

    /// @notice All there is to say of a game.
    function gameOf(uint256 game) external view returns (Game memory);

    /// @notice How many games there have been.
    function gameCount() external view returns (uint256);

    /// @notice What an account may withdraw.
    function owedTo(address account) external view returns (uint256);

    /// @notice Until when the present mover may move, seconds; 0 if the game is over.
    function endsAt(uint256 game) external view returns (uint256);

    /// @notice Who decides new games of a subnet.
    function verifierOf(uint256 subnetId) external view returns (IStepVerifier);

    /// @notice How long a game may take from its challenge to its resolution, seconds: what a subnet's
    ///         `resolutionSeconds` should at least be, with the slashing manager's epoch and veto window.
    function longest() external view returns (uint256);

    /// @notice Where subnets and their anchors are found.
    function SUBNETS() external view returns (ISubnetRegistry);

    /// @notice To whom proven false checkpoints are reported.
    function SLASHING() external view returns (ISlashingManager);

    /// @notice Whose half of each lost bond is.
    function TREASURY() external view returns (address);
}
