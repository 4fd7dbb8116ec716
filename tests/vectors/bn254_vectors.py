"""Writes bn254.json, which the contracts' tests read: `python tests/vectors/bn254_vectors.py`.

Keys are the numbers 1, 2, ...; so a sum of keys is the key of the sum.
"""

import json
from pathlib import Path

from contracts.bn254 import POSSESSION_DOMAIN, VOTE_DOMAIN, SecretKey, hash_to_curve

HERE = Path(__file__).parent
KEYS = 40
CHAIN, CONTRACT, ACCOUNT = 77, b"\x22" * 20, b"\x33" * 20


def vectors() -> dict[str, object]:
    """All that is in the file; points in hex."""
    digests = [bytes([number]) * 32 for number in range(1, 9)]
    keys = [SecretKey(number) for number in range(1, KEYS + 1)]
    return {
        "digests": [f"0x{digest.hex()}" for digest in digests],
        "points": [f"0x{hash_to_curve(VOTE_DOMAIN, digest).hex()}" for digest in digests],
        "possession_points": [f"0x{hash_to_curve(POSSESSION_DOMAIN, digest).hex()}" for digest in digests],
        "keys": [f"0x{key.public.key.hex()}" for key in keys],
        "twins": [f"0x{key.public.twin.hex()}" for key in keys],
        "signatures": [f"0x{keys[0].sign(digest).hex()}" for digest in digests],
        "chain_id": CHAIN,
        "contract": f"0x{CONTRACT.hex()}",
        "account": f"0x{ACCOUNT.hex()}",
        "possession": f"0x{keys[6].possession(CHAIN, CONTRACT, ACCOUNT).hex()}",
    }


if __name__ == "__main__":
    (HERE / "bn254.json").write_text(json.dumps(vectors(), indent=1) + "\n")
