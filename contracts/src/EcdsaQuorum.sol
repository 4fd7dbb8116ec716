// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IQuorumVerifier} from "./interfaces/IQuorumVerifier.sol";

/// @notice See {IQuorumVerifier}. The proof is 64 bytes a signer (EIP-2098), in the order of the table.
contract EcdsaQuorum is IQuorumVerifier {
    uint256 private constant SIGNATURE_BYTES = 64;

    /// @inheritdoc IQuorumVerifier
    function verify(bytes32 digest, uint256[] calldata table, uint256 signers, bytes calldata proof)
        external
        pure
        returns (uint256 weight, bytes32[] memory votes)
    {
        if (signers >> table.length != 0) revert NotInTable(signers, table.length);
        votes = new bytes32[](proof.length / SIGNATURE_BYTES);
        uint256 done = 0;
        for (uint256 i = 0; signers >> i != 0; ++i) {
            if (signers >> i & 1 == 0) continue;
            if (done == votes.length) revert BadProof(proof.length, (done + 1) * SIGNATURE_BYTES);
            (bytes32 r, bytes32 vs) = _signature(proof, done);
            address actual = ECDSA.recover(digest, r, vs);
            uint256 word = table[i];
            address expected = address(uint160(word >> 96));
            if (actual != expected) revert WrongSigner(i, expected, actual);
            unchecked {
                // At most 128 words of 96 bits.
                votes[done++] = Hashes.efficientKeccak256(r, vs);
                weight += uint96(word);
            }
        }
        if (proof.length != done * SIGNATURE_BYTES) revert BadProof(proof.length, done * SIGNATURE_BYTES);
    }

    /// @dev The words of signature `index`; the caller knows that the proof is long enough.
    function _signature(bytes calldata proof, uint256 index) private pure returns (bytes32 r, bytes32 vs) {
        // Copying the signatures would cost more than checking them.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let where := add(proof.offset, shl(6, index))
            r := calldataload(where)
            vs := calldataload(add(where, 32))
        }
    }
}
