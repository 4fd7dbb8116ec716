"""Grants each epoch's contributors their royalty shares, if this node's operator is who posts for the subnet.

`grants.json` in the node's folder has every grant; an epoch's is written before it is posted, and grant i of the books
is the chain's root `base` + i, so none is posted twice, whenever the node dies. `shares.json` is what people claim by
(`p2pnode royalty claim --proofs`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from p2pnode.files import explained, write_durably
from p2pnode.ports import Chain, ShareClaim
from p2pnode.supervision import Observer
from protocols.errors import LocalError
from protocols.types import Address
from protocols.verification.royalties import Grant, grant_of
from protocols.verification.scores import RoundWork

BOOKS: Final = "grants.json"
PROOFS: Final = "shares.json"


class Shares:
    """One node's books of shares."""

    def __init__(self, chain: Chain, observe: Observer, folder: Path) -> None:
        self._chain, self._observe, self._folder = chain, observe, folder

    async def deal(self, epoch: int, work: Sequence[RoundWork]) -> None:
        """Writes down what an epoch's contributors are granted, once.

        Raises:
            ChainError: the chain does not answer.
            LocalError: the books cannot be read or written.
        """
        left = await self._chain.shares_left()
        if left is None:
            return
        posted = await self._chain.grants_posted()
        grants, base = self._read(posted)
        if grants and grants[-1].epoch >= epoch:
            return
        unposted = sum(each.total for each in grants[max(0, posted - base) :])
        grant = grant_of(epoch, left - unposted, work)
        if grant.shares:
            self._write((*grants, grant), base)

    async def post(self, epoch: int) -> None:
        """Posts what is written down and not posted, and how it is claimed; raises as `deal`."""
        if not (self._folder / BOOKS).exists():
            return
        grants, base = self._read(0)
        claims = await self._chain.post_grants(grants, base)
        listed = json.dumps([_plain(each) for each in claims], indent=1)
        write_durably(self._folder / PROOFS, listed.encode(), replace=True)
        last = grants[-1]
        fields = {"epoch": epoch, "accounts": len(last.shares), "shares": last.total, "grants": len(grants)}
        self._observe("shares-granted", fields)

    def _read(self, posted: int) -> tuple[tuple[Grant, ...], int]:
        """All grants, and the first one's root: new books begin behind what was posted."""
        file = self._folder / BOOKS
        if not file.exists():
            return (), posted
        with explained("read", file):
            content = file.read_bytes()
        try:
            said = json.loads(content)
            grants = tuple(
                Grant(int(epoch), tuple((Address(bytes.fromhex(account)), int(shares)) for account, shares in lines))
                for epoch, lines in said["grants"]
            )
            return grants, int(said["base"])
        except (ValueError, KeyError, TypeError) as error:
            raise LocalError(f"{file} is damaged: {error!r}; bring it back from a backup") from error

    def _write(self, grants: Sequence[Grant], base: int) -> None:
        lines = [[each.epoch, [[who.hex(), str(shares)] for who, shares in each.shares]] for each in grants]
        content = json.dumps({"base": base, "grants": lines})
        write_durably(self._folder / BOOKS, content.encode(), replace=True)


def _plain(claim: ShareClaim) -> dict[str, object]:
    return {
        "account": f"0x{claim.account.hex()}",
        "shares": claim.shares,
        "index": claim.index,
        "proof": [f"0x{node.hex()}" for node in claim.proof],
    }
