// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {ISlashingManager} from "./interfaces/ISlashingManager.sol";
import {Sha256Merkle} from "./libraries/Sha256Merkle.sol";
import {KIND_AGGREGATE, Statement, Statements} from "./Statements.sol";

/// @notice See {ICourt}.
contract Court is ICourt {
    /// @notice The two primes of protocols/README.md, section 8.3.
    uint256 public constant PRIME_0 = 70368743587841;
    uint256 public constant PRIME_1 = 70368743669761;
    uint256 private constant LEAVES_A_PRIME = 64;
    uint256 private constant LEAVES_A_CHUNK = 128;

    address public immutable SUBNETS;
    ISlashingManager public immutable SLASHING;
    /// @notice What the offences cost, of 1e18.
    uint64 public immutable EQUIVOCATION_SHARE;
    uint64 public immutable WRONG_SUM_SHARE;

    constructor(address subnets, ISlashingManager slashing, uint64 equivocationShare, uint64 wrongSumShare) {
        Sha256Merkle.demandPrecompile();
        SUBNETS = subnets;
        SLASHING = slashing;
        EQUIVOCATION_SHARE = equivocationShare;
        WRONG_SUM_SHARE = wrongSumShare;
    }

    /// @inheritdoc ICourt
    function equivocation(
        Statement calldata one,
        bytes32[2] calldata signature,
        Statement calldata other,
        bytes32[2] calldata another
    ) external returns (bytes32 offence) {
        bool differ = one.epoch != other.epoch || one.value != other.value;
        if (!differ || !Statements.sameSlot(one, other)) revert NoContradiction();
        address operator = Statements.signer(one, signature, SUBNETS);
        address second = Statements.signer(other, another, SUBNETS);
        if (operator != second) revert DifferentSigners(operator, second);
        offence = keccak256(abi.encode("equivocation", one.subnetId, operator, one.kind, one.height, one.place));
        _report(offence, one.subnetId, operator, EQUIVOCATION_SHARE);
    }

    /// @inheritdoc ICourt
    function wrongSum(
        Sum calldata sum,
        bytes32[2] calldata signature,
        Position calldata position,
        Leaf[] calldata contributions,
        Leaf calldata result
    ) external returns (bytes32 offence) {
        address operator = _aggregator(sum, signature);
        if (contributions.length != sum.roots.length) revert WrongCount(contributions.length, sum.roots.length);
        if (position.prime > 1 || position.index >= LEAVES_A_PRIME) {
            revert NoSuchPosition(position.prime, position.index);
        }
        // Memory begins as zeros.
        // slither-disable-next-line uninitialized-local
        uint256[64] memory total;
        for (uint256 i = 0; i < contributions.length; ++i) {
            _checkRoot(i, contributions[i], position, position.chunk, sum.chunks, sum.roots[i]);
            _add(total, contributions[i].residues);
        }
        _checkRoot(contributions.length, result, position, position.summedAt, sum.summed, sum.sumRoot);
        if (_equal(total, result.residues, position.prime == 0 ? PRIME_0 : PRIME_1)) revert SumIsRight();
        offence = keccak256(abi.encode("wrong sum", sum.subnetId, operator, sum.height, sum.cell));
        _report(offence, sum.subnetId, operator, WRONG_SUM_SHARE);
    }

    function _report(bytes32 offence, uint256 subnetId, address operator, uint64 share) private {
        emit Proven(offence, subnetId, operator);
        SLASHING.report(offence, subnetId, operator, SafeCast.toUint48(block.timestamp), share);
    }

    function _aggregator(Sum calldata sum, bytes32[2] calldata signature) private view returns (address) {
        bytes32 value = Statements.sumValue(sum.chunks, sum.roots, sum.summed, sum.sumRoot);
        Statement memory stated =
            Statement(KIND_AGGREGATE, sum.subnetId, sum.epoch, sum.height, sum.cell, value);
        return Statements.signer(stated, signature, SUBNETS);
    }

    /// @dev That the leaf stands at its position below the root, its chunk at `place` of `count`.
    function _checkRoot(
        uint256 who,
        Leaf calldata leaf,
        Position calldata position,
        uint256 place,
        uint256 count,
        bytes32 expected
    ) private pure {
        bytes32 hash = sha256(
            abi.encodePacked(bytes1(0), position.chunk, position.prime, position.index, leaf.residues)
        );
        uint256 leafAt = position.prime * LEAVES_A_PRIME + position.index;
        (bytes32 chunk, uint256 next) = Sha256Merkle.climb(hash, leafAt, LEAVES_A_CHUNK, leaf.path, 0);
        bytes32 actual = Sha256Merkle.root(chunk, place, count, leaf.path, next);
        if (actual != expected) revert WrongRoot(who, expected, actual);
    }

    /// @dev Adds 64 residues of 8 bytes; 2^192 of them fit into a word.
    function _add(uint256[64] memory total, bytes32[16] calldata residues) private pure {
        unchecked {
            for (uint256 i = 0; i < 16; ++i) {
                uint256 word = uint256(residues[i]);
                total[4 * i] += word >> 192;
                total[4 * i + 1] += uint64(word >> 128);
                total[4 * i + 2] += uint64(word >> 64);
                total[4 * i + 3] += uint64(word);
            }
        }
    }

    /// @dev Whether the totals modulo the prime are just these residues.
    function _equal(uint256[64] memory total, bytes32[16] calldata residues, uint256 prime) private pure returns (bool) {
        for (uint256 i = 0; i < 64; ++i) {
            if (total[i] % prime != uint64(uint256(residues[i / 4]) >> (192 - 64 * (i % 4)))) return false;
        }
        return true;
    }
}
