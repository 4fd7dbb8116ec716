"""What a secure sum costs: CPU seconds and bytes of contributor, aggregator, member and opener, beside other systems.

    python benchmarks/aggregation.py [--parameters 1000000] [--contributors 16] [--envs FOLDER] [--json FILE]

Ours is what the node runs, from the update's float32 tensors to the exact sum: 16-bit values, a committee of 11 in 16,
dealings with all their proofs, signatures, Merkle roots. With --envs, beside it on as many values: TenSEAL (one CKKS
key, 8192 [60, 40, 60]), DESILO FHE (a joint CKKS key, n of n) and Flower's SecAgg+ functions: the packages of the extra
`bench`, each in an environment of its own in that folder, made if it is not there; one that cannot be made is reported
as missing, with the reason.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from protocols.encryption.lanes import check_sum, lanes_digest, pack_values, unpack_sums
from protocols.encryption.packing import pack_share
from protocols.encryption.scheme import PublicContext, Residues
from protocols.encryption.schemes import scheme
from protocols.encryption.sealing import EpochKeyPair
from protocols.encryption.sharing import add_shares
from protocols.params import Params
from protocols.rounds.contribution import encrypt_update
from protocols.rounds.dealing import check_dealing, open_share, sealed_digest
from protocols.rounds.epoch import draw_epoch
from protocols.types import NO_DIGEST, Height, Role, Secret
from protocols.updates.chunks import chunk_root, verify_chunk
from protocols.updates.clip import to_grid
from protocols.updates.schema import TensorSpec, UpdateSchema
from protocols.wire.envelope import Signed, signer
from protocols.wire.messages import Manifest, Release, Submission

T = TypeVar("T")
BASELINES = Path(__file__).parent / "baselines"
BIN = Path(sys.executable).parent
PARAMS = Params(k_min=5, dropouts=3, committee=16, threshold=11)
HEIGHT, TAU = Height(2), 30.0

OTHERS = {
    "TenSEAL": ("tenseal", "tenseal_sum.py", []),
    "DESILO FHE": ("desilofhe", "desilo_sum.py", []),
    "Flower SecAgg+ (16 shares)": ("flwr", "secagg_sum.py", ["16", "11"]),
    "Flower SecAgg+ (5 shares)": ("flwr", "secagg_sum.py", ["5", "3"]),
}
"""Name: package, script, further arguments."""

PROTECTS = {
    "2pm": "updates from all but 11 of 16 members and from the servers; members and contributors may lie or vanish",
    "TenSEAL": "updates from the aggregator alone: whoever holds the key reads each; nobody may lie",
    "DESILO FHE": "updates from all but everybody together; one that vanishes or lies stops the sum",
    "Flower SecAgg+ (16 shares)": "updates from a server that follows the protocol (masks from 32-bit seeds); "
    "clients may vanish, not lie",
}


@dataclass
class Account:
    """CPU seconds by step, and bytes, of one role."""

    steps: dict[str, float] = field(default_factory=dict)
    bytes: int = 0

    def run(self, step: str, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result; its CPU time (of all threads) counts as this step."""
        began = time.process_time()
        result = function(*arguments)
        self.steps[step] = self.steps.get(step, 0.0) + time.process_time() - began
        return result

    def report(self, times: int = 1) -> dict[str, Any]:
        """For each of so many that did the same."""
        steps = {step: seconds / times for step, seconds in self.steps.items()}
        return {"cpu_s": sum(steps.values()), "bytes": self.bytes // times, "steps": steps}


def tensors(number: int, parameters: int) -> dict[str, Any]:
    """A contributor's update."""
    return {"weights": np.random.default_rng(number).normal(0, 0.01, parameters).astype(np.float32)}


class Cell:
    """One cell and its committee, with everybody's part in a round as one method."""

    def __init__(self, contributors: int, parameters: int) -> None:
        self.parameters = parameters
        self.schema = UpdateSchema((TensorSpec("weights", (parameters,), TAU / 32_767, TAU),))
        self.layout = self.schema.layout
        self.scheme = scheme("one-time-key", self.layout.ciphertexts)
        self.peers = [signer(Secret(number.to_bytes(32, "big"))) for number in range(1, contributors + 17)]
        roles = [Role.DATA] * contributors + [Role.COMPUTE] * 16
        roster = [(key, role) for (key, _), role in zip(self.peers, roles, strict=True)]
        self.view = draw_epoch(31337, 1, 0, bytes(32), PARAMS, roster)
        self.keys = [EpochKeyPair.generate(Secret(bytes([member]) * 32)) for member in range(1, 17)]
        self.context = PublicContext(self.view.round_beacon(HEIGHT), HEIGHT, 0)

    def contribute(self, number: int, account: Account) -> tuple[Signed, Any]:
        """From the update's tensors to what is sent."""
        update, (me, sign) = tensors(number, self.parameters), self.peers[number]
        grid = account.run("clip, grid", to_grid, update, self.schema)
        lanes = account.run("lanes", pack_values, grid, self.schema)
        account.run("tag", lanes_digest, lanes)
        keys = {member: pair.public for member, pair in enumerate(self.keys, start=1)}
        arguments = (self.scheme, self.view, HEIGHT, 0, me, lanes, Secret(os.urandom(32)), keys, self.layout)
        made = account.run("encrypt, Merkle, pack, deal, seal", encrypt_update, *arguments)
        roots, shares = tuple(root for root, _ in made.chunks), tuple(map(sealed_digest, made.dealt.sealed))
        manifest = Manifest(self.view.slot(HEIGHT), 0, NO_DIGEST, roots, shares, made.dealt.dealing)
        signed = account.run("sign", sign, manifest)
        sealed = [*made.dealt.sealed, b"", b""]  # sixteen members, two aggregators
        sent = [account.run("sign", sign, Submission(manifest.slot, signed.encoded, each)) for each in sealed]
        account.bytes += sum(len(blob) for _, blob in made.chunks) + sum(map(len, made.dealt.sealed))
        account.bytes += len(signed.encoded)
        self.copies = sum(len(each.encoded) for each in sent) - sum(map(len, sealed)) - len(signed.encoded)
        return signed, made

    def aggregate(self, made: list[Any], account: Account) -> Residues:
        """All ciphertexts checked against their digests and added, index by index."""
        totals = np.empty((self.layout.ciphertexts, 2, 4096), np.uint64)
        for index in self.layout.indices:
            total = np.zeros((1, 2, 4096), np.uint64)
            for each in made:
                root, blob = each.chunks[index]
                chunk = account.run("verify", verify_chunk, blob, index, root, self.scheme)
                account.run("add", self.scheme.add_to, total, chunk[None])
            account.run("roots, pack", chunk_root, total[0], index)
            account.bytes += sum(map(len, account.run("roots, pack", self.scheme.pack, total)))
            totals[index] = total[0]
        return totals

    def hold(self, member: int, submitted: list[tuple[Signed, Any]], account: Account) -> Any:
        """A member opens and checks its share of each dealing, and releases their sum."""
        shares, key = [], self.keys[member - 1]
        for signed, made in submitted:
            assert isinstance(signed.message, Manifest)
            account.run("check dealings", check_dealing, self.view, signed.message, signed.signer)
            sealed = made.dealt.sealed[member - 1]
            arguments = (self.view, signed.message, signed.signer, member, key, sealed)
            shares.append(account.run("open, check shares", open_share, *arguments))
        summed = account.run("add", add_shares, shares)
        release = Release(self.view.slot(HEIGHT), 0, NO_DIGEST, pack_share(summed))
        account.bytes += 15 * len(account.run("sign", self.peers[-1][1], release).encoded)
        return summed

    def open(self, totals: Residues, released: dict[int, Any], contributors: int, account: Account) -> Any:
        """The summed key is found and proven, and all sums are read, block by block."""
        arguments = (totals[:1], self.context, released, PARAMS.threshold, contributors, self.layout)
        found = account.run("find key", self.scheme.find_key, *arguments)
        opened = account.run("decode", self.scheme.reopen, totals, self.context, found.key, contributors, self.layout)
        sums = account.run("values", unpack_sums, opened, self.schema)
        account.run("values", check_sum, sums, self.schema, contributors)
        return sums


def ours(contributors: int, parameters: int) -> dict[str, Any]:
    """All roles in turn, in this process; the sum is checked."""
    began = time.process_time()
    cell = Cell(contributors, parameters)
    loading = time.process_time() - began
    cell.contribute(0, Account())  # warm: kernels compiled, tables built
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accounts = {role: Account() for role in ("contributor", "aggregator", "member", "opener")}
    submitted = [cell.contribute(number, accounts["contributor"]) for number in range(contributors)]
    totals = cell.aggregate([made for _, made in submitted], accounts["aggregator"])
    members = range(1, PARAMS.threshold + 1)
    released = {member: cell.hold(member, submitted, accounts["member"]) for member in members}
    sums = cell.open(totals, released, contributors, accounts["opener"])["weights"]
    expected = sum(to_grid(tensors(number, parameters), cell.schema)["weights"] for number in range(contributors))
    assert (sums == expected).all(), "the sum is wrong"
    return {
        "contributor": accounts["contributor"].report(contributors),
        "aggregator": accounts["aggregator"].report(),
        "member": accounts["member"].report(len(members)),
        "opener": accounts["opener"].report(),
        "further_copies_of_the_manifest_bytes": cell.copies,
        "once_a_process_cpu_s": loading,
        "sum_sha256": hashlib.sha256(sums.tobytes()).hexdigest(),
        "peak_mib_of_all_roles_in_one_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peak_mib_after_one_contribution": before // 1024,
    }


def environment(folder: Path, package: str) -> Path:
    """The Python of a baseline's own environment; CalledProcessError where it cannot be made."""
    python = folder / package / "bin" / "python"
    if not python.exists():
        subprocess.run([str(BIN / "uv"), "venv", "-q", "-p", sys.executable, str(folder / package)], check=True)
        project = tomllib.loads((BASELINES.parents[1] / "pyproject.toml").read_text())["project"]
        (wanted,) = [each for each in project["optional-dependencies"]["bench"] if each.split("==")[0] == package]
        subprocess.run([str(BIN / "uv"), "pip", "install", "-q", "--python", str(python), wanted], check=True)
    return python


def other(name: str, contributors: int, parameters: int, folder: Path) -> dict[str, Any]:
    """A baseline's figures, or why there are none."""
    package, script, more = OTHERS[name]
    try:
        command = [environment(folder, package), BASELINES / script, str(parameters), str(contributors), *more]
        run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    except (subprocess.SubprocessError, OSError) as error:
        reason = f"{error} {getattr(error, 'stderr', None) or ''}".strip()
        print(f"{name} is missing: {reason}", file=sys.stderr)
        return {"missing": reason}
    figures: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=int, default=1_000_000)
    parser.add_argument("--contributors", type=int, default=16)
    parser.add_argument("--envs", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    counts = arguments.contributors, arguments.parameters
    load = os.getloadavg()[0]
    systems = {"2pm": ours(*counts)}
    if arguments.envs:
        systems |= {name: other(name, *counts, arguments.envs) for name in OTHERS}
    contributor = systems["2pm"]["contributor"]["cpu_s"]
    known = {name: each["contributor"]["cpu_s"] for name, each in systems.items() if "missing" not in each}
    report = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load_before": load,
        "contributors": arguments.contributors,
        "parameters": arguments.parameters,
        "systems": systems,
        "our_contributor_to_theirs": {name: contributor / theirs for name, theirs in known.items() if name != "2pm"},
        "protects": PROTECTS,
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
