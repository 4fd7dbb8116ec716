// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The curve alt_bn128 (EIP-196, EIP-197), as far as aggregated signatures need it
/// @notice Signatures and one half of each key are points of G1, which the chain can add and multiply; the other half of each
///         key is the same multiple of G2's generator, which the chain can only pair.
/// @dev A chain without these precompiles answers every call to them with success and nothing: so each answer must have its
///      full length. What is no point at all, the precompiles refuse themselves (for G2 the subgroup too).
library Bn254 {
    struct G1 {
        uint256 x;
        uint256 y;
    }

    /// @notice Imaginary parts before real ones, as EIP-197 has them.
    struct G2 {
        uint256 xImaginary;
        uint256 xReal;
        uint256 yImaginary;
        uint256 yReal;
    }

    /// @notice The field's prime.
    uint256 internal constant P = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    /// @notice The groups' order.
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @dev (P + 1) / 4: the exponent of a square root, since P = 3 modulo 4.
    uint256 private constant ROOT = 5472060717959818805561601436314318772174077789324455915672259473661306552146;
    /// @dev The largest multiple of P below 2^256: what is below it is uniform modulo P.
    uint256 private constant FAIR = 5 * P;
    uint256 private constant TRIES = 64;

    error NoPoint(bytes32 message);
    error PrecompileFailed(uint256 precompile);

    function generator() internal pure returns (G1 memory) {
        return G1(1, 2);
    }

    /// @notice The negative of G2's generator.
    function minusG2() internal pure returns (G2 memory) {
        return G2(
            11559732032986387107991004021392285783925812861821192530917403151452391805634,
            10857046999023057135944570762232829481370756359578518086990519993285655852781,
            P - 4082367875863433681332203403145435568316851327593401208105741076214120093531,
            P - 8495653923123431417604973247489272438418190587263600148770280649306958101930
        );
    }

    function isZero(G1 memory a) internal pure returns (bool) {
        return a.x == 0 && a.y == 0;
    }

    function minus(G1 memory a) internal pure returns (G1 memory) {
        return G1(a.x, a.y == 0 ? 0 : P - a.y);
    }

    function add(G1 memory a, G1 memory b) internal view returns (G1 memory sum) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mcopy(free, a, 64)
            mcopy(add(free, 64), b, 64)
            done := staticcall(gas(), 6, free, 128, sum, 64)
            if iszero(eq(returndatasize(), 64)) { done := 0 }
        }
        if (!done) revert PrecompileFailed(6);
    }

    function mul(G1 memory a, uint256 factor) internal view returns (G1 memory product) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mcopy(free, a, 64)
            mstore(add(free, 64), factor)
            done := staticcall(gas(), 7, free, 96, product, 64)
            if iszero(eq(returndatasize(), 64)) { done := 0 }
        }
        if (!done) revert PrecompileFailed(7);
    }

    /// @notice Whether e(a, b) e(c, d) = 1.
    function pairsToOne(G1 memory a, G2 memory b, G1 memory c, G2 memory d) internal view returns (bool one) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mcopy(free, a, 64)
            mcopy(add(free, 64), b, 128)
            mcopy(add(free, 192), c, 64)
            mcopy(add(free, 256), d, 128)
            done := staticcall(gas(), 8, free, 384, 0, 32)
            if iszero(eq(returndatasize(), 32)) { done := 0 }
            one := eq(mload(0), 1)
        }
        if (!done) revert PrecompileFailed(8);
    }

    /// @notice Whether `signature` is one under `message` by the key whose halves are `key` and `twin`, and these two are the
    ///         same multiple of their generators: e(signature + c key, -g2) e(message + c g1, twin) = 1.
    /// @param salt whatever else the factor c depends on; it follows from all points, too
    function isSignedBy(G1 memory message, G1 memory signature, G1 memory key, G2 memory twin, bytes32 salt)
        internal
        view
        returns (bool)
    {
        uint256 c = uint256(keccak256(abi.encode(salt, message, signature, key, twin))) % R;
        return pairsToOne(add(signature, mul(key, c)), minusG2(), add(message, mul(generator(), c)), twin);
    }

    /// @notice A point that follows from domain and message, and of which nobody knows the multiple: the first x among
    ///         keccak256(domain, message, counter) that is below 5 P, modulo P, and on the curve, with the even y.
    /// @dev More than 64 tries are needed once in 2^58 messages; then it reverts.
    function hashToCurve(bytes32 domain, bytes32 message) internal view returns (G1 memory) {
        for (uint256 i = 0; i < TRIES; ++i) {
            uint256 x = uint256(keccak256(abi.encode(domain, message, i)));
            if (x >= FAIR) continue;
            x %= P;
            uint256 square = addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
            uint256 y = _root(square);
            if (mulmod(y, y, P) == square) return G1(x, y & 1 == 0 ? y : P - y);
        }
        revert NoPoint(message);
    }

    /// @dev The square root, if there is one.
    function _root(uint256 square) private view returns (uint256 root) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, 32)
            mstore(add(free, 32), 32)
            mstore(add(free, 64), 32)
            mstore(add(free, 96), square)
            mstore(add(free, 128), ROOT)
            mstore(add(free, 160), P)
            done := staticcall(gas(), 5, free, 192, 0, 32)
            if iszero(eq(returndatasize(), 32)) { done := 0 }
            root := mload(0)
        }
        if (!done) revert PrecompileFailed(5);
    }
}
