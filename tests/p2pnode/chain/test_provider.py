import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trio
from web3 import AsyncWeb3

from p2pnode.chain.provider import ChainUnreachableError, HttpxProvider, RpcError, blob, quantity
from p2pnode.errors import ChainError


class Canned(BaseHTTPRequestHandler):
    """Answers every request with the server's `status` and `answer`; an answer of None hangs."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.answer is None:
            self.server.release.wait(20)
        answer = self.server.answer
        body = answer(request) if callable(answer) else answer
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Canned) as made:
        made.status, made.answer, made.release = 200, b"", threading.Event()
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.release.set()
        made.shutdown()
        thread.join()


@pytest.fixture
async def provider(server):
    made = HttpxProvider(f"http://127.0.0.1:{server.server_port}")
    yield made
    await made.aclose()


async def test_a_batch_comes_back_in_its_own_order(server, provider):
    server.answer = lambda batch: json.dumps([{"id": r["id"], "result": r["method"]} for r in batch[::-1]]).encode()
    assert await provider.ask_all([("one", ()), ("two", ()), ("three", ())]) == ["one", "two", "three"]


async def test_web3_itself_works_over_it(server, provider):
    server.answer = lambda request: json.dumps({"id": request["id"], "jsonrpc": "2.0", "result": "0x7"}).encode()
    assert await AsyncWeb3(provider).eth.chain_id == 7


@pytest.mark.parametrize(
    ("status", "answer"), [(500, b"{}"), (404, b""), (200, b""), (200, b"<html>"), (200, b"\xff\xfe")]
)
async def test_what_is_no_chain_is_called_so(server, provider, status, answer):
    server.status, server.answer = status, answer
    with pytest.raises(ChainUnreachableError, match=f"no chain answers at {provider.url}"):
        await provider.ask("eth_chainId")


@pytest.mark.parametrize("answer", [b"{}", b"7", b"[]", b'{"error": 7}', b'{"error": null}', b'"result"'])
async def test_odd_answers_are_errors_with_words(server, provider, answer):
    server.answer = answer
    with pytest.raises(ChainError):
        await provider.ask("eth_chainId")
    with pytest.raises(ChainError):
        await provider.ask_all([("eth_chainId", ()), ("eth_blockNumber", ())])


@pytest.mark.parametrize(("data", "expected"), [('"0x0102"', b"\1\2"), ('{"data": "0x03"}', b"\3"), ('"zz"', None)])
async def test_a_revert_s_data_are_found_where_nodes_put_them(server, provider, data, expected):
    server.answer = f'{{"error": {{"code": 3, "message": "execution reverted", "data": {data}}}}}'.encode()
    with pytest.raises(RpcError, match="refused eth_call: execution reverted") as caught:
        await provider.ask("eth_call")
    assert caught.value.data == expected


async def test_a_node_that_hangs_can_be_cancelled_at_once(server, provider):
    server.answer = None
    with trio.move_on_after(0.2) as scope, trio.fail_after(5):
        await provider.ask("eth_chainId")
    assert scope.cancelled_caught


@pytest.mark.parametrize("value", [None, 7, "seven", [], {}])
def test_numbers_and_bytes_of_a_chain_are_checked(value):
    with pytest.raises(ChainError, match="where a number belongs"):
        quantity(value)
    with pytest.raises(ChainError, match="where bytes belong"):
        blob(value)
