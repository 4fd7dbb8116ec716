"""DESILO FHE: all encrypt to a joint CKKS key and all must help to decrypt. CPU seconds and bytes by role, as JSON.

python desilo_sum.py PARAMETERS CONTRIBUTORS        (in an environment with desilofhe)
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from desilofhe import Engine

PARAMETERS, CONTRIBUTORS = int(sys.argv[1]), int(sys.argv[2])

engine = Engine(max_level=1, multiparty=True, thread_count=1)
update = np.random.default_rng(0).normal(0, 0.01, PARAMETERS)
slots = engine.slot_count
parts = [np.resize(update[start : start + slots], slots) for start in range(0, PARAMETERS, slots)]
shared = engine.create_public_key_a()
secrets = [engine.create_secret_key() for _ in range(CONTRIBUTORS)]
public = engine.create_multiparty_public_key([engine.create_public_key_b(key, shared) for key in secrets], shared)

began = time.process_time()
blobs = [engine.serialize_ciphertext(engine.encrypt(part, public)) for part in parts]
encrypted = time.process_time()
sums = []
for blob in blobs:
    total = engine.deserialize_ciphertext(blob)
    for _ in range(CONTRIBUTORS - 1):  # the same ciphertext again: as costly as another one
        total = engine.add(total, engine.deserialize_ciphertext(blob))
    sums.append(total)
added = time.process_time()
helped = 0.0
opening, opened, share_bytes = 0.0, [], 0
for number, total in enumerate(sums):
    start = time.process_time()
    shares = [engine.individual_decrypt(total, key) for key in secrets]
    helped += (time.process_time() - start) / CONTRIBUTORS
    if number == 0:
        share_bytes = len(sums) * len(engine.serialize_decrypted_share(shares[0]))
    start = time.process_time()
    opened.append(engine.multiparty_decrypt(total, shares))
    opening += time.process_time() - start

got = np.concatenate(opened)[:PARAMETERS]
assert np.abs(got - CONTRIBUTORS * update).max() < 1e-3, "the sum is wrong"
print(
    json.dumps(
        {
            "contributor": {"cpu_s": encrypted - began + helped, "bytes": sum(map(len, blobs)) + share_bytes},
            "aggregator": {
                "cpu_s": added - encrypted,
                "bytes": sum(len(engine.serialize_ciphertext(total)) for total in sums),
            },
            "opener": {"cpu_s": opening, "bytes": 0},
        }
    )
)
