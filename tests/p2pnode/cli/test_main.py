"""The commands as people use them: what they say, where, and with which exit status."""

import json
import os
import stat
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from p2pnode.cli import main as cli
from p2pnode.cli import run as node
from p2pnode.cli.guard import guarded
from p2pnode.errors import ChainError
from p2pnode.identity import load_identity, save_identity
from p2pnode.settings import NodeSettings
from p2pnode.telemetry import ADDRESS_FILE, Telemetry
from protocols.errors import LocalError
from protocols.types import Secret


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("P2PNODE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setitem(save_identity.__kwdefaults__, "scrypt_n", 16)


@pytest.fixture
def invoke(capsys, monkeypatch):
    """Runs the console command; returns exit status, standard output and standard error."""

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["p2pnode", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.fixture
def folder(tmp_path, monkeypatch, invoke):
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "correct horse")
    assert invoke("init", "--folder", tmp_path / "node", "--chain", "http://127.0.0.1:1", "--data", "mine.csv")[0] == 0
    return tmp_path / "node"


@pytest.mark.parametrize(
    "command",
    [
        "",
        "init",
        "run",
        "validate",
        "status",
        "operator register",
        "operator leave",
        "operator status",
        "params explain",
    ],
)
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(cli.app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_the_version_is_shown(invoke):
    assert invoke("--version")[:2] == (0, "p2pnode 0.1.0\n")


def test_init_makes_keys_and_settings_that_the_other_commands_read(folder, invoke):
    identity = load_identity(folder, Secret(b"correct horse"))
    assert stat.S_IMODE((folder / "p2pnode.toml").stat().st_mode) == 0o600
    text = (folder / "p2pnode.toml").read_text()
    assert 'chain = "http://127.0.0.1:1"' in text
    assert f'data = "{os.getcwd()}/mine.csv"' in text  # noqa: PTH109  # the shell's idea of where we are
    code, _, err = invoke("init", "--folder", folder)
    assert (code, "never overwritten" in err) == (1, True)
    assert load_identity(folder, Secret(b"correct horse")).peer == identity.peer


def test_init_says_who_was_born_and_what_to_keep(tmp_path, monkeypatch, invoke):
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "correct horse")
    code, out, _ = invoke("init", "--folder", tmp_path)
    identity = load_identity(tmp_path, Secret(b"correct horse"))
    assert code == 0
    assert f"operator  0x{identity.operator.hex()}" in out
    assert "peer      12D3KooW" in out
    assert "Back up the keys" in out


def test_without_a_passphrase_nothing_is_made(tmp_path, invoke, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    code, _, err = invoke("init", "--folder", tmp_path / "node")
    assert (code, "set P2PNODE_PASSPHRASE" in err) == (1, True)
    assert not (tmp_path / "node").exists()


def test_run_and_validate_hand_over_settings_and_opened_keys(folder, invoke, monkeypatch):
    handed = []
    monkeypatch.setattr(node, "run", lambda settings, identity: handed.append((settings, identity)))
    assert invoke("run", "--folder", folder, "--metrics-port", "1234")[0] == 0
    assert invoke("validate", "--config", folder / "p2pnode.toml")[0] == 0
    (run, identity), (validate, _) = handed
    assert (run.metrics_port, run.chain, run.roles) == (1234, "http://127.0.0.1:1", ("data", "compute"))
    assert (validate.roles, validate.folder) == (("validator",), folder)
    assert identity.peer == load_identity(folder, Secret(b"correct horse")).peer


def test_a_wrong_passphrase_is_one_sentence(folder, invoke, monkeypatch):
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "wrong")
    code, _, err = invoke("run", "--folder", folder)
    assert code == 1
    assert err == f"error: the passphrase does not open the peer key ({folder}/keys/peer.json)\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("run", "--log-level", "loud"), "error: --log-level is wrong: input should be 'debug'"),
        (("run", "--config", "none.toml"), "error: cannot read the settings none.toml: No such file"),
        (("run", "--folder", "nowhere"), "error: no node lives in nowhere: `p2pnode init --folder nowhere` creates"),
        (("status", "--folder", "nowhere"), "error: no node is running in"),
    ],
)
def test_what_is_wrong_is_one_sentence(invoke, monkeypatch, tmp_path, args, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "x")
    code, out, err = invoke(*args)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(sentence)


