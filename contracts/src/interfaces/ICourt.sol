// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Statement} from "../Statements.sol";

/// @title Fraud proofs that one transaction settles: what an operator signed contradicts itself, or a sum
/// @notice Nobody risks anything by proving: a proof either holds, and is reported to the {ISlashingManager}, or reverts.
interface ICourt {
    /// @notice Which leaf of which chunk: 64 residues of one prime.
    /// @param chunk the ciphertext's index
    /// @param prime 0 or 1
    /// @param index residues 64 index to 64 index + 63
    /// @param summedAt the chunk's place among those that the aggregator added
    struct Position {
        uint32 chunk;
        uint8 prime;
        uint32 index;
        uint32 summedAt;
    }

    /// @param residues 64 of 8 bytes each, big-endian
    /// @param path siblings from the leaf to the chunk's root, then on to the update's or the sum's
    struct Leaf {
        bytes32[16] residues;
        bytes32[] path;
    }

    /// @notice What an aggregator stated ({Statements.sumValue}).
    struct Sum {
        uint256 subnetId;
        uint64 epoch;
        uint64 height;
        uint64 cell;
        uint32 chunks;
        bytes32[] roots;
        uint32 summed;
        bytes32 sumRoot;
    }

    event Proven(bytes32 indexed offence, uint256 indexed subnetId, address indexed operator);

    error NoContradiction();
    error DifferentSigners(address one, address other);
    error WrongRoot(uint256 contributor, bytes32 expected, bytes32 actual);
    error WrongCount(uint256 leaves, uint256 contributors);
    error NoSuchPosition(uint256 prime, uint256 index);
    error SumIsRight();

    /// @notice Two statements by one operator for one slot that differ.
    function equivocation(
        Statement calldata one, bytes32[2] calldata signature, Statement calldata other, bytes32[2] calldata another
    ) external returns (bytes32 offence);

    /// @notice A leaf of a stated sum that is not the sum of the contributors' leaves modulo the prime.
    /// @param signature of the aggregator's statement
    /// @param contributions the leaf of each contributor, in the order of `sum.roots`
    /// @param result the aggregator's leaf
    function wrongSum(
        Sum calldata sum, bytes32[2] calldata signature, Position calldata position, Leaf[] calldata contributions,
        Leaf calldata result
    ) external returns (bytes32 offence);
}
