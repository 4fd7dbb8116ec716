"""Closes the books of each epoch, if this node's operator is who posts the subnet's rewards.

Everything that goes into them everybody can see: certified rounds, attestations on the chain, the pots. `rewards.json`
in the node's folder has every line that was ever dealt, and `proofs.json` is what people claim by
(`p2pnode rewards claim --proofs`). Amounts are cumulative: an epoch whose posting failed is posted with the next.
Royalty shares are dealt from the same rounds (`p2pnode/shares.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from p2pnode.errors import ChainError
from p2pnode.files import explained, write_durably
from p2pnode.ports import AnchorRecord, Chain, Claim, Clock
from p2pnode.shares import Shares
from p2pnode.supervision import Observer
from protocols.checkpoints.machine import header_digest
from protocols.errors import LocalError
from protocols.rounds.epoch import EpochView
from protocols.types import Address
from protocols.verification.scores import Books, Earned, RoundWork, Share, round_work, settle, totals
from protocols.wire.messages import Header, SetList

BOOKS: Final = "rewards.json"
PROOFS: Final = "proofs.json"
POLL_S: Final = 2.0
PATIENCE_S: Final = 300.0
"""For how long an epoch's last checkpoint may take to be final; what is not final then earns with the next epoch."""


class Paymaster:
    """One node's books. Rounds whose list this node does not know (it was away) are told and left out."""

    def __init__(self, chain: Chain, clock: Clock, observe: Observer, folder: Path, chunks: int) -> None:
        self._chain, self._clock, self._observe = chain, clock, observe
        self._folder, self._chunks = folder, chunks
        self._shares = Shares(chain, observe, folder)
        self._rounds: dict[int, tuple[EpochView, SetList | None, Header]] = {}

    def note(self, view: EpochView, sets: SetList | None, header: Header) -> None:
        """A round that was certified, with the view that it was run by and its list, if that is known here."""
        self._rounds[header.slot.height] = view, sets, header

    async def close(self, epoch: int) -> None:
        """Deals what the pots hold to the workers of the rounds up to this epoch's end, and posts it.

        Raises:
            LocalError: the books cannot be read or written.
        """
        try:
            funded = await self._chain.pots()
            if funded is None:
                self._rounds.clear()
                return
            books, settled = self._read()
            if epoch > settled:
                due = {height: each for height, each in self._rounds.items() if each[0].epoch <= epoch}
                work = await self._work(due)
                books = (*books, *settle(books, funded, work))
                await self._shares.deal(epoch, work)
                self._write(books, epoch)
                for height in due:
                    del self._rounds[height]
            await self._post(books, epoch)
            await self._shares.post(epoch)
        except ChainError as error:
            self._observe("rewards-failed", {"epoch": epoch, "reason": str(error)})

    async def _post(self, books: Books, epoch: int) -> None:
        earned = totals(books)
        if not earned:
            self._observe("rewards-none", {"epoch": epoch})
            return
        claims = await self._chain.post_rewards(earned)
        listed = json.dumps([_plain(each) for each in claims], indent=1)
        write_durably(self._folder / PROOFS, listed.encode(), replace=True)
        amount = sum(earned.values())
        self._observe("rewards-posted", {"epoch": epoch, "accounts": len(earned), "earned_in_all": amount})

    async def _work(self, due: dict[int, tuple[EpochView, SetList | None, Header]]) -> list[RoundWork]:
        """What each round shows, once the checkpoints above are final."""
        final = await self._final(due)
        work = []
        for height in sorted(due):
            view, sets, header = due[height]
            record = final.get(height)
            voters = await self._chain.voters(record.key) if record is not None else ()
            if sets is None:
                self._observe("rewards-unknown", {"height": height, "reason": "its list did not reach this node"})
                continue
            work.append(round_work(view, sets, header, self._chunks, voters))
        return work

    async def _final(self, due: dict[int, tuple[EpochView, SetList | None, Header]]) -> dict[int, AnchorRecord]:
        """The final checkpoints of these rounds, after waiting for the last."""
        digests = {header_digest(header): height for height, (_, _, header) in due.items()}
        deadline = self._clock.now() + PATIENCE_S
        while True:
            records = await self._chain.anchors(min(due, default=0))
            ours = {digests[each.header_digest]: each for each in records if each.header_digest in digests}
            waiting = [height for height, each in ours.items() if not each.finalised]
            if (ours and not waiting) or self._clock.now() >= deadline:
                return {height: each for height, each in ours.items() if each.finalised}
            await self._clock.sleep_until(self._clock.now() + POLL_S)

    def _read(self) -> tuple[Books, int]:
        """All lines, and the last epoch that was settled; -1 if none was."""
        file = self._folder / BOOKS
        if not file.exists():
            return (), -1
        with explained("read", file):
            content = file.read_bytes()
        try:
            said = json.loads(content)
            lines = tuple(
                Earned(int(height), Share[name.upper()], Address(bytes.fromhex(account)), int(amount))
                for height, name, account, amount in said["lines"]
            )
            return lines, int(said["epoch"])
        except (ValueError, KeyError, TypeError) as error:
            raise LocalError(f"{file} is damaged: {error!r}; bring it back from a backup") from error

    def _write(self, books: Books, epoch: int) -> None:
        lines = [[each.height, each.share.name.lower(), each.account.hex(), str(each.amount)] for each in books]
        content = json.dumps({"epoch": epoch, "lines": lines})
        write_durably(self._folder / BOOKS, content.encode(), replace=True)


def _plain(claim: Claim) -> dict[str, object]:
    return {
        "account": f"0x{claim.account.hex()}",
        "pot": claim.pot,
        "cumulative": claim.cumulative,
        "index": claim.index,
        "proof": [f"0x{node.hex()}" for node in claim.proof],
    }
