import os
import tomllib
from pathlib import Path

import pytest

from p2pnode.errors import SettingsError
from p2pnode.settings import NodeSettings, load_settings, template, write_template
from protocols.errors import LocalError
from protocols.types import Role


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("P2PNODE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "p2pnode.toml"
        path.write_text(text)
        return path

    return write


def test_flags_come_before_environment_before_file_before_defaults(file, monkeypatch):
    path = file('log_level = "error"\nlog_format = "json"\nworker_threads = 7\n')
    monkeypatch.setenv("P2PNODE_LOG_LEVEL", "warning")
    monkeypatch.setenv("P2PNODE_WORKER_THREADS", "8")
    settings = load_settings(path, {"log_level": "debug", "log_format": None})
    assert (settings.log_level, settings.worker_threads, settings.log_format) == ("debug", 8, "json")
    assert settings.metrics_port == NodeSettings().metrics_port


def test_every_setting_can_come_from_the_environment(monkeypatch):
    examples = {
        "folder": ("/n", Path("/n")),
        "chain": ("http://chain", "http://chain"),
        "bootstrap": ("/a, /b", ("/a", "/b")),
        "registry": ("0x" + "ab" * 20, "0x" + "ab" * 20),
        "subnet": ("3", 3),
        "roles": ("validator", ("validator",)),
        "stake_wei": ("5", 5),
        "deployment": ("d.json", Path("d.json")),
        "task": ("mine.tasks", "mine.tasks"),
        "data": ("d.csv", Path("d.csv")),
        "allow_plaintext": ("true", True),
        "k_min_least": ("3", 3),
        "privacy_budget": ("8", 8.0),
        "challenge": ("true", True),
        "listen": ("/ip4/0.0.0.0/tcp/1", "/ip4/0.0.0.0/tcp/1"),
        "announce": ("/ip4/8.8.8.8/tcp/1, /dns4/example.org/tcp/2", ("/ip4/8.8.8.8/tcp/1", "/dns4/example.org/tcp/2")),
        "observe_address": ("true", True),
        "mdns": ("true", True),
        "dht": ("true", True),
        "keep_peers": ("false", False),
        "relays": ("/ip4/8.8.8.8/tcp/1/p2p/x", ("/ip4/8.8.8.8/tcp/1/p2p/x",)),
        "relay": ("true", True),
        "metrics_port": ("9", 9),
        "log_level": ("debug", "debug"),
        "log_format": ("json", "json"),
        "worker_threads": ("3", 3),
        "blob_budget_mib": ("1", 1),
        "passphrase_file": ("p", Path("p")),
    }
    assert set(examples) == set(NodeSettings.model_fields)
    for name, (text, _) in examples.items():
        monkeypatch.setenv(f"P2PNODE_{name.upper()}", text)
    settings = load_settings(None, {})
    assert {name: getattr(settings, name) for name in examples} == {
        name: value for name, (_, value) in examples.items()
    }


def test_paths_in_the_file_are_relative_to_it(file, tmp_path):
    text = 'folder = "."\ndata = "private/mine.csv"\ndeployment = "d.json"\npassphrase_file = "/p"'
    settings = load_settings(file(text), {})
    assert settings.folder == tmp_path
    assert settings.deployment == tmp_path / "d.json"
    assert settings.data == tmp_path / "private" / "mine.csv"
    assert settings.passphrase_file == Path("/p")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chian = 'x'", r"chian in .*p2pnode.toml is no setting; did you mean chain\?"),
        ("qqq = 1", r"qqq in .* is no setting; known are allow_plaintext, announce, blob_budget_mib"),
        (
            "metrics_port = 70000",
            r"metrics_port in .* is wrong: input should be less than or equal to 65535, not 70000",
        ),
        ("roles = ['miner']", r"roles in .* is wrong: input should be 'data', 'compute' or 'validator', not 'miner'"),
        ("announce = ['/ip4/1.2.3.4']", r"announce in .* is wrong: .*an address looks like"),
        ("roles = []", r"roles in .* is wrong"),
        ("chain = 'localhost'", r"chain in .* is wrong"),
        ("subnet = ", r"p2pnode.toml is not valid TOML: Invalid value"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(file, text, message):
    with pytest.raises(SettingsError, match=message):
        load_settings(file(text), {})


def test_what_is_wrong_elsewhere_is_named(monkeypatch):
    with pytest.raises(SettingsError, match=r"^--metrics-port is wrong: .*-1"):
        load_settings(None, {"metrics_port": -1})
    monkeypatch.setenv("P2PNODE_SUBNET", "one")
    with pytest.raises(SettingsError, match=r"^P2PNODE_SUBNET is wrong: .*'one'"):
        load_settings(None, {})
    monkeypatch.setenv("P2PNODE_SUBNETS", "1")
    with pytest.raises(SettingsError, match=r"P2PNODE_SUBNETS is no setting; did you mean P2PNODE_SUBNET\?"):
        load_settings(None, {})


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read the settings .*none.toml.*`p2pnode init` writes one"):
        load_settings(tmp_path / "none.toml", {})


def test_the_passphrase_is_no_setting(monkeypatch):
    monkeypatch.setenv("P2PNODE_PASSPHRASE", "correct horse")
    assert "correct horse" not in repr(load_settings(None, {}))


def test_the_template_documents_every_setting_and_reads_back(tmp_path):
    path = write_template(tmp_path, chain="http://127.0.0.1:8545", roles=("validator",))
    text = path.read_text()
    assert all(field.description in text for field in NodeSettings.model_fields.values())
    settings = load_settings(path, {})
    assert settings.chain == "http://127.0.0.1:8545"
    assert settings.role == Role.VALIDATOR
    assert settings.with_(folder=Path(), chain=None, roles=NodeSettings().roles) == NodeSettings()
    assert set(tomllib.loads(template())) == {n for n, f in NodeSettings.model_fields.items() if f.default is not None}
    with pytest.raises(LocalError, match="File exists"):
        write_template(tmp_path)


def test_needed_values_are_asked_for_in_three_ways():
    with pytest.raises(SettingsError, match="bootstrap is not set: give --bootstrap, P2PNODE_BOOTSTRAP or"):
        NodeSettings().need("bootstrap")
    assert NodeSettings(bootstrap=("/a",)).need("bootstrap") == ("/a",)


def test_values_have_the_forms_that_the_node_works_with():
    settings = NodeSettings(roles=("data", "compute"), registry="0x" + "01" * 20, blob_budget_mib=2)
    assert settings.role == Role.DATA | Role.COMPUTE
    assert settings.registry_address == b"\x01" * 20
    assert settings.blob_budget_bytes == 2_097_152
