// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IBn254Quorum} from "./interfaces/IBn254Quorum.sol";
import {IQuorumVerifier} from "./interfaces/IQuorumVerifier.sol";
import {Bn254} from "./libraries/Bn254.sol";

/// @notice See {IBn254Quorum}.
contract Bn254Quorum is IBn254Quorum {
    using Bn254 for Bn254.G1;

    /// @notice What points are hashed for, so that no signature of one kind is one of the other.
    bytes32 public constant VOTE_DOMAIN = keccak256("2PM/BN254/v1/vote");
    bytes32 public constant POSSESSION_DOMAIN = keccak256("2PM/BN254/v1/possession");
    uint256 private constant PROOF_BYTES = 192;

    mapping(address account => Bn254.G1) private _keys;
    mapping(bytes32 table => Bn254.G1) private _sums;

    /// @inheritdoc IBn254Quorum
    function register(Bn254.G1 calldata key, Bn254.G2 calldata twin, Bn254.G1 calldata possession) external {
        Bn254.G1 memory own = key;
        if (!_keys[msg.sender].isZero()) revert AlreadyKeyed(msg.sender);
        bool right = !own.isZero()
            && Bn254.isSignedBy(possessionOf(msg.sender, key), possession, own, twin, POSSESSION_DOMAIN);
        if (!right) revert BadPossession(msg.sender);
        _keys[msg.sender] = own;
        emit KeyRegistered(msg.sender, own, twin);
    }

    /// @inheritdoc IBn254Quorum
    function gather(uint256[] calldata table) external {
        bytes32 hash = keccak256(abi.encodePacked(table));
        // Memory begins as zeros.
        // slither-disable-next-line uninitialized-local
        Bn254.G1 memory sum;
        for (uint256 i = 0; i < table.length; ++i) sum = sum.add(_keyIn(table[i]));
        _sums[hash] = sum;
        emit Gathered(hash);
    }

    /// @inheritdoc IQuorumVerifier
    function verify(bytes32 digest, uint256[] calldata table, uint256 signers, bytes calldata proof)
        external
        view
        returns (uint256 weight, bytes32[] memory votes)
    {
        if (signers >> table.length != 0) revert NotInTable(signers, table.length);
        if (proof.length != PROOF_BYTES) revert BadProof(proof.length, PROOF_BYTES);
        Bn254.G1 memory key;
        (key, weight) = _signing(table, signers);
        (Bn254.G1 memory signature, Bn254.G2 memory twin) = abi.decode(proof, (Bn254.G1, Bn254.G2));
        bool right = !key.isZero() && Bn254.isSignedBy(pointOf(digest), signature, key, twin, VOTE_DOMAIN);
        if (!right) revert BadSignature();
        votes = new bytes32[](0);
    }

    /// @inheritdoc IBn254Quorum
    function keyOf(address account) external view returns (Bn254.G1 memory) {
        return _keys[account];
    }

    /// @inheritdoc IBn254Quorum
    function isGathered(uint256[] calldata table) external view returns (bool) {
        return !_sums[keccak256(abi.encodePacked(table))].isZero();
    }

    /// @inheritdoc IBn254Quorum
    function possessionOf(address account, Bn254.G1 calldata key) public view returns (Bn254.G1 memory) {
        bytes32 message = keccak256(abi.encode(block.chainid, address(this), account, key));
        return Bn254.hashToCurve(POSSESSION_DOMAIN, message);
    }

    /// @inheritdoc IBn254Quorum
    function pointOf(bytes32 digest) public view returns (Bn254.G1 memory) {
        return Bn254.hashToCurve(VOTE_DOMAIN, digest);
    }

    /// @dev The signers' keys and weights, added up. From the sum of all of a table's keys, where there is one,
    ///      those of the others are taken away; where there is none (or it is zero) the signers' are added one by one.
    function _signing(uint256[] calldata table, uint256 signers)
        private
        view
        returns (Bn254.G1 memory key, uint256 weight)
    {
        key = _sums[keccak256(abi.encodePacked(table))];
        bool gathered = !key.isZero();
        for (uint256 i = 0; i < table.length; ++i) {
            bool signs = signers >> i & 1 == 1;
            if (signs) {
                unchecked {
                    // At most 128 words of 96 bits.
                    weight += uint96(table[i]);
                }
            }
            if (signs == gathered) continue;
            Bn254.G1 memory one = _keyIn(table[i]);
            key = key.add(signs ? one : one.minus());
        }
    }

    function _keyIn(uint256 word) private view returns (Bn254.G1 memory key) {
        address account = address(uint160(word >> 96));
        key = _keys[account];
        if (key.isZero()) revert NoKey(account);
    }
}
