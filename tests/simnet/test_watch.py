from collections.abc import Mapping
from dataclasses import replace

from p2pnode.ports import AnchorRecord
from protocols.types import NO_DIGEST, Address, Digest
from simnet.watch import AnchorWatch

RECORD = AnchorRecord(
    Digest(b"k" * 32), 3, Digest(b"h" * 32), NO_DIGEST, NO_DIGEST, Address(b"p" * 20), 7, 0, finalised=False
)


class Chain:
    def __init__(self) -> None:
        self.records: tuple[AnchorRecord, ...] = ()

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]:
        return tuple(record for record in self.records if record.height >= from_height)


async def test_each_checkpoint_is_told_when_anchored_and_when_final() -> None:
    chain, told = Chain(), []

    def tell(node: str, name: str, fields: Mapping[str, object]) -> None:
        told.append((node, name, fields["height"], fields["final"]))

    watch = AnchorWatch(chain, tell)
    await watch.look()
    assert watch.all_final
    chain.records = (RECORD,)
    await watch.look()
    await watch.look()
    assert not watch.all_final
    chain.records = (replace(RECORD, finalised=True),)
    await watch.look()
    assert watch.all_final
    assert told == [("simnet", "checkpoint", 3, False), ("simnet", "checkpoint", 3, True)]
