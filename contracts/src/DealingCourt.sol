// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IDealingCourt} from "./interfaces/IDealingCourt.sol";
import {ISlashingManager} from "./interfaces/ISlashingManager.sol";
import {ChaCha20} from "./libraries/ChaCha20.sol";
import {DegreeCheck} from "./libraries/DegreeCheck.sol";
import {Sha256Merkle} from "./libraries/Sha256Merkle.sol";
import {KIND_DEALING, Statement, Statements} from "./Statements.sol";

/// @notice See {IDealingCourt}.
contract DealingCourt is IDealingCourt {
    /// @dev A sealed share: ML-KEM's encapsulation, the commitment, the ciphertext, its tag.
    uint256 private constant ENCAPSULATION_BYTES = 1088;
    uint256 private constant TEXT_AT = ENCAPSULATION_BYTES + 32;
    uint256 private constant TAG_BYTES = 16;
    bytes private constant INFO = "2pm/seal/v2/share";

    address public immutable SUBNETS;
    ISlashingManager public immutable SLASHING;
    /// @notice What a bad dealing costs, of 1e18.
    uint64 public immutable BAD_DEALING_SHARE;

    constructor(address subnets, ISlashingManager slashing, uint64 badDealingShare) {
        Sha256Merkle.demandPrecompile();
        SUBNETS = subnets;
        SLASHING = slashing;
        BAD_DEALING_SHARE = badDealingShare;
    }

    /// @inheritdoc IDealingCourt
    function badDealing(Dealing calldata dealing, bytes32[2] calldata signature, Opened calldata opened)
        external
        returns (bytes32 offence)
    {
        address operator = _dealer(dealing, signature);
        _checkProofs(dealing, opened);
        bytes32 key = _keyOf(dealing, opened);
        if (_isShare(dealing, opened, key)) revert ShareIsRight(opened.member, opened.combination);
        offence = keccak256(abi.encode("bad dealing", dealing.subnetId, operator, dealing.height, dealing.cell));
        emit BadDealing(offence, dealing.subnetId, operator, opened.member);
        SLASHING.report(offence, dealing.subnetId, operator, SafeCast.toUint48(block.timestamp), BAD_DEALING_SHARE);
    }

    function _dealer(Dealing calldata dealing, bytes32[2] calldata signature) private view returns (address) {
        bytes32 value =
            Statements.dealingValue(dealing.threshold, dealing.challenge, dealing.shares, dealing.degree);
        Statement memory stated =
            Statement(KIND_DEALING, dealing.subnetId, dealing.epoch, dealing.height, dealing.cell, value);
        return Statements.signer(stated, signature, SUBNETS);
    }

    /// @dev That there are such a member, such a combination, and such polynomials. No member takes a dealing without.
    function _checkProofs(Dealing calldata dealing, Opened calldata opened) private pure {
        uint256 threshold = dealing.threshold;
        bool sound = threshold > 0 && threshold <= DegreeCheck.MAX_THRESHOLD
            && dealing.degree.length == DegreeCheck.proofBytes(threshold);
        if (!sound) revert BadDegree(dealing.degree.length, threshold);
        uint256 members = dealing.shares.length;
        if (opened.member == 0 || opened.member > members || members > DegreeCheck.MAX_THRESHOLD) {
            revert NoSuchMember(opened.member, members);
        }
        if (opened.combination >= DegreeCheck.COMBINATIONS) revert NoSuchCombination(opened.combination);
    }

    /// @dev The cipher's key, after checking that these are the bytes which the dealer stated, and that they open so:
    ///      key || commitment = HKDF-SHA256(opening, no salt, INFO || SHA-256(context)), and the commitment is in them.
    function _keyOf(Dealing calldata dealing, Opened calldata opened) private pure returns (bytes32 key) {
        bytes32 expected = dealing.shares[opened.member - 1];
        bytes32 actual = sha256(opened.sealedShare);
        if (actual != expected) revert WrongSealedShare(opened.member, expected, actual);
        bytes memory info = abi.encodePacked(INFO, sha256(abi.encodePacked(opened.context)));
        bytes32 secret = _hmac(0, abi.encodePacked(opened.opening));
        key = _hmac(secret, abi.encodePacked(info, bytes1(0x01)));
        bytes32 commitment = _hmac(secret, abi.encodePacked(key, info, bytes1(0x02)));
        bool opens = opened.sealedShare.length >= TEXT_AT + TAG_BYTES
            && bytes32(opened.sealedShare[ENCAPSULATION_BYTES:TEXT_AT]) == commitment;
        if (!opens) revert OpeningMisfits(opened.member);
    }

    function _isShare(Dealing calldata dealing, Opened calldata opened, bytes32 key) private pure returns (bool) {
        bytes calldata hidden = opened.sealedShare[TEXT_AT:opened.sealedShare.length - TAG_BYTES];
        if (hidden.length != DegreeCheck.DEALT_BYTES) return false;
        bytes memory text = ChaCha20.applied(key, hidden);
        return DegreeCheck.fits(
            text, dealing.challenge, opened.combination, dealing.degree, dealing.threshold, opened.member
        );
    }

    function _hmac(bytes32 key, bytes memory message) private pure returns (bytes32) {
        uint256 word = uint256(key);
        uint256 inner = 0x3636363636363636363636363636363636363636363636363636363636363636;
        uint256 outer = 0x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c;
        bytes32 hash = sha256(abi.encodePacked(word ^ inner, inner, message));
        return sha256(abi.encodePacked(word ^ outer, outer, hash));
    }
}
