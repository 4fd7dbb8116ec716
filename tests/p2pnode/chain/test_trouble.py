"""The chain client on a chain that misbehaves: reorgs under load, restarts, stuck transactions, another chain.

anvil does all this on command; the contracts are deployed once, and each test starts from that state.
"""

import itertools
import shutil

import pytest
import trio

from contracts.anvil import anvil, start
from contracts.bindings import CheckpointAnchor, Transaction
from contracts.deploy import deploy
from contracts.deploy_terms import Economics
from p2pnode.chain import sender as sending
from p2pnode.chain.client import EvmChain, found_subnet, open_reader, open_subnet
from p2pnode.chain.provider import HttpxProvider
from p2pnode.chain.reader import HEAD_AGE_S
from p2pnode.chain.sender import Sender
from p2pnode.errors import ChainError
from protocols.types import Digest, PeerKey, Role, Secret

FOUNDER = Secret(b"\x05" * 32)
NONE, PARAMS = Digest(bytes(32)), Digest(b"p" * 32)
SIGNERS, EACH, DEPTH = 4, 12, 8
REORGS = (10, 20, 30)
"""After so many blocks."""
STAKE = 10**18


def account(number):
    return Secret(bytes([number]) * 32)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A state file with the contracts and an open subnet, whose operators compute; and where the registry is."""
    folder = tmp_path_factory.mktemp("anvil")
    with anvil(state=folder / "state.json") as chain:
        provider = HttpxProvider(chain.url)
        for secret in (FOUNDER, *map(account, range(10, 10 + SIGNERS))):
            chain.fund(Sender(provider, 31337, secret).address, 100 * STAKE)
        made = deploy(chain.url, FOUNDER.reveal(), folder / "deployment.json", Economics())

        async def begin():
            await provider.aclose()
            number = await found_subnet(chain.url, made.subnets, FOUNDER, b"p", b"t", made.operators, made.anchor)
            await open_subnet(chain.url, made.subnets, number, FOUNDER)
            reader = await open_reader(chain.url, made.subnets, number)
            for position in range(SIGNERS):
                one = EvmChain(reader, account(10 + position))
                await one.register(PeerKey(bytes([position + 1]) * 32), bytes(64), Role.COMPUTE, STAKE)
            await reader.aclose()
            return number

        number = trio.run(begin)
    return folder / "state.json", made, number


@pytest.fixture
def state(deployed, tmp_path):
    shutil.copy(deployed[0], tmp_path / "state.json")
    return tmp_path / "state.json"


@pytest.fixture
def quick(monkeypatch):
    """Impatient: what takes half a minute takes a second."""
    monkeypatch.setattr(sending, "POLL_S", 0.05)
    monkeypatch.setattr(sending, "RESEND_S", 0.5)
    monkeypatch.setattr(sending, "BUMP_S", 1.0)


def digest(signer, number):
    return Digest(bytes([signer, number]) * 16)


async def test_eight_blocks_are_taken_back_under_load_and_nothing_is_lost_or_done_twice(deployed, state, quick):
    _, made, number = deployed
    with anvil(state=state, mining=False) as chain:
        reader = await open_reader(chain.url, made.subnets, number)
        signers = [EvmChain(reader, account(10 + position)) for position in range(SIGNERS)]
        followed, refused, left, made_blocks = [], [], SIGNERS, 0

        async def propose(position):
            nonlocal left
            for step in range(EACH):
                while True:  # as a node's duties do: what the chain refuses now it may take later
                    try:
                        await signers[position].anchor(step + 1, digest(position, step), NONE, PARAMS)
                        break
                    except ChainError:
                        refused.append(step)
                        await trio.sleep(0.1)
            left -= 1

        async def follow():
            while left or made_blocks <= max(REORGS):
                followed.append(len(await reader.anchors(0)))
                await trio.sleep(0.05)

        async def blocks():
            nonlocal made_blocks
            while left or made_blocks <= max(REORGS):
                await trio.to_thread.run_sync(chain.mine)
                made_blocks += 1
                if made_blocks in REORGS:
                    await trio.to_thread.run_sync(chain.reorg, DEPTH)
                await trio.sleep(0.1)

        with trio.fail_after(300):
            async with trio.open_nursery() as nursery:
                for position in range(SIGNERS):
                    nursery.start_soon(propose, position)
                nursery.start_soon(follow)
                nursery.start_soon(blocks)
            await trio.sleep(HEAD_AGE_S)
            await reader.head()  # it may be told only now of the last reorg, and send again
            for _ in range(10):
                chain.mine()
                await trio.sleep(HEAD_AGE_S)
                found = await reader.anchors(0)
        wanted = {(step + 1, digest(position, step)) for position in range(SIGNERS) for step in range(EACH)}
        assert {(one.height, one.header_digest) for one in found} == wanted
        assert len(found) == len(wanted)
        assert reader.reorgs >= 1  # several may have come between two looks
        assert any(later < earlier for earlier, later in itertools.pairwise(followed)), "nothing was undone"
        fresh = await open_reader(chain.url, made.subnets, number)
        assert await fresh.anchors(0) == found
        assert sorted((await fresh.checkpoints())._entries) == sorted((await reader.checkpoints())._entries)
        for signer in signers:
            entries = (await fresh.checkpoints())._entries[signer.operator]
            assert EACH <= len(entries) <= EACH + len(refused), "nothing is done twice that was not refused before"
            nonces = [sent.nonce for sent in signer._sender._kept]
            assert len(set(nonces)) == len(nonces), "each nonce was given once"
            holder = f"0x{signer.operator.hex()}"
            assert int(chain.ask("eth_getTransactionCount", holder, "latest"), 16) == max(nonces) + 1
            onchain = await fresh.ask(CheckpointAnchor(made.anchor).rolling_of(number, signer.operator))
            assert entries[-1].after == onchain
        await fresh.aclose()
        await reader.aclose()


async def test_a_stuck_transaction_is_replaced_by_a_dearer_one_with_its_nonce(state, quick):
    with anvil(state=state, mining=False) as chain:
        provider = HttpxProvider(chain.url)
        sender = Sender(provider, 31337, account(10))
        before = int(chain.ask("eth_getTransactionCount", sender.account.address, "latest"), 16)
        done = []

        async def send():
            done.append(await sender.send(Transaction(b"\x77" * 20, b"", 5)))

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                while chain.ask("txpool_status")["pending"] != "0x1":
                    await trio.sleep(0.05)
                (offered,) = sender._kept
                first = dict(offered.fields)
                dear = 3 * first["maxFeePerGas"]
                while not done:
                    chain.ask("anvil_setNextBlockBaseFeePerGas", hex(dear))
                    await trio.to_thread.run_sync(chain.mine)
                    await trio.sleep(0.1)
        assert len(offered.versions) > 1
        assert offered.fields["maxFeePerGas"] >= dear > first["maxFeePerGas"]
        assert int(chain.ask("eth_getTransactionCount", sender.account.address, "latest"), 16) == before + 1
        assert int(chain.ask("eth_getBalance", "0x" + "77" * 20, "latest"), 16) == 5, "it was done once"
        await provider.aclose()


async def test_what_an_earlier_run_left_stuck_does_not_stop_the_next(state, quick):
    with anvil(state=state, mining=False) as chain:
        provider = HttpxProvider(chain.url)
        dead = Sender(provider, 31337, account(10))
        with trio.move_on_after(1):
            await dead.send(Transaction(b"\x66" * 20, b"", 5))  # the node dies while it waits
        (stuck,) = dead._kept
        assert chain.ask("txpool_status")["pending"] == "0x1"
        fee = hex(int(1.2 * stuck.fields["maxFeePerGas"]))
        chain.ask("anvil_setNextBlockBaseFeePerGas", fee)
        chain.mine()
        alive = Sender(provider, 31337, account(10))
        done = []

        async def send():
            done.append(await alive.send(Transaction(b"\x77" * 20, b"", 7)))

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                while not done:
                    chain.ask("anvil_setNextBlockBaseFeePerGas", fee)
                    await trio.to_thread.run_sync(chain.mine)
                    await trio.sleep(0.1)
        assert int(chain.ask("eth_getBalance", "0x" + "77" * 20, "latest"), 16) == 7
        assert int(chain.ask("eth_getBalance", "0x" + "66" * 20, "latest"), 16) == 0
        await provider.aclose()


async def test_a_dropped_transaction_is_sent_again(state, quick):
    with anvil(state=state, mining=False) as chain:
        provider = HttpxProvider(chain.url)
        sender = Sender(provider, 31337, account(10))
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sender.send, Transaction(b"\x77" * 20, b"", 5))
                while not sender._kept:
                    await trio.sleep(0.05)
                (sent,) = sender._kept[0].versions
                assert chain.ask("anvil_dropTransaction", sent) == sent
                while chain.ask("txpool_status")["pending"] != "0x1":
                    await trio.sleep(0.05)
                chain.mine()
        assert int(chain.ask("eth_getBalance", "0x" + "77" * 20, "latest"), 16) == 5
        await provider.aclose()


async def test_confirmations_are_waited_for_and_a_reorg_among_them_is_noticed(state, quick):
    with anvil(state=state, mining=False) as chain:
        provider = HttpxProvider(chain.url)
        sender = Sender(provider, 31337, account(10), confirmations=3)
        done = trio.Event()

        async def send():
            await sender.send(Transaction(b"\x77" * 20, b"", 5))
            done.set()

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                while not sender._kept:
                    await trio.sleep(0.05)
                (sent,) = sender._kept[0].versions
                chain.mine(3)
                await trio.sleep(0.3)
                assert not done.is_set(), "two blocks above it are too few"
                chain.reorg(3)
                assert chain.ask("eth_getTransactionReceipt", sent) is None
                while chain.ask("txpool_status")["pending"] != "0x1":
                    await trio.sleep(0.05)
                chain.mine(3)
                await trio.sleep(0.3)
                assert not done.is_set()
                chain.mine()
        assert done.is_set()
        await provider.aclose()


async def test_a_restart_in_the_middle_is_survived(deployed, state, quick):
    _, made, number = deployed
    chain = start(state=state, mining=False)
    port = int(chain.url.rsplit(":", 1)[1])
    reader = await open_reader(chain.url, made.subnets, number)
    one = EvmChain(reader, account(10))
    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.anchor, 1, digest(0, 1), NONE, PARAMS)
            while not one._sender._kept:
                await trio.sleep(0.05)
            await trio.to_thread.run_sync(chain.stop)
            with pytest.raises(ChainError, match="no chain answers at"):
                await reader.provider.ask("eth_chainId")
            chain = await trio.to_thread.run_sync(lambda: start(port=port, state=state))
            while not any(record.height == 1 for record in await reader.anchors(0)):
                await trio.sleep(0.1)
    assert [record.header_digest for record in await reader.anchors(0)] == [digest(0, 1)]
    await reader.aclose()
    chain.stop()


async def test_a_chain_that_forgot_its_last_blocks_in_a_crash_is_told_them_again(deployed, state, quick):
    _, made, number = deployed
    chain = start(state=state)
    port = int(chain.url.rsplit(":", 1)[1])
    reader = await open_reader(chain.url, made.subnets, number)
    one = EvmChain(reader, account(10))
    for step in range(3):
        await one.anchor(step + 1, digest(0, step), NONE, PARAMS)
    before = await reader.anchors(0)
    chain.kill()
    chain = start(port=port, state=state)
    with trio.fail_after(60):
        await trio.sleep(HEAD_AGE_S)
        while [r.key for r in await reader.anchors(0)] != [r.key for r in before]:
            await trio.sleep(0.1)
    assert reader.reorgs >= 1
    await reader.aclose()
    chain.stop()


async def test_another_chain_with_the_same_number_is_refused_after_a_restart(deployed, state):
    _, made, number = deployed
    with anvil(state=state) as chain:
        port = int(chain.url.rsplit(":", 1)[1])
        reader = await open_reader(chain.url, made.subnets, number)
        await reader.head()
    with anvil(port=port) as other:
        assert other.ask("eth_chainId") == hex(reader.chain_id)
        await trio.sleep(HEAD_AGE_S)
        with pytest.raises(ChainError, match=r"another chain answers at .* than before: was it started anew"):
            await reader.head()
        with pytest.raises(ChainError, match="another chain answers"):
            await reader.anchors(0)
    await reader.aclose()
