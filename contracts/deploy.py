"""Deploys the contracts in their order on any chain, and remembers where: a second run finds them standing.

python -m contracts.deploy --url http://127.0.0.1:8545 --out deployment.json   (key in TWOPM_DEPLOYER_KEY)
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import RequestException
from web3 import HTTPProvider, Web3
from web3.exceptions import TransactionNotFound, Web3Exception
from web3.types import RPCEndpoint

from contracts.bindings import (
    Attestation,
    CheckpointAnchor,
    EcdsaQuorum,
    OperatorRegistry,
    SubnetRegistry,
    Transaction,
)
from contracts.bn254 import Bn254Quorum
from contracts.deploy_dao import Dao, found_dao, timelock, token, token_vault
from contracts.deploy_justice import deploy_justice
from contracts.deploy_stake import EigenLayer, eigenlayer_source, exit_delay_s, local_source, read_eigenlayer
from contracts.deploy_terms import DEV_CLIENTS, LIVE, Economics, longest_sentence_s, unsafe
from contracts.economy import Authority, LocalStakeSource, StakeVault

KEY_VARIABLE: Final = "TWOPM_DEPLOYER_KEY"
RECEIPT_TIMEOUT_S: Final = 120.0
FAUCET_WEI: Final = 10**20
ONE: Final = 10**18
UNDER_WAY: Final = "under way"
"""In the deployment file: the step whose transaction was sent, or was about to be, when the run broke off."""


class DeployError(Exception):
    """The contracts cannot be deployed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contracts stand; addresses of 20 bytes, of the chain with this id and genesis hash.

    `vault` is zero where EigenLayer's stake counts.
    """

    chain_id: int
    genesis: bytes
    authority: bytes
    vault: bytes
    source: bytes
    subnets: bytes
    operators: bytes
    anchor: bytes
    court: bytes


def deploy(
    url: str,
    key: bytes,
    out: Path,
    economics: Economics | None = None,
    dao: Dao | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    eigenlayer: EigenLayer | None = None,
) -> Deployment:
    """Deploys what does not stand yet; blocks until all is mined (call it from a thread in async code).

    Args:
        url: the chain's JSON-RPC; a dev chain's faucet pays for a deployer without funds.
        key: the deployer's private key, 32 bytes.
        out: the deployment file, read first and written after every contract.
        economics: what is fixed for good; None: what suits a dev chain on one, `LIVE` on any other. There, what is
            unsafe among strangers (`contracts.deploy_terms.unsafe`) is refused.
        changes: of `economics`, whichever they are, by field.
        eigenlayer: if given, its stake counts, with its delays, instead of that of vaults of ours.
        dao: if given, the DAO is founded too and gets all powers; if not, the deployer keeps them.

    Raises:
        DeployError: the chain does not answer, refuses, or the file belongs to another chain.
    """
    try:
        deployer = _Deployer(url, Account.from_key(key), out, eigenlayer)
        return deployer.run(deployer.terms(economics, dao, changes), dao)
    except RequestsConnectionError as error:
        raise DeployError(f"no chain answers at {url}; start one, or name another URL") from error
    except (RequestException, Web3Exception, OSError) as error:
        raise DeployError(f"deploying on {url} failed: {error}") from error


class _Deployer:
    def __init__(self, url: str, account: LocalAccount, out: Path, eigenlayer: EigenLayer | None = None) -> None:
        self._eigenlayer = eigenlayer
        self._w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": 30}))
        self._account = account
        self._out = out
        self._chain_id = self._w3.eth.chain_id
        self._genesis = bytes(self._w3.eth.get_block(0)["hash"])
        self._known = self._read()

    def terms(self, economics: Economics | None, dao: Dao | None, changes: Mapping[str, Any]) -> Economics:
        """What is deployed; raises `DeployError` for what is unsafe, on whatever is no dev chain."""
        if self._eigenlayer:
            changes = {**changes, "exit_delay_s": exit_delay_s(self._eigenlayer, self._number)}
        if self._w3.client_version.lower().startswith(DEV_CLIENTS):
            return replace(economics or Economics(), **changes)
        terms = replace(economics or LIVE, **changes)
        if found := unsafe(terms, dao):
            raise DeployError("unsafe on a chain that is not for development:\n" + "\n".join(found))
        return terms

    def run(self, economics: Economics, dao: Dao | None) -> Deployment:
        me = bytes.fromhex(self._account.address[2:])
        authority = self.contract("authority", lambda: Authority.deployment(me))
        treasury = timelock(self, dao, me) if dao else me
        vault, source = self._stake(economics, dao, treasury, authority)
        subnets = self.contract("subnets", lambda: SubnetRegistry.deployment(authority))
        operators = self.contract(
            "operators", lambda: OperatorRegistry.deployment(subnets, source, vault, economics.min_stake_wei)
        )
        anchor = self._anchor(economics, subnets, authority)
        bases = {"authority": authority, "subnets": subnets, "source": source, "anchor": anchor}
        if dao:
            bases["anchor_bn254"] = self._aggregating(economics, subnets, authority)
        court = deploy_justice(self, economics, treasury, bases)
        # Where nobody waits, on a dev chain, stake may be free before a game is over; elsewhere `terms` refuses that.
        if self._exit_delay_s(source) > longest_sentence_s(economics):
            disputes = bytes.fromhex(self._known["disputes"])
            self.call("subnets outlast disputes", SubnetRegistry(subnets).set_disputes(disputes))
        if dao:
            known = ("authority", "timelock", "token", "subnets")
            found_dao(self, dao, me, {name: bytes.fromhex(self._known[name]) for name in known})
        return Deployment(self._chain_id, self._genesis, authority, vault, source, subnets, operators, anchor, court)

    def _anchor(self, economics: Economics, subnets: bytes, authority: bytes) -> bytes:
        verifier = self.contract("verifier", EcdsaQuorum.deployment)
        times = economics.commit_s, economics.snapshot_s
        attestation = self.contract("attestation", lambda: Attestation.deployment(subnets, verifier, *times))
        terms = economics.bond_wei, economics.challenge_s
        return self.contract("anchor", lambda: CheckpointAnchor.deployment(subnets, attestation, *terms, authority))

    def _aggregating(self, economics: Economics, subnets: bytes, authority: bytes) -> bytes:
        """The anchor that a subnet names when it is founded, if its validators' votes are to be aggregated."""
        verifier = self.contract("bn254", Bn254Quorum.deployment)
        times = economics.commit_s, economics.snapshot_s
        votes = self.contract("attestation_bn254", lambda: Attestation.deployment(subnets, verifier, *times))
        terms = economics.bond_wei, economics.challenge_s
        return self.contract("anchor_bn254", lambda: CheckpointAnchor.deployment(subnets, votes, *terms, authority))

    def _stake(self, economics: Economics, dao: Dao | None, treasury: bytes, authority: bytes) -> tuple[bytes, bytes]:
        """The vault for the native coin (none where EigenLayer's stake counts), and the source of all stake."""
        delay, me = economics.exit_delay_s, bytes.fromhex(self._account.address[2:])
        if self._eigenlayer:
            if dao:
                token(self, dao, me)
            return bytes(20), eigenlayer_source(self, self._eigenlayer, authority)
        vault = self.contract("vault", lambda: StakeVault.deployment(bytes(20), delay, treasury, authority))
        vaults = {vault: ONE}
        if dao:
            vaults[token_vault(self, dao, me, delay, treasury, authority)] = dao.token_weight
        return vault, local_source(self, vaults, authority)

    def _exit_delay_s(self, source: bytes) -> int:
        return self._number(source, LocalStakeSource(source).exit_delay().data)

    def _number(self, to: bytes, data: bytes) -> int:
        answer = self._w3.eth.call({"to": Web3.to_checksum_address(to), "data": Web3.to_hex(data)})
        if len(answer) != 32:
            raise DeployError(f"0x{to.hex()} does not answer 0x{data[:4].hex()}; does the contract stand there?")
        return int.from_bytes(answer, "big")

    def _read(self) -> dict[str, Any]:
        ours = {"chain_id": self._chain_id, "genesis": self._genesis.hex()}
        if not self._out.exists():
            return ours
        try:
            known: dict[str, Any] = json.loads(self._out.read_text())
            theirs = {name: known[name] for name in ours}
        except (ValueError, KeyError, TypeError) as error:
            raise DeployError(f"{self._out} is no deployment file: {error!r}; remove it or name another") from error
        if theirs != ours:
            raise DeployError(f"{self._out} belongs to chain {theirs['chain_id']}, not this one; name another file")
        return known

    def contract(self, name: str, transaction: Callable[[], Transaction]) -> bytes:
        """The address of a contract that stands, deployed now if need be."""
        if name in self._known:
            address = bytes.fromhex(self._known[name])
            if not self._w3.eth.get_code(Web3.to_checksum_address(address)):
                raise DeployError(f"{self._out} names {name} at 0x{address.hex()}, but no contract stands there")
            return address
        created = self._send(name, transaction())["contractAddress"]
        if not created:
            raise DeployError(f"the chain says of {name}'s deployment that it made no contract")
        self._remember(name, created[2:].lower())
        return bytes.fromhex(created[2:])

    def call(self, name: str, transaction: Transaction) -> None:
        """Makes a call that sets something up, unless an earlier run has made it."""
        if name not in self._known:
            self._remember(name, self._send(name, transaction)["transactionHash"].hex())

    def _remember(self, name: str, value: Any) -> None:
        self._known.pop(UNDER_WAY, None)
        self._known[name] = value
        temporary = self._out.with_suffix(self._out.suffix + ".new")
        temporary.write_text(json.dumps(self._known, indent=1) + "\n")
        temporary.replace(self._out)

    def _fund(self) -> None:
        if self._w3.eth.get_balance(self._account.address):
            return
        answer = self._w3.provider.make_request(RPCEndpoint("dev_faucet"), [self._account.address, hex(FAUCET_WEI)])
        if "error" in answer:
            raise DeployError(f"the deployer {self._account.address} has no funds; send it some")
        self._wait(lambda: self._w3.eth.get_balance(self._account.address) or None)

    def _send(self, name: str, transaction: Transaction) -> Any:
        """The receipt of a step that went through; one that an earlier run had sent is not sent again."""
        sent = self._sent_before(name)
        if sent is None:
            self._fund()
            signed = self._signed(transaction)
            # Before it leaves: whoever goes on after a crash must find the contract that may stand already.
            self._remember(UNDER_WAY, {"step": name, "transaction": signed.hash.hex()})
            sent = self._broadcast(signed.raw_transaction)
        receipt = self._wait(lambda: self._receipt(sent))
        if receipt["status"] != 1:
            self._known.pop(UNDER_WAY)
            raise DeployError(f"step {name!r}: transaction {Web3.to_hex(sent)} failed")
        return receipt

    def _sent_before(self, name: str) -> Any:
        """The hash of a step's transaction if an earlier run has sent it and the chain has not forgotten it."""
        under_way = self._known.get(UNDER_WAY, {})
        if under_way.get("step") != name:
            return None
        try:
            return self._w3.eth.get_transaction(under_way["transaction"])["hash"]
        except TransactionNotFound:
            return None

    def _broadcast(self, raw: bytes) -> Any:
        return self._w3.eth.send_raw_transaction(raw)

    def _signed(self, transaction: Transaction) -> Any:
        fees = self._w3.eth.gas_price
        call: dict[str, Any] = {"from": self._account.address, "data": Web3.to_hex(transaction.data)}
        call |= {"to": Web3.to_checksum_address(transaction.to)} if transaction.to else {}
        return self._account.sign_transaction(
            {
                "type": 2,
                "chainId": self._chain_id,
                "nonce": self._w3.eth.get_transaction_count(self._account.address, "pending"),
                **({"to": call["to"]} if transaction.to else {}),
                "data": call["data"],
                "value": 0,
                "gas": self._w3.eth.estimate_gas(call),  # type: ignore[arg-type]  # a TypedDict in web3
                "maxFeePerGas": 2 * fees,
                "maxPriorityFeePerGas": min(self._w3.eth.max_priority_fee, 2 * fees),
            }
        )

    def _receipt(self, sent: Any) -> Any:
        try:
            return self._w3.eth.get_transaction_receipt(sent)
        except TransactionNotFound:
            return None

    @staticmethod
    def _wait(ready: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + RECEIPT_TIMEOUT_S
        while time.monotonic() < deadline:
            value = ready()
            if value is not None:
                return value
            time.sleep(0.2)
        raise DeployError(f"a transaction was not mined within {RECEIPT_TIMEOUT_S:.0f} s")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m contracts.deploy", description=__doc__)
    parser.add_argument("--url", required=True, help="the chain's JSON-RPC")
    parser.add_argument("--out", type=Path, required=True, help="the deployment file")
    parser.add_argument("--min-stake-wei", type=int)
    parser.add_argument("--exit-delay-s", type=int)
    parser.add_argument("--dao", action="store_true", help="found the DAO and hand all powers over to it")
    parser.add_argument("--eigenlayer", type=Path, help="a file that says where EigenLayer stands: its stake counts")
    options = parser.parse_args(arguments)
    try:
        key = bytes.fromhex(os.environ.get(KEY_VARIABLE, "").removeprefix("0x"))
        if len(key) != 32:
            raise DeployError(f"set {KEY_VARIABLE} to the deployer's private key, 32 bytes in hex")
        wanted = {"min_stake_wei": options.min_stake_wei, "exit_delay_s": options.exit_delay_s}
        changes = {name: value for name, value in wanted.items() if value is not None}
        eigenlayer = read_eigenlayer(options.eigenlayer) if options.eigenlayer else None
        made = deploy(options.url, key, options.out, None, Dao() if options.dao else None, changes, eigenlayer)
    except (DeployError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"subnet registry 0x{made.subnets.hex()} on chain {made.chain_id}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
