"""Flower's own SecAgg+ functions, all clients sharing with SHARES of them: CPU seconds and bytes by role, as JSON.

python secagg_sum.py PARAMETERS CONTRIBUTORS SHARES THRESHOLD        (in an environment with flwr)
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from typing import Any

import numpy as np
from flwr.app import ConfigRecord
from flwr.common import bytes_to_ndarray, ndarrays_to_parameters
from flwr.common.secure_aggregation.crypto.shamir import combine_shares
from flwr.common.secure_aggregation.quantization import dequantize
from flwr.common.secure_aggregation.secaggplus_constants import Key
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen

PARAMETERS, CONTRIBUTORS, SHARES, THRESHOLD = map(int, sys.argv[1:])
client = importlib.import_module("flwr.client.mod.secure_aggregation.secaggplus_mod")  # the package hides the module
CLIP, TARGET, MODULUS = 8.0, 1 << 16, 1 << 32
"""16 bits a value, as ours, in Flower's default modulus."""

CONFIG: dict[str, Any] = {
    Key.SAMPLE_NUMBER: CONTRIBUTORS,
    Key.SHARE_NUMBER: SHARES,
    Key.THRESHOLD: THRESHOLD,
    Key.CLIPPING_RANGE: CLIP,
    Key.TARGET_RANGE: TARGET,
    Key.MOD_RANGE: MODULUS,
    Key.MAX_WEIGHT: 1.0,
}


def neighbours(number: int) -> list[int]:
    """A client and those next to it on the ring, SHARES in all."""
    return [(number + offset) % CONTRIBUTORS for offset in range(-(SHARES // 2), SHARES - SHARES // 2)]


def size(record: dict[str, Any]) -> int:
    """Bytes of a reply's contents."""
    values = [item for value in record.values() for item in (value if isinstance(value, list) else [value])]
    return sum(len(item) if isinstance(item, bytes) else 8 for item in values)


updates = [np.random.default_rng(number).normal(0, 0.01, PARAMETERS) for number in range(CONTRIBUTORS)]
states = [client.SecAggPlusState(nid=number) for number in range(CONTRIBUTORS)]
spent, sent = [0.0] * CONTRIBUTORS, [0] * CONTRIBUTORS


def timed(number: int, function: Any, *arguments: Any) -> dict[str, Any]:
    """One client's step, on its account."""
    began = time.process_time()
    reply: dict[str, Any] = function(states[number], *arguments)
    spent[number] += time.process_time() - began
    sent[number] += size(reply)
    return reply


everyone = range(CONTRIBUTORS)
public = [timed(number, client._setup, ConfigRecord(CONFIG)) for number in everyone]
keys = [[reply[Key.PUBLIC_KEY_1], reply[Key.PUBLIC_KEY_2]] for reply in public]
shared = [
    timed(number, client._share_keys, ConfigRecord({str(other): keys[other] for other in neighbours(number)}))
    for number in everyone
]
inbox: list[dict[int, bytes]] = [{} for _ in everyone]
for number, reply in enumerate(shared):
    for to, sealed in zip(reply[Key.DESTINATION_LIST], reply[Key.CIPHERTEXT_LIST], strict=True):
        inbox[to][number] = sealed
masked = []
for number in everyone:
    mail = ConfigRecord({Key.CIPHERTEXT_LIST: [*inbox[number].values()], Key.SOURCE_LIST: [*inbox[number]]})
    masked.append(timed(number, client._collect_masked_vectors, mail, 1, ndarrays_to_parameters([updates[number]])))

began = time.process_time()
total: Any = 0
for reply in masked:
    total = total + bytes_to_ndarray(reply[Key.MASKED_PARAMETERS][1])
summed = time.process_time() - began

unmask = [
    timed(
        number, client._unmask, ConfigRecord({Key.ACTIVE_NODE_ID_LIST: neighbours(number), Key.DEAD_NODE_ID_LIST: []})
    )
    for number in everyone
]
began = time.process_time()
pieces: list[list[bytes]] = [[] for _ in everyone]
for reply in unmask:
    for owner, share in zip(reply[Key.NODE_ID_LIST], reply[Key.SHARE_LIST], strict=True):
        pieces[owner].append(share)
began = time.process_time()
for shares in pieces:
    total = total - pseudo_rand_gen(combine_shares(shares), MODULUS, [(1,), (PARAMETERS,)])[1]
got = dequantize([total % MODULUS], CLIP, TARGET)[0] - (CONTRIBUTORS - 1) * CLIP
opened = time.process_time() - began

assert np.abs(got - np.sum(updates, axis=0)).max() < 2 * CLIP / TARGET * CONTRIBUTORS, "the sum is wrong"
print(
    json.dumps(
        {
            "contributor": {"cpu_s": statistics.median(spent), "bytes": max(sent)},
            "aggregator": {"cpu_s": summed, "bytes": 0},
            "opener": {"cpu_s": opened, "bytes": 0},
        }
    )
)
