"""The rules of the architecture, as a test: imports, mirrors, sizes, no waiting by sleeping. Each is shown to bite."""

import ast
import sys
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

ARROWS = {
    "protocols": {"protocols"},
    "contracts": {"contracts"},
    "p2pnode": {"p2pnode", "protocols", "contracts"},
    "simnet": {"simnet", "p2pnode", "protocols", "contracts"},
}
ONLY_IN = {
    "Pyfhel": ("protocols/encryption/pyfhel_ring.py",),
    "numba": ("protocols/encryption/kernels.py",),
    "libp2p": ("p2pnode/transport/",),
    "jax": ("p2pnode/learning/",),
    "web3": ("p2pnode/chain/", "contracts/"),
    "eth_account": ("p2pnode/chain/", "contracts/"),
    "eth_tester": ("contracts/",),
    "ray": ("simnet/ray_pool.py",),
}
"""Libraries that stay behind one adapter, and where that is."""

PROTOCOLS_LIBRARIES = {"msgpack", "numpy", "cryptography", "numba", "Pyfhel"}
PROTOCOLS_STDLIB_BANNED = {
    *("time", "datetime", "random", "secrets", "uuid"),
    *("os", "io", "pathlib", "shutil", "tempfile", "socket", "ssl", "http", "urllib"),
    *("threading", "asyncio", "concurrent", "multiprocessing", "subprocess", "signal"),
}
"""No I/O, no clock, no randomness and no threads in the rules."""

NO_MIRROR_NEEDED = {
    "protocols/errors.py": "exceptions that carry data",
    "p2pnode/cli/": "command line glue; the commands are tested as people use them, in tests/p2pnode/cli/test_main.py",
    "simnet/cli.py": "command line glue",
}
"""Behaviour whose tests stand elsewhere: path or folder, and why."""


def sources(*folders: str) -> dict[str, str]:
    found = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return {file.relative_to(ROOT).as_posix(): file.read_text() for file in found if "node_modules" not in file.parts}


