// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICheckpointAnchor} from "./interfaces/ICheckpointAnchor.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {ISlashingManager} from "./interfaces/ISlashingManager.sol";
import {IStepVerifier} from "./interfaces/IStepVerifier.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";
import {Sha256Merkle} from "./libraries/Sha256Merkle.sol";

/// @notice See {IDisputeGame}.
contract DisputeGame is IDisputeGame, AccessManaged {
    /// @notice The most steps of a computation: 2^20, so that 20 halvings lead to one.
    uint32 public constant MAX_STEPS = uint32(1) << MAX_ROUNDS;
    uint32 private constant MAX_ROUNDS = 20;

    /// @inheritdoc IDisputeGame
    ISubnetRegistry public immutable SUBNETS;
    /// @inheritdoc IDisputeGame
    ISlashingManager public immutable SLASHING;
    /// @inheritdoc IDisputeGame
    address public immutable TREASURY;
    IStepVerifier private immutable _DEFAULT;
    uint128 public immutable BOND_WEI;
    uint32 public immutable CLOCK_SECONDS;
    uint32 public immutable EXTENSION_SECONDS;
    uint32 public immutable PROVE_SECONDS;
    uint32 public immutable PAYOUT_SECONDS;
    uint64 public immutable FALSE_SHARE;

    /// @inheritdoc IDisputeGame
    mapping(address account => uint256) public owedTo;
    Game[] private _games;
    mapping(uint256 subnetId => IStepVerifier) private _verifiers;
    /// @dev The anchor whose payment is awaited: {receive} reads it between two writes.
    // slither-disable-next-line write-after-write
    address private transient _payer;

    constructor(
        ISubnetRegistry subnets,
        ISlashingManager slashing,
        IStepVerifier verifier,
        address treasury,
        Rules memory rules,
        address authority
    ) AccessManaged(authority) {
        bool sound = rules.extensionSeconds > 0 && rules.extensionSeconds <= rules.clockSeconds
            && rules.proveSeconds > 0 && rules.bondWei > 0 && treasury != address(0);
        if (!sound) revert BadRules();
        Sha256Merkle.demandPrecompile();
        SUBNETS = subnets;
        SLASHING = slashing;
        TREASURY = treasury;
        _DEFAULT = verifier;
        BOND_WEI = rules.bondWei;
        CLOCK_SECONDS = rules.clockSeconds;
        EXTENSION_SECONDS = rules.extensionSeconds;
        PROVE_SECONDS = rules.proveSeconds;
        PAYOUT_SECONDS = rules.payoutSeconds;
        FALSE_SHARE = rules.falseShare;
    }

    /// @dev A proposer's bond, sent by the anchor that is being settled with.
    receive() external payable {
        if (msg.sender != _payer) revert UnexpectedPayment(msg.sender, msg.value);
    }

    // -- moves --------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function challenge(uint256 subnetId, bytes32 key) external payable returns (uint256 game) {
        if (msg.value != BOND_WEI) revert WrongChallengeBond(msg.value, BOND_WEI);
        ICheckpointAnchor anchor = _anchorOf(subnetId);
        ICheckpointAnchor.Record memory record = anchor.recordOf(subnetId, key);
        Game storage made = _games.push();
        game = _games.length;
        made.subnetId = subnetId;
        made.key = key;
        made.challenger = msg.sender;
        made.since = SafeCast.toUint48(block.timestamp);
        made.defenderSeconds = CLOCK_SECONDS;
        made.phase = Phase.Commit;
        made.defender = record.proposer;
        made.challengerSeconds = CLOCK_SECONDS;
        made.verifier = verifierOf(subnetId);
        made.height = record.height;
        made.bond = BOND_WEI;
        emit Challenged(game, subnetId, key, msg.sender);
        anchor.hold(subnetId, key);
    }

    /// @inheritdoc IDisputeGame
    function commit(uint256 game, ICheckpointAnchor.Checkpoint calldata checkpoint, uint32 steps, bytes32 trace)
        external
    {
        Game storage it = _moving(game, Phase.Commit);
        if (msg.sender != it.defender) revert NotDefender(game, msg.sender);
        bytes32 key = _anchorOf(it.subnetId).keyOf(it.subnetId, checkpoint);
        if (key != it.key) revert WrongCheckpoint(game, key);
        if (steps == 0 || steps > MAX_STEPS) revert BadSteps(steps, MAX_STEPS);
        (it.lowState, it.highState) = it.verifier.ends(it.subnetId, checkpoint);
        (it.steps, it.high, it.trace) = (steps, steps, trace);
        _stopDefender(it);
        _narrow(it);
        emit TraceCommitted(game, steps, trace);
    }

    /// @inheritdoc IDisputeGame
    function reveal(uint256 game, bytes32 state, bytes32[] calldata path) external {
        Game storage it = _moving(game, Phase.Reveal);
        uint32 step = _middleOf(it);
        bytes32 leaf = sha256(abi.encodePacked(bytes1(0), step, state));
        bytes32 root = Sha256Merkle.root(leaf, step - 1, it.steps - 1, path, 0);
        if (root != it.trace) revert WrongState(game, step);
        it.middle = state;
        _stopDefender(it);
        it.phase = Phase.Answer;
        emit StateRevealed(game, step, state);
    }

    /// @inheritdoc IDisputeGame
    function answer(uint256 game, bool agreed) external {
        Game storage it = _moving(game, Phase.Answer);
        if (msg.sender != it.challenger) revert NotChallenger(game, msg.sender);
        uint32 step = _middleOf(it);
        if (agreed) (it.low, it.lowState) = (step, it.middle);
        else (it.high, it.highState) = (step, it.middle);
        it.challengerSeconds = _left(it, it.challengerSeconds);
        it.since = SafeCast.toUint48(block.timestamp);
        _narrow(it);
        emit Answered(game, step, agreed);
    }

    /// @inheritdoc IDisputeGame
    function prove(uint256 game, bytes calldata proof) external {
        Game storage it = _moving(game, Phase.Prove);
        IStepVerifier.Step memory step = IStepVerifier.Step(
            it.subnetId,
            it.key,
            keccak256(abi.encode(it.key, it.steps, it.trace)),
            it.height,
            SafeCast.toUint64(game << 32 | it.low),
            it.lowState
        );
        bool right = it.verifier.resultOf(step, proof) == it.highState;
        _resolve(game, it, right ? Outcome.Refuted : Outcome.Upheld, true);
    }

    // -- endings ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function timeout(uint256 game) external {
        uint256 end = endsAt(game);
        Game storage it = _at(game);
        if (it.phase == Phase.Resolved) revert WrongPhase(game, it.phase);
        if (block.timestamp <= end) revert NotTimedOut(game, end);
        Outcome outcome = Outcome.Upheld;
        if (it.phase == Phase.Answer) outcome = Outcome.Refuted;
        else if (it.phase == Phase.Prove && !it.verifier.silenceLoses()) outcome = Outcome.Unproven;
        _resolve(game, it, outcome, false);
    }

    /// @inheritdoc IDisputeGame
    function drop(uint256 game) external {
        Game storage it = _at(game);
        if (it.phase == Phase.Resolved) revert WrongPhase(game, it.phase);
        ICheckpointAnchor.Status status = _anchorOf(it.subnetId).recordOf(it.subnetId, it.key).status;
        if (status != ICheckpointAnchor.Status.Rejected) revert StillStands(game);
        _resolve(game, it, Outcome.Void, false);
    }

    /// @inheritdoc IDisputeGame
    function annul(uint256 game) external restricted {
        Game storage it = _resolved(game);
        it.outcome = Outcome.Void;
        emit Annulled(game);
    }

    /// @inheritdoc IDisputeGame
    function release(uint256 game) external {
        Game storage it = _resolved(game);
        uint256 dueAt = uint256(it.since) + PAYOUT_SECONDS;
        if (block.timestamp < dueAt) revert PayoutPending(game, dueAt);
        it.released = true;
        (uint256 challenger, uint256 defender) = (it.bond, it.forfeited);
        uint256 treasury = 0;
        if (it.outcome == Outcome.Upheld) {
            (treasury, defender) = (defender / 2, 0);
            challenger += it.forfeited - treasury;
        } else if (it.outcome == Outcome.Refuted) {
            (treasury, challenger) = (challenger / 2, 0);
            defender += it.bond - treasury;
        } else if (it.outcome == Outcome.Unproven) {
            treasury = challenger / 2;
            challenger -= treasury;
        }
        owedTo[it.challenger] += challenger;
        owedTo[it.defender] += defender;
        owedTo[TREASURY] += treasury;
        emit Released(game);
    }

    /// @inheritdoc IDisputeGame
    function withdraw(address account) external returns (uint256 amount) {
        amount = owedTo[account];
        if (amount == 0) revert NothingOwed(account);
        owedTo[account] = 0;
        emit Withdrawn(account, amount);
        Address.sendValue(payable(account), amount);
    }

    /// @inheritdoc IDisputeGame
    function setVerifier(uint256 subnetId, IStepVerifier verifier) external restricted {
        _verifiers[subnetId] = verifier;
        emit VerifierSet(subnetId, address(verifier));
    }

    // -- views --------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function gameOf(uint256 game) external view returns (Game memory) {
        return _at(game);
    }

    /// @inheritdoc IDisputeGame
    function gameCount() external view returns (uint256) {
        return _games.length;
    }

    /// @inheritdoc IDisputeGame
    function verifierOf(uint256 subnetId) public view returns (IStepVerifier) {
        IStepVerifier own = _verifiers[subnetId];
        return address(own) == address(0) ? _DEFAULT : own;
    }

    /// @inheritdoc IDisputeGame
    function endsAt(uint256 game) public view returns (uint256) {
        Game storage it = _at(game);
        if (it.phase == Phase.Resolved) return 0;
        if (it.phase == Phase.Prove) return uint256(it.since) + PROVE_SECONDS;
        return uint256(it.since) + (it.phase == Phase.Answer ? it.challengerSeconds : it.defenderSeconds);
    }

    /// @inheritdoc IDisputeGame
    /// @dev Each move but a side's last one adds an extension at most: the defender makes one move more than there are rounds,
    ///      the challenger one in each. One second more, since a turn's last second counts.
    function longest() external view returns (uint256) {
        uint256 extensions = uint256(2 * MAX_ROUNDS - 1) * EXTENSION_SECONDS;
        return 2 * uint256(CLOCK_SECONDS) + extensions + PROVE_SECONDS + 1;
    }

    // -- inside -------------------------------------------------------------------------------------------------------

    function _at(uint256 game) private view returns (Game storage) {
        if (game == 0 || game > _games.length) revert WrongPhase(game, Phase.None);
        return _games[game - 1];
    }

    /// @dev The game, if it is in this phase and its mover's clock has not run out.
    function _moving(uint256 game, Phase phase) private view returns (Game storage it) {
        it = _at(game);
        if (it.phase != phase) revert WrongPhase(game, it.phase);
        uint256 end = endsAt(game);
        if (block.timestamp > end) revert TimedOut(game, end);
    }

    function _resolved(uint256 game) private view returns (Game storage it) {
        it = _at(game);
        if (it.phase != Phase.Resolved) revert NotResolved(game);
        if (it.released) revert AlreadyReleased(game);
    }

    function _anchorOf(uint256 subnetId) private view returns (ICheckpointAnchor) {
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (, address anchor) = SUBNETS.contractsOf(subnetId);
        return ICheckpointAnchor(anchor);
    }

    function _middleOf(Game storage it) private view returns (uint32) {
        return (it.low + it.high) / 2;
    }

    /// @dev What a mover has left of its seconds: at least the extension.
    function _left(Game storage it, uint32 had) private view returns (uint32) {
        uint256 left = had - (block.timestamp - it.since);
        return left < EXTENSION_SECONDS ? EXTENSION_SECONDS : uint32(left);
    }

    function _stopDefender(Game storage it) private {
        it.defenderSeconds = _left(it, it.defenderSeconds);
        it.since = SafeCast.toUint48(block.timestamp);
    }

    function _narrow(Game storage it) private {
        it.phase = it.high - it.low == 1 ? Phase.Prove : Phase.Reveal;
    }

    function _resolve(uint256 game, Game storage it, Outcome outcome, bool proven) private {
        (it.phase, it.outcome) = (Phase.Resolved, outcome);
        it.since = SafeCast.toUint48(block.timestamp);
        ICheckpointAnchor anchor = _anchorOf(it.subnetId);
        bool upheld = outcome == Outcome.Upheld;
        uint256 before = address(this).balance;
        _payer = address(anchor);
        uint256 amount = anchor.settle(it.subnetId, it.key, upheld);
        _payer = address(0);
        if (address(this).balance != before + amount) revert UnexpectedPayment(address(anchor), amount);
        it.forfeited = SafeCast.toUint128(amount);
        emit Resolved(game, outcome, proven, amount);
        if (!upheld || !proven) return;
        bytes32 offence = keccak256(abi.encode("false checkpoint", it.subnetId, it.key));
        uint48 when = anchor.recordOf(it.subnetId, it.key).proposedAt;
        SLASHING.report(offence, it.subnetId, it.defender, when, FALSE_SHARE);
    }
}
