"""Merkle roots of ciphertexts compiled by numba: bit by bit what `protocols.merkle` gives, some three times faster.

A ciphertext is 255 short hashes, and calling a library costs more than each of them. So SHA-256 (FIPS 180-4) runs here
on sixteen messages of one length side by side, one in each lane of the machine's vectors (Gueron and Krasnov,
"Simultaneous Hashing of Multiple Messages", 2012). Like `compiled.py` it is only for what moves large models.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocols.encryption.kernels import compiled, inlined
from protocols.merkle import LEAF_RESIDUES

_LANES = 16
_STEPS = 64
_VARIABLES = _STEPS + 4
"""Of eight working variables only two are new in a step, and the others move on: kept as two series, a and e."""
_E, _W = _VARIABLES * _LANES, 2 * _VARIABLES * _LANES
"""Where e's series and the message schedule begin in a work space that begins with a's."""
_LEAF_BITS = 8 * (10 + 8 * LEAF_RESIDUES)
_LEAF_BLOCKS = 9
_NODE_BITS = 8 * 65
DIGEST_WORDS = 8
_BLOCK = 16
"""Words of a state, which is a digest in the end, and of a block."""


def _fraction_bits(primes: list[int], root: int) -> npt.NDArray[np.uint32]:
    """The first 32 bits of the fractional parts of square or cube roots (FIPS 180-4, 4.2.2 and 5.3.3)."""
    return np.array([_floor_root(prime << (32 * root), root) & 0xFFFF_FFFF for prime in primes], dtype=np.uint32)


def _floor_root(number: int, root: int) -> int:
    low, high = 0, 1 << (number.bit_length() // root + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**root <= number else (low, middle)
    return low


_PRIMES = [number for number in range(2, 312) if all(number % divisor for divisor in range(2, number))]
_CONSTANTS = _fraction_bits(_PRIMES, 3)
_INITIAL = _fraction_bits(_PRIMES[:DIGEST_WORDS], 2)


@inlined
def _word(value):  # type: ignore[no-untyped-def]  # numba infers the types
    """Its last 32 bits: numba counts in 64 of them."""
    return np.uint32(value)


@inlined
def _turned(word, bits):  # type: ignore[no-untyped-def]
    """Rotated to the right."""
    return _word(_word(word >> np.uint32(bits)) | _word(word << np.uint32(32 - bits)))


@compiled
def _compress(state, work):  # type: ignore[no-untyped-def]
    """FIPS 180-4, 6.2.2, for sixteen blocks, the first 16 * 16 words of the schedule; state uint32[8 * 16]."""
    for t in range(_BLOCK, _STEPS):
        for lane in range(_LANES):
            old, new = work[_W + (t - 15) * _LANES + lane], work[_W + (t - 2) * _LANES + lane]
            old = _word(_turned(old, 7) ^ _turned(old, 18) ^ _word(old >> np.uint32(3)))
            new = _word(_turned(new, 17) ^ _turned(new, 19) ^ _word(new >> np.uint32(10)))
            kept = _word(work[_W + (t - 16) * _LANES + lane] + work[_W + (t - 7) * _LANES + lane])
            work[_W + t * _LANES + lane] = _word(kept + _word(old + new))
    for i in range(4):
        for lane in range(_LANES):
            work[(3 - i) * _LANES + lane] = state[i * _LANES + lane]
            work[_E + (3 - i) * _LANES + lane] = state[(4 + i) * _LANES + lane]
    for t in range(_STEPS):
        constant = _CONSTANTS[t]
        for lane in range(_LANES):
            a, b, c = work[(t + 3) * _LANES + lane], work[(t + 2) * _LANES + lane], work[(t + 1) * _LANES + lane]
            e, f = work[_E + (t + 3) * _LANES + lane], work[_E + (t + 2) * _LANES + lane]
            g, h = work[_E + (t + 1) * _LANES + lane], work[_E + t * _LANES + lane]
            mixed = _word(h + _word(_turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)))
            mixed = _word(mixed + _word((e & f) ^ (~e & g)))
            mixed = _word(_word(mixed + constant) + work[_W + t * _LANES + lane])
            other = _word(_turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22))
            other = _word(other + _word((a & b) ^ (a & c) ^ (b & c)))
            work[_E + (t + 4) * _LANES + lane] = _word(work[t * _LANES + lane] + mixed)
            work[(t + 4) * _LANES + lane] = _word(mixed + other)
    for i in range(4):
        for lane in range(_LANES):
            state[i * _LANES + lane] = _word(state[i * _LANES + lane] + work[(67 - i) * _LANES + lane])
            low = (4 + i) * _LANES + lane
            state[low] = _word(state[low] + work[_E + (67 - i) * _LANES + lane])


@compiled
def _write_leaf(chunk, prime, index, row, words):  # type: ignore[no-untyped-def]
    """A padded leaf: 0x00 || chunk u32 || prime u8 || index u32 || 64 residues u64, big-endian: words straddle them."""
    first = index * LEAF_RESIDUES
    words[0], words[1] = _word(chunk >> 8), _word(chunk << 24 | prime << 16 | index >> 16)
    words[2] = _word(np.uint64(index << 16) | (row[first] >> np.uint64(48)))
    for i in range(LEAF_RESIDUES):
        words[2 * i + 3] = _word(row[first + i] >> np.uint64(16))
    for i in range(LEAF_RESIDUES - 1):
        words[2 * i + 4] = _word((row[first + i] << np.uint64(16)) | (row[first + i + 1] >> np.uint64(48)))
    words[2 * LEAF_RESIDUES + 2] = _word((row[first + LEAF_RESIDUES - 1] << np.uint64(16)) | np.uint64(0x8000))
    for i in range(2 * LEAF_RESIDUES + 3, len(words) - 1):
        words[i] = 0
    words[len(words) - 1] = _LEAF_BITS


@compiled
def _node_word(digests, pair, place):  # type: ignore[no-untyped-def]
    """Word `place` of a padded node: 0x01 || left || right, whose words lie one behind the other."""
    if place > _BLOCK:
        return _word(_NODE_BITS) if place == 2 * _BLOCK - 1 else _word(0)
    before = np.uint32(1) if place == 0 else digests[2 * pair * DIGEST_WORDS + place - 1]
    after = np.uint32(0x80000000) if place == _BLOCK else digests[2 * pair * DIGEST_WORDS + place]
    return _word(_word(before << np.uint32(24)) | _word(after >> np.uint32(8)))


@compiled
def _begin(state):  # type: ignore[no-untyped-def]
    for i in range(DIGEST_WORDS):
        for lane in range(_LANES):
            state[i * _LANES + lane] = _INITIAL[i]


@compiled
def _keep(state, digests, start, count):  # type: ignore[no-untyped-def]
    for lane in range(count):
        for i in range(DIGEST_WORDS):
            digests[(start + lane) * DIGEST_WORDS + i] = state[i * _LANES + lane]


@compiled
def _leaves(chunk, residues, digests, state, work):  # type: ignore[no-untyped-def]
    """The leaves of a ciphertext uint64[primes, degree], prime after prime, as words one behind the other."""
    a_prime = residues.shape[1] // LEAF_RESIDUES
    count = len(residues) * a_prime
    messages = np.zeros((_LANES, _LEAF_BLOCKS * _BLOCK), np.uint32)  # of the last group some lanes may be idle
    for start in range(0, count, _LANES):
        busy = min(_LANES, count - start)
        for lane in range(busy):
            prime, index = (start + lane) // a_prime, (start + lane) % a_prime
            _write_leaf(chunk, prime, index, residues[prime], messages[lane])
        _begin(state)
        for block in range(_LEAF_BLOCKS):
            for i in range(_BLOCK):
                for lane in range(_LANES):
                    work[_W + i * _LANES + lane] = messages[lane, block * _BLOCK + i]
            _compress(state, work)
        _keep(state, digests, start, busy)


@compiled
def _climb(digests, count, state, work):  # type: ignore[no-untyped-def]
    """One level up, in place; returns how many are there. An odd one is promoted as it is."""
    pairs = count // 2
    for start in range(0, pairs, _LANES):
        _begin(state)
        for block in range(2):
            for lane in range(_LANES):
                pair = min(start + lane, pairs - 1)
                for i in range(_BLOCK):
                    work[_W + i * _LANES + lane] = _node_word(digests, pair, block * _BLOCK + i)
            _compress(state, work)
        _keep(state, digests, start, min(_LANES, pairs - start))
    if count % 2:
        for i in range(DIGEST_WORDS):
            digests[pairs * DIGEST_WORDS + i] = digests[(count - 1) * DIGEST_WORDS + i]
    return pairs + count % 2


@compiled
def merkle_roots(residues, first):  # type: ignore[no-untyped-def]
    """Of uint64[ciphertexts, primes, degree], contiguous: uint32[ciphertexts, 8]."""
    roots = np.empty((len(residues), DIGEST_WORDS), np.uint32)
    count = residues.shape[1] * (residues.shape[2] // LEAF_RESIDUES)
    digests = np.empty(count * DIGEST_WORDS, np.uint32)
    state, work = np.empty(DIGEST_WORDS * _LANES, np.uint32), np.empty((2 * _VARIABLES + _STEPS) * _LANES, np.uint32)
    for ciphertext in range(len(residues)):
        _leaves(first + ciphertext, residues[ciphertext], digests, state, work)
        left = count
        while left > 1:
            left = _climb(digests, left, state, work)
        for i in range(DIGEST_WORDS):
            roots[ciphertext, i] = digests[i]
    return roots