def assert_none(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def product() -> dict[str, str]:
    return sources(*ARROWS)


def imports(path: str, source: str) -> list[str]:
    """The dotted names of all modules that a file imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = PurePosixPath(path).parts[: -node.level] if node.level else ()
            names.append(".".join([*base, *([node.module] if node.module else [])]))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            names += [
                arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.random", "numpy.random"):
            names.append("random")
    return names


def wrong_imports(path: str, source: str) -> list[str]:
    package, wrong = path.split("/")[0], []
    for name in imports(path, source):
        top = name.split(".")[0]
        if (
            (top in ARROWS and top not in ARROWS[package])
            or (top in ONLY_IN and not path.startswith(ONLY_IN[top]))
            or (package == "protocols" and top in PROTOCOLS_STDLIB_BANNED)
            or (package == "protocols" and top not in {*PROTOCOLS_LIBRARIES, *ARROWS, *sys.stdlib_module_names})
            or (package == "protocols" and name == "numpy.random")
        ):
            wrong.append(f"{path} must not import {name}")
    return wrong


def defines_behaviour(source: str) -> bool:
    """Whether any function does something: a body of more than docstring and `...`, as interfaces have."""

    def does(statement: ast.stmt) -> bool:
        return not (
            isinstance(statement, ast.Pass) or (isinstance(statement, ast.Expr) and is_constant(statement.value))
        )

    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(does(statement) for function in functions for statement in function.body)


def is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)


def missing_mirror(path: str, source: str, tests: set[str]) -> list[str]:
    module = PurePosixPath(path)
    mirror = str(PurePosixPath("tests", module.parent, f"test_{module.name}"))
    exempt = module.name == "__init__.py" or path.startswith(tuple(NO_MIRROR_NEEDED))
    if exempt or mirror in tests or not defines_behaviour(source):
        return []
    return [f"{path} has no {mirror}"]


def too_long(path: str, source: str) -> list[str]:
    lines = len(source.splitlines())
    wrong = [f"{path} has {lines} lines"] if lines > FILE_LINES_MAX else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                wrong.append(f"{path}:{node.lineno} {node.name} has {length} lines")
    return wrong


def long_sleeps(path: str, source: str) -> list[str]:
    """Sleeps of a second or more, but in virtual time: wait for an event or poll a condition instead."""
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    virtual = [f for f in functions if "autojump_clock" in {arg.arg for arg in f.args.args}]
    allowed = {node.lineno for function in virtual for node in ast.walk(function) if isinstance(node, ast.Call)}
    return [
        f"{path}:{node.lineno} sleeps"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "sleep"
        and any(
            isinstance(arg, ast.Constant) and isinstance(arg.value, int | float) and arg.value >= 1 for arg in node.args
        )
        and node.lineno not in allowed
    ]


def test_imports_follow_the_arrows():
    assert_none([problem for item in product().items() for problem in wrong_imports(*item)])


def test_what_defines_behaviour_has_its_mirror():
    tests = set(sources("tests"))
    assert_none([problem for path, text in product().items() for problem in missing_mirror(path, text, tests)])


def test_files_and_functions_are_short():
    files = product() | sources("tests", "tools", "benchmarks")
    assert_none([problem for item in files.items() for problem in too_long(*item)])


def test_no_test_waits_by_sleeping():
    assert_none([problem for item in sources("tests").items() for problem in long_sleeps(*item)])


def test_exemptions_are_still_needed():
    paths = list(product())
    assert_none([path for path in NO_MIRROR_NEEDED if not any(other.startswith(path) for other in paths)])


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("protocols/a.py", "import time"),
        ("protocols/a.py", "from datetime import datetime"),
        ("protocols/a.py", "def f():\n    import secrets"),
        ("protocols/a.py", "from os.path import join"),
        ("protocols/a.py", "import numpy as np\nnp.random.default_rng()"),
        ("protocols/a.py", "from numpy.random import default_rng"),
        ("protocols/a.py", "import importlib\nimportlib.import_module('socket')"),
        ("protocols/a.py", "import trio"),
        ("protocols/a.py", "import pydantic"),
        ("protocols/a.py", "from p2pnode.ports import Clock"),
        ("protocols/encryption/ring.py", "from Pyfhel import Pyfhel"),
        ("contracts/a.py", "from protocols.types import Digest"),
        ("p2pnode/node.py", "import simnet.world"),
        ("p2pnode/node.py", "import libp2p"),
        ("p2pnode/node.py", "import jax.numpy as jnp"),
        ("p2pnode/identity.py", "from eth_account import Account"),
        ("p2pnode/chain/client.py", "import eth_tester"),
        ("simnet/world.py", "from libp2p import new_host"),
    ],
)
def test_a_wrong_import_is_seen(path, source):
    assert len(wrong_imports(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("protocols/encryption/pyfhel_ring.py", "from Pyfhel import Pyfhel"),
        ("protocols/rounds/a.py", "from . import cells\nfrom ..types import Digest\nimport hashlib, struct, numpy"),
        ("p2pnode/transport/host.py", "import libp2p, trio\nfrom protocols.types import PeerKey"),
        ("p2pnode/chain/client.py", "import web3\nfrom contracts.bindings import Registry"),
        ("simnet/world.py", "import time\nimport p2pnode.node"),
    ],
)
def test_a_right_import_passes(path, source):
    assert wrong_imports(path, source) == []


def test_a_relative_import_is_followed():
    assert imports("p2pnode/transport/host.py", "from ..ports import Clock") == ["p2pnode.ports"]


def test_a_missing_mirror_is_seen():
    behaviour = "def f():\n    return 1"
    interface = 'from typing import Protocol\nclass P(Protocol):\n    def f(self):\n        """Says."""\n        ...'
    assert missing_mirror("protocols/rounds/a.py", behaviour, set()) != []
    assert missing_mirror("protocols/rounds/a.py", behaviour, {"tests/protocols/rounds/test_a.py"}) == []
    assert missing_mirror("protocols/rounds/a.py", interface, set()) == []
    assert missing_mirror("protocols/rounds/__init__.py", behaviour, set()) == []


def test_what_is_too_long_is_seen():
    assert too_long("a.py", "\n" * FILE_LINES_MAX) == []
    assert too_long("a.py", "\n" * (FILE_LINES_MAX + 1)) != []
    assert too_long("a.py", "def f():\n" + "    pass\n" * (FUNCTION_LINES_MAX - 1)) == []
    assert too_long("a.py", "async def f():\n" + "    pass\n" * FUNCTION_LINES_MAX) == [
        f"a.py:1 f has {FUNCTION_LINES_MAX + 1} lines"
    ]


def test_a_sleep_is_seen():
    assert long_sleeps("a.py", "import trio\nasync def f():\n    await trio.sleep(1)") == ["a.py:3 sleeps"]
    assert long_sleeps("a.py", "from time import sleep\nsleep(2.5)") == ["a.py:2 sleeps"]
    assert long_sleeps("a.py", "import trio\nasync def f():\n    await trio.sleep(0.01)") == []
    assert long_sleeps("a.py", "import trio\nasync def f(autojump_clock):\n    await trio.sleep(60)") == []
