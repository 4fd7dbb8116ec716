// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The degree check of protocols/README.md, section 9.3, of one share and one of its nine combinations
/// @notice A share is 4,096 values of 17 bits below 65537, then 9 masks. Its combination is the sum of all values, value
///         64 i + j by left[i] right[j], plus the mask, modulo 65537; it lies on the polynomial that the dealer published
///         by its values at 1 to t. left and right follow from the challenge: 128 elements for each combination, four from
///         each SHA-256(challenge || number), numbers u32 big-endian from 32 times the combination on.
library DegreeCheck {
    uint256 internal constant FIELD = 65537;
    uint256 internal constant COMBINATIONS = 9;
    uint256 internal constant MAX_THRESHOLD = 16;
    /// @notice 4,096 values of 17 bits, and 9 in 20 bytes.
    uint256 internal constant SHARE_BYTES = 8704;
    uint256 internal constant DEALT_BYTES = 8724;
    uint256 private constant BITS = 17;
    /// @dev The last seven bits, which no mask has.
    uint8 private constant PADDING = 0x7f;

    /// @notice Bytes of the published polynomials.
    function proofBytes(uint256 threshold) internal pure returns (uint256) {
        return (threshold * COMBINATIONS * BITS + 7) / 8;
    }

    /// @notice Whether a member's text (`DEALT_BYTES`) is a share, and its combination lies on its polynomial.
    function fits(
        bytes memory text,
        bytes32 challenge,
        uint256 combination,
        bytes memory degree,
        uint256 threshold,
        uint256 member
    ) internal pure returns (bool) {
        // Memory begins as zeros.
        // slither-disable-next-line uninitialized-local
        uint256[128] memory weights;
        _draw(challenge, combination, weights);
        (uint256 sum, bool within) = _combine(text, weights);
        uint256 mask = _value(text, SHARE_BYTES * 8 + combination * BITS);
        bool padded = uint8(text[DEALT_BYTES - 1]) & PADDING == 0;
        if (!within || !padded || mask >= FIELD) return false;
        return (sum + mask) % FIELD == _expected(degree, combination, threshold, member);
    }

    /// @dev The polynomial's value at the member, from those at 1 to t (Lagrange).
    function _expected(bytes memory degree, uint256 combination, uint256 threshold, uint256 member)
        private
        pure
        returns (uint256 value)
    {
        if (member <= threshold) return _value(degree, ((member - 1) * COMBINATIONS + combination) * BITS) % FIELD;
        for (uint256 x = 1; x <= threshold; ++x) {
            (uint256 above, uint256 below) = (1, 1);
            for (uint256 y = 1; y <= threshold; ++y) {
                if (y == x) continue;
                above = above * (member - y) % FIELD;
                below = below * (FIELD + x - y) % FIELD;
            }
            uint256 known = _value(degree, ((x - 1) * COMBINATIONS + combination) * BITS);
            value += known * (above * _inverse(below) % FIELD);
        }
        value %= FIELD;
    }

    /// @dev By Fermat: 65535 is sixteen ones.
    function _inverse(uint256 a) private pure returns (uint256 inverse) {
        inverse = 1;
        for (uint256 i = 0; i < 16; ++i) {
            inverse = inverse * a % FIELD;
            a = a * a % FIELD;
        }
    }

    /// @dev 17 bits from a bit on. Reads up to 32 bytes past them, which are memory of this call whatever they hold.
    function _value(bytes memory data, uint256 bit) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := and(shr(sub(239, and(bit, 7)), mload(add(add(data, 32), shr(3, bit)))), 0x1ffff)
        }
    }

    /// @dev left, then right.
    function _draw(bytes32 challenge, uint256 combination, uint256[128] memory weights) private pure {
        for (uint256 i = 0; i < 32; ++i) {
            uint256 word = uint256(sha256(abi.encodePacked(challenge, uint32(32 * combination + i))));
            for (uint256 j = 0; j < 4; ++j) weights[4 * i + j] = uint64(word >> (192 - 64 * j)) % FIELD;
        }
    }

    /// @dev The weighted sum, and whether all values are below 65537. A row is 64 values in 136 bytes, eight in 17; sums of
    ///      64 products of 17 bits each take 40 bits.
    function _combine(bytes memory text, uint256[128] memory weights) private pure returns (uint256 sum, bool within) {
        assembly ("memory-safe") {
            let at := add(text, 32)
            let over := 0
            for { let i := 0 } lt(i, 64) { i := add(i, 1) } {
                let inner := 0
                let right := add(weights, 2048)
                for { let end := add(right, 2048) } lt(right, end) { right := add(right, 256) } {
                    let word := shr(120, mload(at))
                    let v := and(word, 0x1ffff)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(add(right, 224))))
                    v := and(shr(17, word), 0x1ffff)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(add(right, 192))))
                    v := and(shr(34, word), 0x1ffff)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(add(right, 160))))
                    v := and(shr(51, word), 0x1ffff)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(add(right, 128))))
                    v := and(shr(68, word), 0x1ffff)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(add(right, 96))))
                    v := and(shr(85, word), 0x1ffff)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(add(right, 64))))
                    v := and(shr(102, word), 0x1ffff)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(add(right, 32))))
                    v := shr(119, word)
                    over := or(over, gt(v, 65536))
                    inner := add(inner, mul(v, mload(right)))
                    at := add(at, 17)
                }
                sum := add(sum, mul(mod(inner, 65537), mload(add(weights, mul(32, i)))))
            }
            sum := mod(sum, 65537)
            within := iszero(over)
        }
    }
}
