"""TenSEAL: all encrypt to one CKKS key, whose owner decrypts. CPU seconds and bytes by role, as JSON.

python tenseal_sum.py PARAMETERS CONTRIBUTORS        (in an environment with tenseal)
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import tenseal as ts

PARAMETERS, CONTRIBUTORS = int(sys.argv[1]), int(sys.argv[2])
SLOTS = 4096

context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 60], n_threads=1)
context.global_scale = 2**40
update = np.random.default_rng(0).normal(0, 0.01, PARAMETERS)
parts = [update[start : start + SLOTS] for start in range(0, PARAMETERS, SLOTS)]

began = time.process_time()
blobs = [ts.ckks_vector(context, part).serialize() for part in parts]
encrypted = time.process_time()
sums = []
for blob in blobs:
    total = ts.ckks_vector_from(context, blob)
    for _ in range(CONTRIBUTORS - 1):  # the same ciphertext again: as costly as another one
        total.add_(ts.ckks_vector_from(context, blob))
    sums.append(total)
added = time.process_time()
opened = np.concatenate([total.decrypt() for total in sums])[:PARAMETERS]
decrypted = time.process_time()

assert np.abs(opened - CONTRIBUTORS * update).max() < 1e-3, "the sum is wrong"
print(
    json.dumps(
        {
            "contributor": {"cpu_s": encrypted - began, "bytes": sum(map(len, blobs))},
            "aggregator": {"cpu_s": added - encrypted, "bytes": sum(len(total.serialize()) for total in sums)},
            "opener": {"cpu_s": decrypted - added, "bytes": 0},
        }
    )
)
