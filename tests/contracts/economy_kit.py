"""A whole economy on a running chain, over JSON-RPC: its contracts, its people, and what they said and did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

import pytest
import requests
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from contracts.bindings import Attestation, CheckpointAnchor, OperatorRegistry, SubnetRegistry, Transaction, View
from contracts.dao import (
    DatasetRegistry,
    DMPToken,
    RewardDistributor,
    RoyaltyVault,
    Rules,
    SubnetGovernor,
    TwoPMToken,
    Vote,
)
from contracts.dao_events import DraftFounded, SubnetSubmitted
from contracts.deploy import deploy
from contracts.deploy_dao import Dao
from contracts.deploy_terms import Economics
from contracts.economy import LocalStakeSource, StakeVault
from contracts.errors import revert
from contracts.events import Event, event
from contracts.games import DisputeGame
from contracts.justice import Court, SlashingManager
from contracts.terms import Terms
from p2pnode.chain.statements import Kind, Statement, sign

T = TypeVar("T")

ONE = 10**18
RULES = Rules(voting_delay=2, voting_period=60, proposal_threshold=ONE, backing_needed=1000 * ONE, backing_period=1000)
DAO = Dao(supply=10**9 * ONE, lock_s=5, exit_s=30, activation_s=3, rules=RULES)
COMMIT_S, CHALLENGE_S = 30, 60
GAS, FEE = 6_000_000, 100 * 10**9


class Refused(Exception):
    """A contract refused; the text begins with its error's name."""


def address(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])