def test_status_asks_the_running_node(tmp_path, invoke):
    telemetry = Telemetry()
    telemetry.told(task="digits", peers=3)
    with telemetry.served(0, tmp_path):
        code, out, _ = invoke("status", "--folder", tmp_path)
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert code == 0
    assert (lines["task"], lines["peers"], lines["height"]) == ("digits", "3", "-")


def test_a_node_that_was_killed_is_not_running(tmp_path, invoke):
    telemetry = Telemetry()
    with telemetry.served(0, tmp_path) as url:
        pass
    (tmp_path / ADDRESS_FILE).write_text(url)
    code, _, err = invoke("status", "--folder", tmp_path)
    assert (code, "no node is running" in err) == (1, True)


def raising(error):
    def program():
        raise error

    return program


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (LocalError("why"), 1, "error: why\n"),
        (ExceptionGroup("g", [ChainError("a"), ExceptionGroup("h", [LocalError("b"), ChainError("a")])]), 1, None),
        (KeyboardInterrupt(), 130, ""),
        (BaseExceptionGroup("g", [KeyboardInterrupt()]), 130, ""),
        (BaseExceptionGroup("g", [KeyboardInterrupt(), LocalError("b")]), 1, "error: b\n"),
    ],
)
def test_programs_end_with_sentences_and_statuses(capsys, error, code, err):
    with pytest.raises(SystemExit) as ended:
        guarded(raising(error))
    assert ended.value.code == code
    assert capsys.readouterr().err == ("error: a\nerror: b\n" if err is None else err)


@pytest.mark.parametrize("bug", [ValueError("bug"), ExceptionGroup("g", [LocalError("a"), ValueError("bug")])])
def test_a_bug_keeps_its_trace(bug):
    with pytest.raises(type(bug)):
        guarded(raising(bug))


def test_help_does_not_wait_for_the_heavy_libraries():
    script = "import sys, p2pnode.cli.main; print([m for m in ('jax', 'libp2p', 'web3', 'Pyfhel') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_every_setting_is_a_flag_of_run(invoke):
    text = CliRunner().invoke(cli.app, ["run", "--help"], env={"COLUMNS": "200"}).output
    assert [name for name in NodeSettings.model_fields if f"--{name.replace('_', '-')}" not in text] == []


def test_parameters_are_explained_with_bits_reasons_and_sources(invoke):
    code, out, _ = invoke("params", "explain")
    assert code == 0
    assert all(word in out for word in ("dev: claims nothing among strangers", "testnet: claims", "156.5", "eprint"))


def test_what_falls_short_is_shown_and_fails(invoke):
    code, out, err = invoke("params", "explain", "testnet", "--param", "k_min=5", "--json")
    found = {finding["name"]: finding for finding in json.loads(out)["testnet"]["findings"]}
    lonely = found["some cell with fewer than 2 honest contributors, an epoch"]
    assert (code, lonely["holds"], lonely["bits"]) == (1, False, 0.0)
    assert "error: preset 'testnet' is refused" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mainnet"], "unknown preset 'mainnet'"),
        (["--param", "k_min=5"], "name it"),
        (["dev", "--param", "k_min"], "KEY=VALUE"),
        (["dev", "--param", "colour=red"], "KEY of preset, scheme"),
        (["dev", "--param", "k_min=few"], "whole number"),
        (["dev", "--param", "k_min=1"], "k_min 1 must be at least 2"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(invoke, arguments, complaint):
    code, _, err = invoke("params", "explain", *arguments)
    assert code == 1
    assert complaint in err
