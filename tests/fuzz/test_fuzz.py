"""The fuzz targets on their seeds, on what fuzzing ever found, on damaged seeds, and for a few seconds on new inputs.

`make fuzz` goes on for an hour.
"""

from __future__ import annotations

import ast
import inspect
import random
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.run import ALL, FINDINGS, fuzz
from tests.fuzz.seeds import Vectors
from tests.fuzz.targets import KINDS, TARGETS, refusing, round_trip

ROOT = Path(__file__).parents[2]
VECTORS = Vectors()
DAMAGED = 60
SHORT_S = 15
NO_DECODERS = {
    "p2pnode/learner.py step": "calls decode_total",
    "p2pnode/learner.py adopt": "calls load_model",
    "p2pnode/learner.py read": "the same",
    "p2pnode/transport/direct.py request": "sends our bytes; what comes back goes through FrameReader",
    "p2pnode/transport/host.py dial": "calls split_address",
    "protocols/encryption/sealing.py seal": "encrypts our bytes to a key that is_usable",
    "protocols/encryption/sealing.py encapsulate": "the same",
    "protocols/encryption/sealing.py shared_secrets": "behind find_opening",
    "protocols/encryption/degree.py check_degree": "calls read_proof",
    "protocols/encryption/scheme.py unpack": "the interface",
    "protocols/rounds/aggregate.py verify_ciphertexts": "calls verify_chunk",
    "protocols/rounds/dealing.py open_share": "calls find_opening, unseal and unpack_dealt",
    "protocols/rounds/dealing.py read_share": "calls unseal and unpack_dealt",
    "protocols/rounds/dealing.py check_promised": "compares a hash",
    "protocols/rounds/manifests.py accept": "calls open_manifest",
    "protocols/verification/proofs.py prove_wrong_sum": "calls verify_chunk, and that verify_chunks",
}
"""Functions that take bytes and speak of MalformedError, and are not in the table: why."""
OUR_OWN = {"Journal", "Lock", "_Record", "Journalled", "SumProof", "Contradiction", "CachedPeers"}
"""Records that are read from this node's own disk."""


def covered() -> set[str]:
    found = set()
    for target in TARGETS.values():
        for function in target.covers:
            file = inspect.getsourcefile(function)
            assert file is not None
            found.add(f"{Path(file).relative_to(ROOT).as_posix()} {function.__name__}")
    return found


def product() -> dict[str, ast.Module]:
    files = [file for folder in ("p2pnode", "protocols") for file in sorted((ROOT / folder).rglob("*.py"))]
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text()) for file in files}


def decoders(path: str, tree: ast.Module) -> set[str]:
    """Public functions that take bytes (or an address) and may call them malformed."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            types = [ast.unparse(each.annotation) for each in node.args.args if each.annotation is not None]
            takes = any("bytes" in each for each in types) or types == ["str"]
            if takes and "MalformedError" in ast.unparse(node):
                found.add(f"{path} {node.name}")
    return found


def decoded_kinds(tree: ast.Module) -> set[str]:
    """The records that are named in calls of `decode(bytes, kind, most)`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) == 3]
    named = [call.args[1] for call in calls if ast.unparse(call.func).split(".")[-1] == "decode"]
    return {kind.id for kind in named if isinstance(kind, ast.Name) and kind.id[0] in "_" + string.ascii_uppercase}


def test_every_decoder_of_outside_bytes_is_in_the_table() -> None:
    found = {each for path, tree in product().items() for each in decoders(path, tree)}
    assert found - covered() == set(NO_DECODERS)


def test_every_record_that_is_decoded_is_fuzzed() -> None:
    kinds = {kind for tree in product().values() for kind in decoded_kinds(tree)}
    behind_others = {"_Envelope", "_Pair"}  # of open_envelope and decode_evidence
    assert kinds - {kind.__name__ for kind in KINDS} - OUR_OWN == behind_others
    assert {"PeersResponse", "BlobRequest", "KeysRequest"} <= kinds


def test_a_decoder_that_is_forgotten_is_seen() -> None:
    tree = ast.parse('def read_ticket(data: bytes) -> int:\n    raise MalformedError("no")')
    assert decoders("p2pnode/new.py", tree) == {"p2pnode/new.py read_ticket"}
    assert decoded_kinds(ast.parse("decode(data, Ticket, 10)")) == {"Ticket"}


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_damaged_seeds(name: str) -> None:
    target, rng = TARGETS[name], random.Random(name)
    seeds = target.seeds(VECTORS)
    assert seeds
    for seed in (*seeds, b""):
        target.run(seed)
    for _ in range(DAMAGED):
        target.run(damaged(rng.choice(seeds), rng))


def damaged(seed: bytes, rng: random.Random) -> bytes:
    """One of: a byte changed, cut off, something put in between, a part repeated."""
    at = rng.randrange(len(seed) + 1)
    ways: list[Callable[[], bytes]] = [
        lambda: seed[:at] + rng.randbytes(1) + seed[at + 1 :],
        lambda: seed[:at],
        lambda: seed[:at] + rng.randbytes(rng.randrange(9)) + seed[at:],
        lambda: seed[:at] + seed[at // 2 :],
    ]
    return rng.choice(ways)()


def findings() -> list[Path]:
    return sorted(path for path in FINDINGS.rglob("*") if path.is_file())


def test_what_was_ever_found_is_cured() -> None:
    for path in findings():
        replay(path.parent.name, path.read_bytes())


def replay(name: str, data: bytes) -> None:
    names = sorted(TARGETS)
    if name == ALL:
        name, data = names[data[0] % len(names)], data[1:]
    TARGETS[name].run(data)


def test_a_finding_is_seen() -> None:
    """What raises anything but the documented errors, or accepts two encodings of one value, does not pass."""
    with pytest.raises(ValueError, match="invalid literal"):
        refusing(int)(b"x")
    with pytest.raises(AssertionError):
        round_trip(int, lambda number: str(number).encode())(b"007")


def test_a_short_fuzz_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="coverage-guided fuzzing needs atheris: no wheel for this platform")
    status, said = fuzz([ALL], SHORT_S, tmp_path)[ALL]
    assert status == 0, said
    assert "DONE" in said
