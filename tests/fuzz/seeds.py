"""Where fuzzing begins: the test vectors, and a few well-formed inputs of what has none."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.kad_dht.pb.kademlia_pb2 import Message
from libp2p.pubsub.pb import rpc_pb2
from multiaddr import Multiaddr

from p2pnode.learning.model import model_bytes
from p2pnode.learning.spec import TaskSpec
from p2pnode.transport.addresses import peer_id_of
from protocols.encryption.packing import pack_bits
from protocols.types import NO_DIGEST, PeerKey
from protocols.wire.codec import encode
from protocols.wire.messages import TAGS
from tests.protocols.playbook import VIEW, a_peer
from tests.protocols.wire.test_messages import EVERY

TOPIC: Final = "/t"
FOLDER: Final = Path(__file__).parents[1] / "vectors"
SERVICES_FIRST: Final = len(TAGS)
CHUNK_BYTES, SHARE_BYTES = 47_104, 8_704


def raw(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


class Vectors:
    """Seeds by target; read once."""

    def __init__(self) -> None:
        self.messages, self.sealing = load("messages.json"), load("sealing.json")

    def envelopes(self) -> list[bytes]:
        return [raw(vector["envelope"]) for vector in self.messages["messages"]]

    def bodies(self) -> list[bytes]:
        return [raw(vector["body"]) for vector in self.messages["messages"]]

    def records(self) -> list[bytes]:
        """The index of the kind, then its bytes; see `targets.KINDS`."""
        ours = [bytes([list(TAGS.values()).index(type(message))]) + encode(message) for message in EVERY]
        kinds = ("Info", "PeersRequest", "PeersResponse", "KeysRequest", "KeysResponse", "HeadResponse")
        order = [*kinds, "BlobRequest", "Part", "BlobResponse", "PiecesRequest", "PiecesResponse", "PieceRequest"]
        services = self.messages["services"]
        return ours + [bytes([SERVICES_FIRST + order.index(v["type"])]) + raw(v["encoded"]) for v in services]

    def gossiped(self) -> list[bytes]:
        return [bytes([topic]) + a_peer(1).sign(message).encoded for topic in (0, 1) for message in EVERY]

    def evidence(self) -> list[bytes]:
        two = [message for message in EVERY if type(message).__name__ in ("Vote", "Release")]
        return [encode((a_peer(1).sign(one).encoded, a_peer(1).sign(other).encoded)) for one in two for other in two]

    def params(self) -> list[bytes]:
        return [raw(vector["encoded"]) for vector in self.messages["params"].values()]

    def tasks(self) -> list[bytes]:
        return [TaskSpec("digits", NO_DIGEST, {"hidden": 3, "rate": 0.5, "kind": "x"}).encode()]

    def models(self) -> list[bytes]:
        weights = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(0)}
        return [model_bytes(weights, {"steps": np.array(3)}), model_bytes({}, {})]

    def totals(self) -> list[bytes]:
        return [struct.pack(">I", 3) + struct.pack("<5i", -1, 2, 0, 7, 2**31 - 1)]

    def bits(self) -> list[bytes]:
        widths = (1, 9), (17, 9), (46, 8), (64, 3)
        return [
            bytes([bits - 1, n]) + pack_bits(np.arange(n, dtype=np.uint64) % (1 << min(bits, 63)), bits)
            for bits, n in widths
        ]

    def chunks(self) -> list[bytes]:
        return [bytes(CHUNK_BYTES), b"\x01" * CHUNK_BYTES]

    def shares(self) -> list[bytes]:
        return [bytes(SHARE_BYTES), b"\x02" * SHARE_BYTES]

    def dealt(self) -> list[bytes]:
        return [share + bytes(20) for share in self.shares()]

    def sealed(self) -> list[bytes]:
        return [bytes(32 + 1088 + 32 + 16), bytes([5]) * (32 + 1088 + 32 + SHARE_BYTES + 36)]

    def proofs(self) -> list[bytes]:
        return [bytes(96)]

    def curve_keys(self) -> list[bytes]:
        return [bytes(96), b"\x01" + bytes(95), a_peer(1).key + bytes(64)]

    def epoch_keys(self) -> list[bytes]:
        return [raw(self.sealing["member_public"]), bytes(1216)]

    def frames(self) -> list[bytes]:
        return [b"\x03" + b"".join(struct.pack(">I", size) + bytes(size) for size in (0, 1, 5, 999)), b"\xff\x05hello"]

    def yamux(self) -> list[bytes]:
        head = struct.Struct(">BBHII").pack
        opened = head(0, 1, 1, 1, 0)
        frames = [
            opened + head(0, 0, 0, 1, 5) + b"hello" + head(0, 1, 4, 1, 0),
            opened + head(0, 1, 0, 1, 2**31) + head(0, 1, 8, 1, 0),
            head(0, 2, 1, 0, 77) + head(0, 3, 0, 0, 0),
            b"".join(head(0, 1, 1, number, 0) for number in range(1, 200, 2)),
        ]
        return [b"\x07" + each for each in frames]

    def rpcs(self) -> list[bytes]:
        control = rpc_pb2.ControlMessage
        rpcs = [
            rpc_pb2.RPC(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=TOPIC)]),
            rpc_pb2.RPC(publish=[rpc_pb2.Message(data=b"x", topicIDs=[TOPIC], from_id=b"junk", seqno=b"1")]),
            rpc_pb2.RPC(control=control(graft=[rpc_pb2.ControlGraft(topicID=TOPIC)])),
            rpc_pb2.RPC(control=control(prune=[rpc_pb2.ControlPrune(topicID=TOPIC, backoff=2**40)])),
            rpc_pb2.RPC(control=control(ihave=[rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[b"m" * 40])])),
            rpc_pb2.RPC(control=control(iwant=[rpc_pb2.ControlIWant(messageIDs=[b"m" * 40])])),
        ]
        bodies = [rpc.SerializeToString() for rpc in rpcs]
        framed = [bytes([len(body)]) + body for body in bodies if len(body) < 128]
        return [b"\x10" + each for each in (*framed, b"".join(framed))]

    def addresses(self) -> list[bytes]:
        peer = peer_id_of(PeerKey(VIEW.committee[0]))
        hosts = "/ip4/203.0.113.7", "/ip6/::1", "/dns4/example.org"
        return [f"{host}/tcp/6701/p2p/{peer}".encode() for host in hosts]

    def kad(self) -> list[bytes]:
        peer, where = peer_id_of(VIEW.committee[0]).to_bytes(), Multiaddr("/ip4/203.0.113.7/tcp/6701").to_bytes()
        answer = Message(type=Message.FIND_NODE, key=peer, closerPeers=[Message.Peer(id=peer, addrs=[where])])
        return [answer.SerializeToString(), Message(type=Message.PING).SerializeToString()]

    def texts(self) -> list[bytes]:
        entries = [b"dnsaddr=" + each for each in self.addresses()]
        return [b"".join(bytes([len(each)]) + each for each in entries)]

    def identities(self) -> list[bytes]:
        return [Identify(observed_addr=Multiaddr("/ip4/203.0.113.7/tcp/1").to_bytes()).SerializeToString()]

    def peer_ids(self) -> list[bytes]:
        return [peer_id_of(VIEW.committee[0]).to_bytes(), bytes(38)]
