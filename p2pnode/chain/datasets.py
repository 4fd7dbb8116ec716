"""Commitments to data on the chain: what a provider sends, what another may sign for it, and all of a subnet's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from eth_abi.abi import encode
from eth_account import Account
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak

from contracts.bindings import Subnet, SubnetRegistry
from contracts.dao import DatasetRegistry
from p2pnode.chain.statements import DOMAIN_TYPE
from p2pnode.chain.wallet import Places, Step, Wallet
from p2pnode.data.commitment import Commitment
from p2pnode.learning.spec import TaskSpec, decode_spec
from protocols.errors import LocalError
from protocols.types import Address

PROVENANCE_TYPE: Final = keccak(
    text="Provenance(address provider,uint256 subnetId,bytes32 schema,bytes32 root,uint64 rows,uint256 supersedes)"
)
NAME: Final = keccak(text="2PM datasets")
VERSION: Final = keccak(text="1")
ANY_SCHEMA: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What somebody else than the provider vouches for: where this very data comes from.

    Attributes:
        supersedes: the provider's commitment that this one replaces, 0 if none.
    """

    provider: Address
    subnet: int
    committed: Commitment
    supersedes: int

    def digest(self, chain_id: int, registry: Address) -> bytes:
        """What is signed, 32 bytes, by EIP-712; `IDatasetRegistry.provenanceDigest`."""
        domain = encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"], (DOMAIN_TYPE, NAME, VERSION, chain_id, registry)
        )
        said = self.committed
        values = (PROVENANCE_TYPE, self.provider, self.subnet, said.schema, said.root, said.rows, self.supersedes)
        content = encode(["bytes32", "address", "uint256", "bytes32", "bytes32", "uint64", "uint256"], values)
        return keccak(b"\x19\x01" + keccak(domain) + keccak(content))


async def task_of(wallet: Wallet, places: Places, subnet: int) -> TaskSpec:
    """What task a subnet learns, whose columns its data has; raises `LocalError` if it names none."""
    found = await _subnet(wallet, places, subnet)
    if not found.task:
        raise LocalError(f"subnet {subnet} names no task, so nobody can tell what columns its data has")
    return decode_spec(found.task)


async def commit(
    wallet: Wallet,
    places: Places,
    subnet: int,
    committed: Commitment,
    *,
    supersedes: int = 0,
    signer: Address | None = None,
    signature: bytes = b"",
) -> list[Step]:
    """Puts a commitment on the chain, vouched for by `signer` with its signature, or by the provider itself.

    Raises:
        LocalError: the subnet wants another schema, or the signature is not the signer's under just this.
    """
    registry = DatasetRegistry(places["datasets"])
    wanted = (await _subnet(wallet, places, subnet)).schema
    if wanted not in (ANY_SCHEMA, committed.schema):
        raise LocalError(
            f"subnet {subnet} wants data of schema {wanted.hex()}, and its task's columns have {committed.schema.hex()}"
        )
    said = Provenance(wallet.address, subnet, committed, supersedes)
    if signer is not None and signer != wallet.address:
        _check(said, said.digest(places.chain_id, places["datasets"]), signer, signature)
    instead = f" in place of commitment {supersedes}" if supersedes else ""
    vouched = f"vouched for by 0x{signer.hex()}" if signer not in (None, wallet.address) else "vouched for by yourself"
    words = (
        f"commit to {committed.rows} rows of data of schema 0x{committed.schema.hex()} in subnet {subnet}{instead},"
        f" {vouched}: the root 0x{committed.root.hex()} over salted digests, and no value, goes on the chain for good"
    )
    sent = registry.commit(
        subnet,
        committed.schema,
        committed.root,
        committed.rows,
        signer or wallet.address,
        supersedes=supersedes,
        signature=signature,
    )
    return [Step(words, sent)]