class Economy:
    """Deployed by a stranger to it, who owns all $2PM and no power.

    Attributes:
        places: where each contract stands, by its name in the deployment file.
        events: all that any transaction sent here said, in order, each with the contract that said it.
    """

    def __init__(self, chain, folder):
        self.chain = chain
        self.chain_id = int(chain.ask("eth_chainId"), 16)
        self.deployer = self.person("deployer")
        chain.mine()
        out = folder / "deployment.json"
        deploy(chain.url, bytes(self.deployer.key), out, Economics(commit_s=COMMIT_S, challenge_s=CHALLENGE_S), DAO)
        known = json.loads(out.read_text())
        self.places = {name: bytes.fromhex(value) for name, value in known.items() if len(str(value)) == 40}
        self.events: list[tuple[bytes, Event]] = []
        at = self.places
        self.token, self.dmp = TwoPMToken(at["token"]), DMPToken(at["dmp"])
        self.vault, self.token_vault = StakeVault(at["vault"]), StakeVault(at["token_vault"])
        self.source, self.slashing = LocalStakeSource(at["source"]), SlashingManager(at["slashing"])
        self.subnets, self.operators = SubnetRegistry(at["subnets"]), OperatorRegistry(at["operators"])
        self.anchor, self.attestation = CheckpointAnchor(at["anchor"]), Attestation(at["attestation"])
        self.rewards, self.royalties = RewardDistributor(at["rewards"]), RoyaltyVault(at["royalties"])
        self.governor, self.court = SubnetGovernor(at["governor"]), Court(at["court"])
        self.disputes, self.datasets = DisputeGame(at["disputes"]), DatasetRegistry(at["datasets"])

    def person(self, name: str, tokens: int = 0) -> LocalAccount:
        """An account with coins, and with $2PM if wanted."""
        account: LocalAccount = Account.from_key(keccak(text=name))
        self.chain.fund(address(account), 1000 * ONE)
        if tokens:
            self.send(self.deployer, self.token.transfer(address(account), tokens))
        return account

    def member(self, name: str, amount: int) -> LocalAccount:
        """A person with so much $DMP."""
        account = self.person(name, amount)
        self.send(account, self.token.approve(self.dmp.address, amount))
        self.send(account, self.dmp.stake(amount))
        return account

    def found(self, terms: Terms, backing: Mapping[LocalAccount, int], salt: bytes = bytes(32)) -> tuple[bytes, int]:
        """The draft and the number of a subnet that members backed by burning, voted for, founded and opened.

        The first of them drafts and opens it.
        """
        first, *_ = backing
        self.send(first, self.governor.propose_subnet(salt, terms))
        draft = self.ask(self.governor.draft_id_of(salt, terms))
        for member, amount in backing.items():
            with pytest.raises(Refused, match=r"^NotBackedEnough: "):
                self.send(first, self.governor.submit(salt, terms))
            self.send(member, self.governor.back(draft, amount))
        self.send(first, self.governor.submit(salt, terms))
        submitted = self.said(SubnetSubmitted)[-1]
        self.chain.travel(RULES.voting_delay + 1)
        for member in backing:
            self.send(member, self.governor.cast_vote(submitted.proposal_id, Vote.FOR))
        self.chain.travel(RULES.voting_period)
        action = self.ask(self.governor.action_of(salt, terms))
        self.send(first, self.governor.queue(action, keccak(text=action.description)))
        self.chain.travel(DAO.lock_s)
        self.send(first, self.governor.execute(action, keccak(text=action.description)))
        number = self.said(DraftFounded)[-1].subnet_id
        self.send(first, self.subnets.open(number))
        return draft, number

    def ask(self, view: View[T]) -> T:
        call = {"to": f"0x{view.to.hex()}", "data": f"0x{view.data.hex()}"}
        return view.decode(bytes.fromhex(self.chain.ask("eth_call", call, "latest")[2:]))

    def send(self, account: LocalAccount, transaction: Transaction) -> tuple[Event, ...]:
        """What a transaction said; raises `Refused`."""
        nonce = int(self.chain.ask("eth_getTransactionCount", account.address, "latest"), 16)
        fields = {"type": 2, "chainId": self.chain_id, "nonce": nonce, "gas": GAS, "maxFeePerGas": FEE}
        fields |= {"maxPriorityFeePerGas": 1, "to": transaction.to, "value": transaction.value}
        signed = account.sign_transaction(fields | {"data": transaction.data})
        sent = self.chain.ask("eth_sendRawTransaction", f"0x{signed.raw_transaction.hex()}")
        receipt = self.chain.receipt(sent)
        if receipt["status"] != "0x1":
            self._explain(account, transaction, receipt["blockNumber"])
        said = []
        for log in receipt["logs"]:
            found = event([bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
            said += [] if found is None else [(bytes.fromhex(log["address"][2:]), found)]
        self.events += said
        return tuple(one for _, one in said)

    def _explain(self, account: LocalAccount, transaction: Transaction, block: str) -> None:
        call = {"from": account.address, "to": f"0x{transaction.to.hex()}", "data": f"0x{transaction.data.hex()}"}
        call |= {"value": hex(transaction.value)}
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, block]}
        error = requests.post(self.chain.url, json=body, timeout=30).json()["error"]
        found = revert(bytes.fromhex(str(error["data"])[2:]))
        raise Refused(f"{found.name}: {found.words}")

    def said(self, kind: type[T], by: bytes | None = None) -> list[T]:
        """What was said of one kind, by one contract if named."""
        return [one for where, one in self.events if isinstance(one, kind) and by in (None, where)]

    def now(self) -> int:
        return int(self.chain.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def coins(self, who: bytes) -> int:
        return int(self.chain.ask("eth_getBalance", f"0x{who.hex()}", "latest"), 16)

    def tokens(self, who: bytes) -> int:
        return self.ask(self.token.balance_of(who))

    def statement(self, account: LocalAccount, kind: Kind, subnet: int, height: int, value: bytes, *, place: int = 0):
        """A statement's fields and its signature."""
        stated = Statement(kind, subnet, 0, height, place, value)
        signature = sign(account, stated, self.chain_id, self.subnets.address)
        return (int(kind), subnet, 0, height, place, value), signature
