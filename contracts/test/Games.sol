// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {DisputeGame} from "../src/DisputeGame.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {ISlashingManager} from "../src/interfaces/ISlashingManager.sol";
import {IStepVerifier} from "../src/interfaces/IStepVerifier.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {vm} from "./Kit.sol";
import {Sha256Tree} from "./Sha256Tree.sol";
import {World} from "./World.sol";

/// @notice A machine whose every step hashes its state: what is right is known to every test.
contract MachineDouble is IStepVerifier {
    bool public silenceLoses = true;

    function setSilence(bool loses) external {
        silenceLoses = loses;
    }

    function ends(uint256, ICheckpointAnchor.Checkpoint calldata checkpoint) external pure returns (bytes32, bytes32) {
        return (checkpoint.header, checkpoint.paramsDigest);
    }

    function resultOf(Step calldata step, bytes calldata proof) external pure returns (bytes32) {
        require(proof.length == 0, "no proof");
        return keccak256(abi.encode(step.before));
    }
}

/// @notice Notes what was reported.
contract ReportsDouble {
    uint256 public reports;
    address public culprit;
    uint48 public time;
    uint64 public share;

    function report(bytes32, uint256, address operator, uint48 when, uint64 share_) external {
        (culprit, time, share) = (operator, when, share_);
        ++reports;
    }
}

/// @notice One subnet, a game over it, and the machine's runs.
abstract contract Games is World {
    uint128 internal constant STAKE = 2 ether;
    uint32 internal constant CLOCK = 100;
    uint32 internal constant EXTENSION = 10;
    uint32 internal constant PROVE = 50;
    uint32 internal constant PAYOUT = 500;
    uint64 internal constant SHARE = 0.25e18;

    DisputeGame internal disputes;
    MachineDouble internal machine;
    ReportsDouble internal slashing;
    address internal treasury;
    address internal challenger;

    function _play() internal {
        _build(_ecdsa());
        machine = new MachineDouble();
        slashing = new ReportsDouble();
        treasury = _name("treasury");
        challenger = _name("challenger");
        vm.deal(challenger, 1000 ether);
        disputes = new DisputeGame(
            ISubnetRegistry(address(subnets)),
            ISlashingManager(address(slashing)),
            machine,
            treasury,
            IDisputeGame.Rules(STAKE, CLOCK, EXTENSION, PROVE, PAYOUT, SHARE),
            address(access)
        );
        access.grantRole(GAME_ROLE, address(disputes), 0);
    }

    /// @dev The states of a run that goes wrong after step `wrong` (0: never).
    function _run(ICheckpointAnchor.Checkpoint memory it, uint32 steps, uint32 wrong)
        internal
        pure
        returns (bytes32[] memory states)
    {
        states = new bytes32[](steps + 1);
        states[0] = it.header;
        for (uint32 s = 1; s <= steps; ++s) {
            states[s] = keccak256(abi.encode(states[s - 1]));
            if (s == wrong) states[s] = keccak256(abi.encode(states[s], "wrong"));
        }
    }

    /// @dev A checkpoint that claims what this run comes to.
    function _claim(uint64 height, uint32 steps, uint32 wrong)
        internal
        pure
        returns (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states)
    {
        it = _checkpoint(height, 0);
        states = _run(it, steps, wrong);
        it.paramsDigest = states[steps];
    }

    function _leaves(bytes32[] memory states) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](states.length - 2);
        for (uint32 s = 1; s <= leaves.length; ++s) {
            leaves[s - 1] = sha256(abi.encodePacked(bytes1(0), s, states[s]));
        }
    }

    function _challenge(bytes32 key) internal returns (uint256) {
        vm.prank(challenger);
        return disputes.challenge{value: STAKE}(SUBNET, key);
    }

    function _commitRun(uint256 number, ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) internal {
        bytes32 root = states.length > 2 ? Sha256Tree.root(_leaves(states)) : bytes32(0);
        vm.prank(disputes.gameOf(number).defender);
        disputes.commit(number, it, uint32(states.length - 1), root);
    }

    function _reveal(uint256 number, bytes32[] memory states) internal {
        uint32 step = _middle(number);
        disputes.reveal(number, states[step], Sha256Tree.path(_leaves(states), step - 1));
    }

    function _answer(uint256 number, bool agreed) internal {
        vm.prank(challenger);
        disputes.answer(number, agreed);
    }

    function _middle(uint256 number) internal view returns (uint32) {
        IDisputeGame.Game memory it = disputes.gameOf(number);
        return (it.low + it.high) / 2;
    }

    function _phase(uint256 number) internal view returns (IDisputeGame.Phase) {
        return disputes.gameOf(number).phase;
    }

    /// @dev The halving, by a challenger that compares with the run that it made itself.
    function _halve(uint256 number, bytes32[] memory shown, bytes32[] memory own) internal {
        while (_phase(number) == IDisputeGame.Phase.Reveal) {
            uint32 step = _middle(number);
            _reveal(number, shown);
            _answer(number, shown[step] == own[step]);
        }
    }

    /// @dev A challenged checkpoint whose run goes wrong after step `wrong`; the game is played up to its last step.
    function _played(uint32 steps, uint32 wrong) internal returns (uint256 number, bytes32 key) {
        (ICheckpointAnchor.Checkpoint memory it, bytes32[] memory states) = _claim(1, steps, wrong);
        key = _open(it);
        number = _challenge(key);
        _commitRun(number, it, states);
        _halve(number, states, _run(it, steps, 0));
    }
}