async def vouch(wallet: Wallet, places: Places, said: Provenance) -> dict[str, object]:
    """This account's signature for somebody else's data, for people; it costs nothing and is sent nowhere.

    The account answers for it with its name; nobody can slash it.
    """
    await _subnet(wallet, places, said.subnet)
    return {
        "provider": f"0x{said.provider.hex()}",
        "subnet": said.subnet,
        "rows": said.committed.rows,
        "root": f"0x{said.committed.root.hex()}",
        "signer": f"0x{wallet.address.hex()}",
        "signature": f"0x{wallet.sign(said.digest(places.chain_id, places['datasets'])).hex()}",
    }


async def rows(wallet: Wallet, places: Places, subnet: int, *, mine: bool = False) -> list[dict[str, object]]:
    """All commitments of a subnet, or this account's, for people."""
    registry = DatasetRegistry(places["datasets"])
    await _subnet(wallet, places, subnet)
    found: list[dict[str, object]] = []
    for number in range(1, await wallet.ask(registry.dataset_count(subnet)) + 1):
        one = await wallet.ask(registry.dataset(subnet, number))
        if mine and one.provider != wallet.address:
            continue
        found.append(
            {
                "commitment": number,
                "provider": f"0x{one.provider.hex()}",
                "vouched_for_by": "the provider" if one.signer == one.provider else f"0x{one.signer.hex()}",
                "rows": one.rows,
                "root": f"0x{one.root.hex()}",
                "schema": f"0x{one.schema.hex()}",
                "since": datetime.fromtimestamp(one.committed_at, UTC).isoformat(sep=" ", timespec="seconds"),
                "in_place_of": one.supersedes or None,
                "replaced_by": one.superseded_by or None,
            }
        )
    return found


async def check(wallet: Wallet, places: Places, subnet: int, number: int, committed: Commitment) -> dict[str, object]:
    """Whether a commitment of one's own is to the rows of the present file.

    Raises:
        LocalError: it is not, or is another's.
    """
    one = await wallet.ask(DatasetRegistry(places["datasets"]).dataset(subnet, number))
    if one.provider != wallet.address:
        raise LocalError(
            f"commitment {number} of subnet {subnet} is 0x{one.provider.hex()}'s: only its owner's key finds the salts"
        )
    if (one.schema, one.root, one.rows) != (committed.schema, committed.root, committed.rows):
        raise LocalError(
            f"the file is not what commitment {number} of subnet {subnet} was made of: that has {one.rows} rows and"
            f" root 0x{one.root.hex()}, the file has {committed.rows} and 0x{committed.root.hex()}"
        )
    return {"commitment": number, "subnet": subnet, "rows": one.rows, "root": f"0x{one.root.hex()}", "file": "the same"}


def _check(said: Provenance, digest: bytes, signer: Address, signature: bytes) -> None:
    """Before gas is spent: whether it is the signer's; and who has no signature yet is told how to get one."""
    made = said.committed
    if not signature:
        raise LocalError(
            f"0x{signer.hex()} has to sign first, by `p2pnode dataset vouch {said.subnet}"
            f" --provider 0x{said.provider.hex()} --schema 0x{made.schema.hex()} --root 0x{made.root.hex()}"
            f" --rows {made.rows}{f' --supersedes {said.supersedes}' if said.supersedes else ''}`; give what it prints"
            " as --signature"
        )
    if len(signature) != 65:
        raise LocalError(f"a signature has 65 bytes, not {len(signature)}")
    v, r, s = signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    try:
        found = bytes.fromhex(Account._recover_hash(digest, vrs=(v, r, s))[2:])
    except (BadSignature, ValueError) as error:
        raise LocalError(f"that is no signature: {error}") from error
    if found != signer:
        raise LocalError(
            f"0x{signer.hex()} did not sign just this (root 0x{made.root.hex()}, {made.rows} rows, schema"
            f" 0x{made.schema.hex()}); the signature would be 0x{found.hex()}'s"
        )


async def _subnet(wallet: Wallet, places: Places, subnet: int) -> Subnet:
    return await wallet.ask(SubnetRegistry(places["subnets"]).subnet(subnet))
