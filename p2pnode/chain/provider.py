"""JSON-RPC to a chain under trio: web3's own HTTP provider needs asyncio, this one is httpx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from p2pnode.errors import ChainError

TIMEOUT_S: Final = 15.0
MAX_RESPONSE_BYTES: Final = 16 << 20

Question = tuple[str, Sequence[Any]]
"""A JSON-RPC method and its parameters."""


class ChainUnreachableError(ChainError):
    """No chain answers at the URL; it may again later."""


class RpcError(ChainError):
    """The chain answered with an error.

    Attributes:
        reason: the chain's own words.
        data: what a contract returned with a revert, if this is one.
    """

    def __init__(self, method: str, reason: str, data: bytes | None) -> None:
        super().__init__(f"the chain refused {method}: {reason}")
        self.reason = reason
        self.data = data


class HttpxProvider(AsyncJSONBaseProvider):
    """A web3 provider over httpx, hence for trio as well as asyncio; cancellation is clean.

    Its own `ask` and `ask_all` skip web3's formatters, which cost more than the request on loopback.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        encrypted = not url.startswith("http://")  # else no certificates need be read, which takes a tenth of a second
        self._client = httpx.AsyncClient(
            verify=encrypted, timeout=TIMEOUT_S, trust_env=False, headers={"Content-Type": "application/json"}
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request, as web3 calls it; raises `ChainUnreachableError`."""
        return self._decode(await self._post(self.encode_rpc_request(method, params)))

    async def ask(self, method: str, *params: Any) -> Any:
        """The result of one request; raises `RpcError` or `ChainUnreachableError`."""
        return _result(method, await self.make_request(RPCEndpoint(method), params))

    async def ask_all(self, questions: Sequence[Question]) -> list[Any]:
        """The results of several requests in one round trip, in their order; raises as `ask` does."""
        requests = [self.form_request(RPCEndpoint(method), params) for method, params in questions]
        answers: Any = self._decode(await self._post(self.encode_batch_request_dicts(requests)))
        if not isinstance(answers, list):
            return [_result(questions[0][0], answers)]
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        pairs = zip(questions, requests, strict=True)
        return [_result(method, by_id.get(request["id"], {})) for (method, _), request in pairs]

    async def _post(self, body: bytes) -> bytes:
        try:
            response = await self._client.post(self.url, content=body)
            response.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ChainUnreachableError(f"no chain answers at {self.url}: {reason}") from error
        if len(response.content) > MAX_RESPONSE_BYTES:
            raise ChainError(
                f"{self.url} answered with {len(response.content)} bytes; {MAX_RESPONSE_BYTES} is the limit"
            )
        return response.content

    def _decode(self, body: bytes) -> RPCResponse:
        try:
            return self.decode_rpc_response(body)
        except (ValueError, TypeError) as error:
            raise ChainUnreachableError(f"no chain answers at {self.url}: what answers is not JSON-RPC") from error


def _result(method: str, answer: Any) -> Any:
    if isinstance(answer, dict) and "result" in answer:
        return answer["result"]
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        raise ChainError(f"the chain's answer to {method} has neither result nor error")
    data = error.get("data")
    data = data.get("data") if isinstance(data, dict) else data
    raise RpcError(method, str(error.get("message"))[:500], _data(data))


def _data(value: Any) -> bytes | None:
    try:
        return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else None
    except ValueError:
        return None


def quantity(value: Any) -> int:
    """A number of JSON-RPC; raises `ChainError`."""
    try:
        return int(value, 16)
    except (TypeError, ValueError) as error:
        raise ChainError(f"the chain sent {str(value)[:80]!r} where a number belongs") from error


def blob(value: Any) -> bytes:
    """Bytes of JSON-RPC; raises `ChainError`."""
    decoded = _data(value)
    if decoded is None:
        raise ChainError(f"the chain sent {str(value)[:80]!r} where bytes belong")
    return decoded
