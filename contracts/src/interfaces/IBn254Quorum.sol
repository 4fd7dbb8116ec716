// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Bn254} from "../libraries/Bn254.sol";
import {IQuorumVerifier} from "./IQuorumVerifier.sol";

/// @title Votes whose signatures are added up before they reach the chain: one check, however many signed
/// @notice BLS over alt_bn128: a key is a number s, known by s g1 and s g2; a signature of a digest is s H(digest). Sums of
///         signatures are signatures by the sums of keys. Whoever signs registers its key first, and proves that it knows
///         s: otherwise it could name a key from which another's is subtracted, and sign alone for both.
/// @dev A key is registered once for ever, so that what was added up stays right; a validator that lost its key validates
///      by another account. The proof of a quorum has 192 bytes: the signatures' sum (64), then the sum of the signers'
///      keys in G2 (128), which is held to their sum in G1. With {gather} the check costs the same for any number of
///      signers of a table, and each of its validators that did not sign costs some 5,000 gas more.
interface IBn254Quorum is IQuorumVerifier {
    /// @param account whose key it is
    /// @param key in G1
    /// @param twin the same in G2, for whoever adds keys up
    event KeyRegistered(address indexed account, Bn254.G1 key, Bn254.G2 twin);
    event Gathered(bytes32 indexed table);

    error AlreadyKeyed(address account);
    error BadPossession(address account);
    error BadSignature();
    error NoKey(address account);

    /// @notice Registers the caller's key, once.
    /// @param possession the key's signature of {possessionOf}
    function register(Bn254.G1 calldata key, Bn254.G2 calldata twin, Bn254.G1 calldata possession) external;

    /// @notice Adds up the keys of a whole table, so that its quorums need not; anybody may. All must have keys.
    function gather(uint256[] calldata table) external;

    /// @notice An account's key; zero if it has none.
    function keyOf(address account) external view returns (Bn254.G1 memory);

    /// @notice Whether a table's keys are added up.
    function isGathered(uint256[] calldata table) external view returns (bool);

    /// @notice The point that an account signs with its key to register it: bound to chain, contract, account and key.
    function possessionOf(address account, Bn254.G1 calldata key) external view returns (Bn254.G1 memory);

    /// @notice The point that is signed for a digest.
    function pointOf(bytes32 digest) external view returns (Bn254.G1 memory);
}
