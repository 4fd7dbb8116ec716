"""`p2pnode run` and `validate` with wrong inputs on a real dev chain: one clear sentence each, and nothing staked."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import structlog
import trio

from p2pnode.cli import main as cli
from p2pnode.disk import FolderDisk
from p2pnode.identity import load_identity, save_identity
from p2pnode.learning.task import load_task
from protocols.types import Secret
from tests.p2pnode.kit import Founded

NOBODY = "12D3KooWGP2ta4hPFXxKExxfVpoA39XJMEJfY5HWZzr6drMt3PJj"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's folder with its keys and a data file that fits."""
    for name in [name for name in os.environ if name.startswith("P2PNODE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setitem(save_identity.__kwdefaults__, "scrypt_n", 16)
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "correct horse")
    monkeypatch.setattr(sys, "argv", ["p2pnode", "init", "--folder", str(tmp_path)])
    with pytest.raises(SystemExit):
        cli.main()
    data().to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path


@pytest.fixture
def started(
    node: Path, founded: Founded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """Starts the node with flags; returns the one sentence with which it refuses. Nothing may have been staked."""

    def call(*flags: object, command: str = "run") -> str:
        chain = (
            []
            if "--chain" in flags
            else ["--chain", founded.url, "--registry", founded.registry, "--subnet", founded.number]
        )
        arguments = [command, "--folder", node, "--data", node / "mine.csv", *chain, *flags]
        monkeypatch.setattr(sys, "argv", ["p2pnode", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        err = capsys.readouterr().err
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert ended.value.code == 1
        assert "Traceback" not in err
        assert len(errors) == 1, err
        assert not (node / "telemetry.url").exists()
        return errors[0]

    yield call
    structlog.reset_defaults()
    operator = load_identity(node, Secret(b"correct horse")).operator
    assert operator not in [record.address for record in founded.operators()]


def data() -> pd.DataFrame:
    examples, schema = load_task("spector").dataset().train, load_task("spector").schema
    frame = pd.DataFrame(examples.x, columns=[column.name for column in schema.features])
    frame[schema.label.name] = examples.y
    return frame


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_a_dead_chain(started: Callable[..., str], founded: Founded) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    said = started("--chain", url, "--registry", founded.registry, "--subnet", 1)
    assert f"no chain answers at {url}" in said


def test_a_subnet_that_was_never_founded(started: Callable[..., str], founded: Founded) -> None:
    assert "99" in started("--subnet", 99)


def test_a_registry_that_is_none(started: Callable[..., str], founded: Founded) -> None:
    assert "stands no contract of 2PM" in started("--registry", "0x" + "11" * 20)


def test_nothing_to_join_by(started: Callable[..., str], founded: Founded) -> None:
    assert "bootstrap is not set: give --bootstrap" in started("--chain", founded.url)


def test_a_bootstrap_peer_that_does_not_answer(started: Callable[..., str], founded: Founded) -> None:
    address = f"/ip4/127.0.0.1/tcp/{closed_port()}/p2p/{NOBODY}"
    said = started("--chain", founded.url, "--bootstrap", address)
    assert "no bootstrap peer says which subnet it serves" in said
    assert "Connection refused" in said
    assert "no bootstrap peer answers" in started("--bootstrap", address)


@pytest.mark.parametrize("address", ["127.0.0.1:6701", "/ip4/127.0.0.1/tcp/6701", "/ip4/127.0.0.1/tcp/1/p2p/junk"])
def test_a_bootstrap_address_that_is_none(started: Callable[..., str], founded: Founded, address: str) -> None:
    assert address in started("--chain", founded.url, "--bootstrap", address)


def test_a_port_in_use(started: Callable[..., str], busy_port: int) -> None:
    assert str(busy_port) in started("--listen", f"/ip4/127.0.0.1/tcp/{busy_port}")
    assert "choose another metrics_port" in started("--metrics-port", busy_port)


def test_no_data_file(started: Callable[..., str], node: Path) -> None:
    assert "none.csv" in started("--data", node / "none.csv")


def test_data_with_a_gap(started: Callable[..., str], node: Path) -> None:
    frame = data()
    column = frame.columns[0]
    frame.loc[3, column] = float("nan")
    frame.to_csv(node / "mine.csv", index=False)
    said = started()
    assert column in said
    assert "mine.csv" in said


def test_data_without_a_column(started: Callable[..., str], node: Path) -> None:
    column = data().columns[1]
    data().drop(columns=[column]).to_csv(node / "mine.csv", index=False)
    assert column in started()


def test_data_that_is_not_a_table(started: Callable[..., str], node: Path) -> None:
    (node / "mine.csv").write_bytes(b"\x00\xff" * 100)
    assert "mine.csv" in started()


def test_a_journal_that_the_disk_damaged(started: Callable[..., str], node: Path) -> None:
    with FolderDisk(node, 1 << 20) as disk:
        disk.append(b"first record")
        disk.append(b"second record")
        trio.run(disk.commit)
    journal = node / "journal"
    damaged = bytearray(journal.read_bytes())
    damaged[14] ^= 1
    journal.write_bytes(damaged)
    said = started()
    assert f"the journal {journal} is damaged" in said
    assert "byte 0" in said
    assert journal.read_bytes() == damaged


def test_a_folder_in_use_by_another_node(started: Callable[..., str], node: Path) -> None:
    with FolderDisk(node, 1 << 20):
        assert "another node is running in" in started()


def test_a_folder_that_cannot_be_written(
    started: Callable[..., str], node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run by root, permissions refuse nothing: the file system has to."""
    opened = os.open

    def read_only(path: object, flags: int, *more: int, **named: int) -> int:
        if str(path).startswith(str(node)) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *more, **named)  # type: ignore[arg-type]  # whatever os.open takes

    monkeypatch.setattr(os, "open", read_only)
    said = started()
    assert "Read-only file system" in said
    assert str(node) in said


def test_a_wrong_passphrase(started: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "wrong")
    said = started(command="validate")
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "correct horse")
    assert "the passphrase does not open the peer key" in said


def test_a_validator_needs_no_data(started: Callable[..., str]) -> None:
    address = f"/ip4/127.0.0.1/tcp/{closed_port()}/p2p/{NOBODY}"
    said = started("--data", "none.csv", "--bootstrap", address, command="validate")
    assert "no bootstrap peer answers" in said
