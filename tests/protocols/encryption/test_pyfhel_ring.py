from __future__ import annotations

import subprocess
import sys

import numpy as np

from protocols.encryption import expand, message, pyfhel_ring
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.ring import SEAL_PRIMES
from protocols.encryption.scheme import PublicContext
from protocols.types import Secret


def test_our_primes_are_seals() -> None:
    assert pyfhel_ring.primes() == SEAL_PRIMES


def test_pyfhel_itself_decrypts_the_same_sum_under_the_summed_key() -> None:
    scheme, context = OneTimeKeyScheme(), PublicContext(bytes(32), 1, 0)
    updates = np.random.default_rng(8).integers(-(2**15), 2**15, (16, 2 * 16_384))
    seeds = [Secret(bytes([number]) * 32) for number in range(16)]
    total = scheme.add([scheme.encrypt(lanes, seed, context) for lanes, seed in zip(updates, seeds, strict=True)])
    summed_key = np.sum([expand.key(seed) for seed in seeds], axis=0)
    for index in (0, 1):
        a = expand.public_polynomial(context, index)
        decrypted = pyfhel_ring.decrypt_residues(total[index], a, summed_key)
        lanes, noise = message.decode(scheme.ring, scheme.ring.inverse(decrypted)[None])
        assert (lanes == updates.sum(axis=0)[16_384 * index :][:16_384]).all()
        assert noise <= 21 * 16
    nearly = summed_key.copy()
    nearly[0] += 1
    wrong = pyfhel_ring.decrypt_residues(total[0], expand.public_polynomial(context, 0), nearly)
    assert message.decode(scheme.ring, scheme.ring.inverse(wrong)[None])[1] > 21 * 16


def test_the_scheme_runs_without_pyfhel() -> None:
    program = (
        "import sys; from protocols.encryption import pyfhel_ring, schemes; "
        "schemes.scheme('one-time-key'); sys.exit('Pyfhel' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
