// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title ChaCha20 as ChaCha20-Poly1305 (RFC 8439) uses it with a zero nonce: the text, whose first block is number 1
/// @dev Four blocks at a time: each word of the state is a word here, and holds the four blocks' values 64 bits apart. An
///      addition's carry and a shift's overhang stay in the gap, and are masked away.
library ChaCha20 {
    uint256 private constant BLOCK_BYTES = 64;
    uint256 private constant STRIDE_BYTES = 4 * BLOCK_BYTES;

    /// @notice A ciphertext's text, or a text's ciphertext.
    function applied(bytes32 key, bytes calldata data) internal pure returns (bytes memory text) {
        uint256 strides = (data.length + STRIDE_BYTES - 1) / STRIDE_BYTES;
        // Whole strides.
        // slither-disable-next-line divide-before-multiply
        text = new bytes(strides * STRIDE_BYTES);
        uint256[16] memory start;
        uint256[16] memory state;
        _expand(start, key);
        for (uint256 i = 0; i < strides; ++i) {
            _rounds(start, state);
            _cover(state, text, data, i * STRIDE_BYTES);
            // Each lane's counter goes on by four.
            start[12] += 0x0000000000000004000000000000000400000000000000040000000000000004;
        }
        uint256 length = data.length;
        assembly ("memory-safe") {
            mstore(text, length)
        }
    }

    /// @dev The state before the first rounds: constants, key, counters 1 to 4, no nonce; the same in every lane else.
    function _expand(uint256[16] memory start, bytes32 key) private pure {
        assembly ("memory-safe") {
            function reversed(x) -> y {
                y := or(or(shl(24, and(x, 0xff)), shl(8, and(x, 0xff00))), or(and(shr(8, x), 0xff00), and(shr(24, x), 0xff)))
            }
            let everywhere := 0x0000000000000001000000000000000100000000000000010000000000000001
            mstore(start, mul(0x61707865, everywhere))
            mstore(add(start, 32), mul(0x3320646e, everywhere))
            mstore(add(start, 64), mul(0x79622d32, everywhere))
            mstore(add(start, 96), mul(0x6b206574, everywhere))
            for { let i := 0 } lt(i, 8) { i := add(i, 1) } {
                let word := and(shr(sub(224, mul(32, i)), key), 0xffffffff)
                mstore(add(start, add(128, mul(32, i))), mul(reversed(word), everywhere))
            }
            mstore(add(start, 384), 0x0000000000000004000000000000000300000000000000020000000000000001)
        }
    }

    /// @dev Ten double rounds and the addition of the beginning.
    function _rounds(uint256[16] memory start, uint256[16] memory state) private pure {
        assembly ("memory-safe") {
            function quarter(ia, ib, ic, id) {
                let m := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
                let a := mload(ia)
                let b := mload(ib)
                let c := mload(ic)
                let d := mload(id)
                a := and(add(a, b), m)
                d := xor(d, a)
                d := and(or(shl(16, d), shr(16, d)), m)
                c := and(add(c, d), m)
                b := xor(b, c)
                b := and(or(shl(12, b), shr(20, b)), m)
                a := and(add(a, b), m)
                d := xor(d, a)
                d := and(or(shl(8, d), shr(24, d)), m)
                c := and(add(c, d), m)
                b := xor(b, c)
                b := and(or(shl(7, b), shr(25, b)), m)
                mstore(ia, a)
                mstore(ib, b)
                mstore(ic, c)
                mstore(id, d)
            }
            mcopy(state, start, 512)
            for { let i := 0 } lt(i, 10) { i := add(i, 1) } {
                quarter(state, add(state, 128), add(state, 256), add(state, 384))
                quarter(add(state, 32), add(state, 160), add(state, 288), add(state, 416))
                quarter(add(state, 64), add(state, 192), add(state, 320), add(state, 448))
                quarter(add(state, 96), add(state, 224), add(state, 352), add(state, 480))
                quarter(state, add(state, 160), add(state, 320), add(state, 480))
                quarter(add(state, 32), add(state, 192), add(state, 352), add(state, 384))
                quarter(add(state, 64), add(state, 224), add(state, 256), add(state, 416))
                quarter(add(state, 96), add(state, 128), add(state, 288), add(state, 448))
            }
            let low := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
            for { let i := 0 } lt(i, 512) { i := add(i, 32) } {
                mstore(add(state, i), and(add(mload(add(state, i)), mload(add(start, i))), low))
            }
        }
    }

    /// @dev Writes four blocks of text: the stream, its words little-endian, over the data from an offset on.
    function _cover(uint256[16] memory state, bytes memory text, bytes calldata data, uint256 offset) private pure {
        assembly ("memory-safe") {
            let b := 0x00000000000000ff00000000000000ff00000000000000ff00000000000000ff
            for { let i := 0 } lt(i, 512) { i := add(i, 32) } {
                let x := mload(add(state, i))
                let outer := or(shl(24, and(x, b)), and(shr(24, x), b))
                let inner := or(shl(8, and(x, shl(8, b))), and(shr(8, x), shl(8, b)))
                mstore(add(state, i), or(outer, inner))
            }
            for { let lane := 0 } lt(lane, 4) { lane := add(lane, 1) } {
                let down := mul(64, lane)
                for { let half := 0 } lt(half, 512) { half := add(half, 256) } {
                    let from := add(state, half)
                    let stream := 0
                    for { let i := 0 } lt(i, 256) { i := add(i, 32) } {
                        stream := or(shl(32, stream), and(shr(down, mload(add(from, i))), 0xffffffff))
                    }
                    let place := add(offset, add(mul(64, lane), shr(3, half)))
                    // What lies beyond the data is calldata of something else; it is cut off in the end.
                    mstore(add(add(text, 32), place), xor(stream, calldataload(add(data.offset, place))))
                }
            }
        }
    }
}
