// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EcdsaQuorum} from "../src/EcdsaQuorum.sol";
import {IQuorumVerifier} from "../src/interfaces/IQuorumVerifier.sol";
import {Kit, vm} from "./Kit.sol";

contract EcdsaQuorumTest is Kit {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    bytes32 private constant DIGEST = keccak256("digest");

    EcdsaQuorum private _verifier;

    function setUp() public {
        _verifier = new EcdsaQuorum();
    }

    function test_signersAreOfTheTable() public {
        vm.expectRevert(abi.encodeWithSelector(IQuorumVerifier.NotInTable.selector, 8, 3));
        _verifier.verify(DIGEST, _table(3), 8, _signature(1));
    }

    function test_exactlyOneSignatureASigner() public {
        bytes memory two = bytes.concat(_signature(1), _signature(2));
        vm.expectRevert(abi.encodeWithSelector(IQuorumVerifier.BadProof.selector, 128, 192));
        _verifier.verify(DIGEST, _table(3), 7, two);
        vm.expectRevert(abi.encodeWithSelector(IQuorumVerifier.BadProof.selector, 128, 64));
        _verifier.verify(DIGEST, _table(3), 1, two);
        vm.expectRevert(abi.encodeWithSelector(IQuorumVerifier.BadProof.selector, 65, 64));
        _verifier.verify(DIGEST, _table(3), 1, bytes.concat(_signature(1), hex"00"));
    }

    function test_wrongSignerIsNamed() public {
        bytes memory wrong = bytes.concat(_signature(1), _signature(3));
        vm.expectRevert(
            abi.encodeWithSelector(IQuorumVerifier.WrongSigner.selector, 1, vm.addr(2), vm.addr(3))
        );
        _verifier.verify(DIGEST, _table(3), 3, wrong);
    }

    /// @dev The precompile answers nothing to what is no signature, and a careless verifier takes that for address 0.
    function test_nobodysSignatureIsNobodys() public {
        vm.assertEq(ecrecover(DIGEST, 27, bytes32(0), bytes32(uint256(1))), address(0));
        uint256[] memory table = new uint256[](1);
        table[0] = 100;
        vm.expectRevert(ECDSA.ECDSAInvalidSignature.selector);
        _verifier.verify(DIGEST, table, 1, abi.encodePacked(bytes32(0), bytes32(uint256(1))));
    }

    /// @dev (r, -s) with the other parity is a signature of the same key, too: one vote must have one hash.
    function test_malleatedSignaturesAreRefused() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(1, DIGEST);
        uint8 flipped = v == 27 ? 28 : 27;
        bytes32 high = bytes32(ORDER - uint256(s));
        vm.assertEq(ecrecover(DIGEST, flipped, r, high), vm.addr(1));
        // EIP-2098 has no room for a high s; what is left of it recovers to somebody else.
        vm.expectPartialRevert(IQuorumVerifier.WrongSigner.selector);
        _verifier.verify(DIGEST, _table(1), 1, abi.encodePacked(r, bytes32(uint256(high) & (1 << 255) - 1)));
        vm.expectPartialRevert(ECDSA.ECDSAInvalidSignatureS.selector);
        _verifier.verify(DIGEST, _table(1), 1, abi.encodePacked(r, bytes32(type(uint256).max)));
    }

    function test_weightAndVotes(uint8 which) public view {
        uint256 signers = uint256(which) & 127;
        bytes memory proof;
        uint256 expected;
        for (uint256 i = 0; i < 7; ++i) {
            if (signers >> i & 1 == 0) continue;
            proof = bytes.concat(proof, _signature(i + 1));
            expected += 100 * (i + 1);
        }
        (uint256 weight, bytes32[] memory votes) = _verifier.verify(DIGEST, _table(7), signers, proof);
        vm.assertEq(weight, expected);
        vm.assertEq(votes.length, proof.length / 64);
        for (uint256 i = 0; i < 7; ++i) {
            if (signers == 1 << i) vm.assertEq(votes[0], keccak256(_signature(i + 1)));
        }
    }

    function test_costsAtMostEightThousandASigner() public view {
        uint256[] memory table = _table(64);
        bytes memory proof;
        for (uint256 i = 1; i <= 64; ++i) proof = bytes.concat(proof, _signature(i));
        uint256 left = gasleft();
        _verifier.verify(DIGEST, table, type(uint64).max, proof);
        // The call's data: 64 bytes of signature and a word of the table.
        _atMostGas((left - gasleft()) / 64 + 16 * 96, 8_000);
    }

    /// @dev Keys 1 to n in this order; the verifier itself does not ask for ascending addresses.
    function _table(uint256 count) private pure returns (uint256[] memory table) {
        table = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) table[i] = uint256(uint160(vm.addr(i + 1))) << 96 | 100 * (i + 1);
    }

    function _signature(uint256 key) private pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(key, DIGEST);
        return abi.encodePacked(r, vs);
    }
}
