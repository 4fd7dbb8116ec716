// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Checks that validators of a table signed one digest, and how much they weigh
/// @notice A table has at most 128 words, one for each validator: address (20 bytes) and weight (12 bytes), ascending.
interface IQuorumVerifier {
    error BadProof(uint256 length, uint256 expected);
    error NotInTable(uint256 signers, uint256 validators);
    error WrongSigner(uint256 position, address expected, address actual);

    /// @param digest what they signed, by EIP-712
    /// @param table the validators
    /// @param signers bit i is set if the validator in word i signed
    /// @param proof their signatures, in the scheme's own form
    /// @return weight of the signers together; reverts unless all of them signed
    /// @return votes the hash of each signer's own signature, in the order of the table; empty for a scheme that
    ///         aggregates signatures before they reach the chain
    function verify(bytes32 digest, uint256[] calldata table, uint256 signers, bytes calldata proof)
        external
        view
        returns (uint256 weight, bytes32[] memory votes);
}
