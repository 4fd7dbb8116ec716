"""The node's settings: one typed TOML file, each value overridden by environment and flag."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from p2pnode.errors import SettingsError
from p2pnode.files import explained, write_durably
from protocols.errors import LocalError
from protocols.types import Address, Role

FILE_NAME: Final = "p2pnode.toml"
ENV_PREFIX: Final = "P2PNODE_"
PASSPHRASE_VARIABLE: Final = "P2PNODE_PASSPHRASE"  # noqa: S105  # the variable's name, not a passphrase
_NOT_SETTINGS: Final = {PASSPHRASE_VARIABLE}
_PATHS: Final = ("folder", "data", "deployment", "passphrase_file")

_LISTEN: Final = r"^/(ip4|ip6|dns4|dns6)/[^/]+/tcp/\d{1,5}$"

RoleName = Literal["data", "compute", "validator"]
Names = Annotated[tuple[str, ...], NoDecode]


class NodeSettings(BaseSettings):
    """All that an operator can set; the fields' descriptions are the documentation of the file."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    folder: Path = Field(Path(), description="Where keys, journal and blobs are; relative to this file.")
    chain: str | None = Field(
        None, pattern=r"^https?://\S+$", description="JSON-RPC of the EVM chain, for example http://127.0.0.1:8545."
    )
    bootstrap: Names = Field(
        (), description="Addresses of peers to join by, for example /ip4/203.0.113.7/tcp/6701/p2p/12D3KooW..."
    )
    registry: str | None = Field(
        None,
        pattern=r"^0x[0-9a-fA-F]{40}$",
        description="Address of the subnet registry's contract; asked of the bootstrap peer if not given.",
    )
    subnet: int | None = Field(
        None, ge=0, description="Number of the subnet in the registry; asked of the bootstrap peer if not given."
    )
    deployment: Path | None = Field(
        None, description="The deployment file of the contracts: with it, wrong sums are reported to the court."
    )
    roles: Annotated[tuple[RoleName, ...], NoDecode] = Field(
        ("data", "compute"),
        min_length=1,
        description="What this node does: data (trains on own data), compute (committee), validator (checks sums).",
    )
    stake_wei: int = Field(10**18, ge=0, description="Stake to register with, in wei; 10^18 wei are one ether.")
    task: str | None = Field(
        None, description="Your copy of the subnet's task, a dotted name or a .py file, where it is not one of ours."
    )
    data: Path | None = Field(None, description="The private data: a CSV, Parquet or NPZ file that fits the task.")
    allow_plaintext: bool = Field(
        False, description="Take part with data in a subnet that encrypts nothing: others then read your updates."
    )
    k_min_least: int = Field(
        5, ge=2, description="With data, only join subnets that open sums of at least so many updates."
    )
    privacy_budget: float | None = Field(
        None,
        gt=0,
        description="With data, only join subnets with differential privacy, and train until it costs this epsilon.",
    )
    challenge: bool = Field(
        False,
        description="As a validator, with the deployment file: put bonds down against checkpoints that are voted on "
        "and that this node found to be false. A bond is lost if two thirds of the validators found otherwise.",
    )
    listen: str = Field(
        "/ip4/127.0.0.1/tcp/0",
        pattern=_LISTEN,
        description="Where peers reach this node: /ip4/0.0.0.0/tcp/6701 for the world; port 0 takes any free one.",
    )
    announce: Names = Field(
        (), description="More addresses that lead here, such as a router's forwarded port: /ip4/203.0.113.7/tcp/6701."
    )
    observe_address: bool = Field(
        False,
        description="Ask peers at which address they see this node, and tell all others once four networks agree.",
    )
    mdns: bool = Field(
        False, description="Find peers on the local network, and tell everybody on it that this node is here."
    )
    dht: bool = Field(
        False, description="Find peers by a distributed table (kad-dht), and answer strangers' questions of it."
    )
    relays: Names = Field(
        (), description="Addresses of peers through which others reach this one where it cannot be dialled (NAT)."
    )
    relay: bool = Field(
        False, description="Be such a peer: carry others' (encrypted) connections, up to 16 at a time, 1 GiB each."
    )
    keep_peers: bool = Field(
        True, description="Keep peers' addresses in the folder, to come back by when no bootstrap peer answers."
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Loopback port of /metrics (Prometheus) and /status; 0 takes any free one."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged: debug, info, warning or error."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Logs for people (console) or one JSON object a line (json)."
    )
    worker_threads: int = Field(2, ge=1, le=256, description="Threads for training and encryption.")
    blob_budget_mib: int = Field(4096, ge=1, description="Disk space for ciphertexts and checkpoints, in MiB.")
    passphrase_file: Path | None = Field(
        None, description="File (mode 0600) with the keys' passphrase; otherwise P2PNODE_PASSPHRASE or a prompt."
    )

    @field_validator("announce")
    @classmethod
    def _each_is_a_place(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not re.fullmatch(_LISTEN, address):
                raise ValueError(f"an address looks like /ip4/203.0.113.7/tcp/6701, not {address!r}")
        return value

    @field_validator("bootstrap", "roles", "announce", "relays", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def role(self) -> Role:
        """The roles as a bit mask, as they stand on the chain."""
        mask = Role(0)
        for name in self.roles:
            mask |= Role[name.upper()]
        return mask

    @property
    def registry_address(self) -> Address | None:
        """The registry as 20 bytes."""
        return Address(bytes.fromhex(self.registry[2:])) if self.registry else None

    @property
    def blob_budget_bytes(self) -> int:
        """Disk space for blobs, in bytes."""
        return self.blob_budget_mib * 2**20

    def need(self, name: str) -> Any:
        """A value that this command cannot do without.

        Raises:
            SettingsError: it is not set; says the three ways to set it.
        """
        value = getattr(self, name)
        if value is None or value == ():
            raise SettingsError(
                f"{name} is not set: give {_flag(name)}, {_variable(name)} or `{name} = ...` in the file"
            )
        return value

    def with_(self, **changes: object) -> Self:
        """A copy with some values changed; unchecked."""
        return self.model_copy(update=changes)


def load_settings(file: Path | None, flags: Mapping[str, object]) -> NodeSettings:
    """Settings by precedence: flags that are not None, environment, file, defaults.

    Args:
        file: the TOML file; None for none. Its paths are relative to its folder.
        flags: field name to value, as the command line had it.

    Raises:
        SettingsError: a file that cannot be read, an unknown key or a wrong value; names the key and where it stands.
    """
    in_environment = _environment()
    in_file = {name: value for name, value in _read(file).items() if name not in in_environment} if file else {}
    in_flags = {name: value for name, value in flags.items() if value is not None}
    try:
        return NodeSettings(**{**in_file, **in_flags})  # reads the environment itself, below what it is given
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if name in in_flags:
            where = _flag(name)
        elif name in in_environment:
            where = _variable(name)
        else:
            where = f"{name} in {file}"
        raise SettingsError(_sentence(where, name, first["type"], first["msg"], first["input"])) from error


def template(**values: object) -> str:
    """The documented settings file, with some values filled in."""
    lines = ["# Settings of a 2PM node. Each can also be set by P2PNODE_<NAME> in the environment or by a flag.", ""]
    for name, field in NodeSettings.model_fields.items():
        value = values.get(name, field.default)
        lines.append(f"# {field.description}")
        lines.append(f"# {name} =" if value is None else f"{name} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines)


def write_template(folder: Path, **values: object) -> Path:
    """Writes the documented settings file into `folder`, never over another; returns its path.

    Raises:
        LocalError: the file exists, or the disk refuses.
    """
    path = folder / FILE_NAME
    write_durably(path, template(**values).encode(), replace=False)
    return path


def _read(file: Path) -> dict[str, Any]:
    try:
        with explained("read the settings", file):
            values = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from error
    except LocalError as error:
        raise SettingsError(f"{error}; `p2pnode init` writes one") from error
    for name in _PATHS:
        if isinstance(values.get(name), str):
            values[name] = file.parent / values[name]
    return values


def _environment() -> set[str]:
    fields = {_variable(name): name for name in NodeSettings.model_fields}
    ours = {variable for variable in os.environ if variable.startswith(ENV_PREFIX)} - _NOT_SETTINGS
    for variable in sorted(ours - set(fields)):
        raise SettingsError(f"the environment variable {variable} is no setting{_similar(variable, set(fields))}")
    return {fields[variable] for variable in ours}


def _sentence(where: str, name: str, kind: str, message: str, value: object) -> str:
    if kind == "extra_forbidden":
        return f"{where} is no setting{_similar(name, set(NodeSettings.model_fields))}"
    return f"{where} is wrong: {message[0].lower()}{message[1:]}, not {value!r}"


def _similar(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _variable(name: str) -> str:
    return ENV_PREFIX + name.upper()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _toml(value: object) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value)
