"""Encodes calls and decodes results by the ABI in the committed artifacts. Addresses are 20 plain bytes throughout."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import abi_to_signature, collapse_if_tuple
from eth_utils.crypto import keccak

CONTRACTS: Final = (
    "Attestation",
    "Authority",
    "Bn254Quorum",
    "CheckpointAnchor",
    "Court",
    "DatasetRegistry",
    "DealingCourt",
    "DMPToken",
    "DisputeGame",
    "EcdsaQuorum",
    "EigenLayerStakeSource",
    "LocalStakeSource",
    "OperatorRegistry",
    "QuorumStep",
    "RewardDistributor",
    "RoyaltyVault",
    "SlashingManager",
    "StakeVault",
    "SubnetGovernor",
    "SubnetRegistry",
    "Timelock",
    "TwoPMToken",
)


class AbiError(Exception):
    """Bytes from a chain are not what the ABI says; most likely no such contract stands at that address."""


class Interface:
    """One contract's functions, events and errors.

    Args:
        name: of the committed artifact.
    """

    def __init__(self, name: str) -> None:
        text = resources.files("contracts").joinpath("artifacts", f"{name}.json").read_text()
        artifact = json.loads(text)
        self.name = name
        self.bytecode = bytes.fromhex(artifact["bytecode"][2:])
        self._entries: dict[tuple[str, str], Mapping[str, Any]] = {
            (entry["type"], entry.get("name", "")): entry for entry in artifact["abi"]
        }
        self.errors = {selector(entry): entry for entry in artifact["abi"] if entry["type"] == "error"}
        self.events = {topic(entry): entry for entry in artifact["abi"] if entry["type"] == "event"}

    def deployment(self, *arguments: object) -> bytes:
        """The bytecode with the constructor's arguments."""
        constructor = self._entries.get(("constructor", ""), {"inputs": []})
        return self.bytecode + encode(_types(constructor["inputs"]), arguments)

    def call(self, function: str, *arguments: object) -> bytes:
        """The data of a call."""
        entry = self._entries["function", function]
        return selector(entry) + encode(_types(entry["inputs"]), arguments)

    def result(self, function: str, data: bytes) -> tuple[Any, ...]:
        """What a call returned; raises `AbiError`."""
        return _decode(self._entries["function", function]["outputs"], data, f"{self.name}.{function}")


@functools.cache
def interface(name: str) -> Interface:
    """The interface of a committed artifact, read once."""
    return Interface(name)


def selector(entry: Mapping[str, Any]) -> bytes:
    """The four bytes by which a function or an error is known."""
    return topic(entry)[:4]


def function_selector(contract: str, function: str) -> bytes:
    """The four bytes by which a function of a contract is known."""
    return selector(interface(contract)._entries["function", function])


def topic(entry: Mapping[str, Any]) -> bytes:
    """The 32 bytes by which an event is known."""
    return keccak(text=abi_to_signature(entry))  # type: ignore[arg-type]  # declared for TypedDicts, takes any mapping


def decode_error(entry: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    """The arguments of a custom error by name; `data` includes its selector."""
    values = _decode(entry["inputs"], data[4:], entry["name"])
    return {field["name"]: value for field, value in zip(entry["inputs"], values, strict=True)}


def decode_event(entry: Mapping[str, Any], topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
    """The arguments of a log by name, indexed ones (all of fixed size here) from `topics`; raises `AbiError`."""
    indexed = [field for field in entry["inputs"] if field["indexed"]]
    plain = [field for field in entry["inputs"] if not field["indexed"]]
    named = zip(indexed, _decode(indexed, b"".join(topics[1:]), entry["name"]), strict=True)
    values = {field["name"]: value for field, value in named}
    others = zip(plain, _decode(plain, data, entry["name"]), strict=True)
    return values | {field["name"]: value for field, value in others}


def _types(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    return [collapse_if_tuple(field) for field in fields]  # type: ignore[arg-type]  # as in `topic`


def _decode(fields: Sequence[Mapping[str, Any]], data: bytes, what: str) -> tuple[Any, ...]:
    try:
        values = decode(_types(fields), data)
    except (DecodingError, OverflowError) as error:
        raise AbiError(f"{what}: {len(data)} bytes cannot be decoded: {error}") from error
    return tuple(_plain(value, field) for value, field in zip(values, fields, strict=True))


def _plain(value: Any, field: Mapping[str, Any]) -> Any:
    """Addresses as bytes, structs as tuples, arrays as tuples."""
    kind: str = field["type"]
    if kind.endswith("[]"):
        return tuple(_plain(one, {**field, "type": kind[:-2]}) for one in value)
    if kind == "tuple":
        return tuple(_plain(one, part) for one, part in zip(value, field["components"], strict=True))
    return bytes.fromhex(value[2:]) if kind == "address" else value
