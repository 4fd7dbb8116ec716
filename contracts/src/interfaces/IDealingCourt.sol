// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title A fraud proof that one transaction settles: a dealer sealed to a committee member what is no share of its dealing
/// @notice The dealer has stated (kind 7) the digests of all sealed shares, the challenge of its degree check, and the
///         polynomials on which the members' combinations lie. The member shows its sealed share and the opening, 32 bytes
///         that belong to this share alone: from them follow its text and the commitment inside it. Then one of the nine
///         combinations does not lie on its polynomial, or what was sealed is no share at all.
/// @dev An honest dealer can never lose. What it sealed has the stated digest, so other bytes would be a second preimage of
///      SHA-256; another opening or context that leads to the same commitment would be one of HMAC-SHA-256; and under the
///      right ones the share is right. The challenge is taken as stated: whoever states another than follows from its
///      dealing (protocols/README.md, 9.3) is refused by all members, who hold no share of it then.
///      What it does not show: that the cipher's tag is wrong while the text is right (members refuse such a share, off the
///      chain), or that the shared key fits the ciphertexts (a sum's key proves that itself).
interface IDealingCourt {
    /// @notice What a dealer stated ({Statements.dealingValue}); place: the cell.
    /// @param threshold t: shares lie on polynomials of degree t - 1
    /// @param challenge from which the combinations' weights follow
    /// @param shares SHA-256 of each member's sealed share, by member
    /// @param degree the polynomials: nine values at each of 1 to t, 17 bits each
    struct Dealing {
        uint256 subnetId;
        uint64 epoch;
        uint64 height;
        uint64 cell;
        uint8 threshold;
        bytes32 challenge;
        bytes32[] shares;
        bytes degree;
    }

    /// @param member whose share it is, from 1 on
    /// @param combination of the nine, that misfits; any if what was sealed is no share
    /// @param context under which it was sealed
    /// @param opening that the member shows
    /// @param sealedShare the bytes that the dealer sent
    struct Opened {
        uint256 member;
        uint256 combination;
        bytes32 context;
        bytes32 opening;
        bytes sealedShare;
    }

    event BadDealing(bytes32 indexed offence, uint256 indexed subnetId, address indexed operator, uint256 member);

    error BadDegree(uint256 length, uint256 threshold);
    error NoSuchCombination(uint256 combination);
    error NoSuchMember(uint256 member, uint256 members);
    error OpeningMisfits(uint256 member);
    error ShareIsRight(uint256 member, uint256 combination);
    error WrongSealedShare(uint256 member, bytes32 expected, bytes32 actual);

    /// @notice Proves a bad dealing, and reports its dealer.
    /// @param signature of the dealer's statement
    /// @return offence its id in the {ISlashingManager}: one for each dealer, height and cell
    function badDealing(Dealing calldata dealing, bytes32[2] calldata signature, Opened calldata opened)
        external
        returns (bytes32 offence);
}
