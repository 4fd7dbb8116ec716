"""Every decoder of outside bytes, as something to throw bytes at.

A target refuses bytes by returning; whatever it raises is a finding. Where a decoder accepts, the target checks that
what it made encodes back to the very same bytes: there is one encoding for a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pnode import services
from p2pnode.learning.model import load_model, model_bytes
from p2pnode.learning.spec import decode_spec
from protocols.agreement.evidence import decode_evidence
from protocols.encryption.degree import COMBINATIONS, read_proof
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.packing import SHARE_BITS, pack_bits, pack_share, unpack_bits, unpack_share
from protocols.encryption.sealing import (
    DealingKey,
    EpochKeyPair,
    check_proof,
    exchange_key,
    find_opening,
    is_usable,
    seal,
    unseal,
)
from protocols.errors import RemoteError
from protocols.params import Params, decode_params
from protocols.rounds.dealing import pack_dealt, unpack_dealt
from protocols.rounds.manifests import open_manifest
from protocols.types import Digest, Height, Secret
from protocols.updates.chunks import verify_chunks
from protocols.updates.gossip import ON_TOPIC, judge
from protocols.updates.totals import Total, add_cells, decode_total
from protocols.wire import codec, envelope
from protocols.wire.messages import ENVELOPE_MAX_BYTES, TAGS
from tests.fuzz import streams
from tests.fuzz.seeds import Vectors
from tests.protocols.playbook import VIEW, a_peer

Run = Callable[[bytes], None]
KINDS: Final = (
    *TAGS.values(),
    *(kind for kind in vars(services).values() if is_dataclass(kind) and kind.__module__ == services.__name__),
)
LANES: Final = 5
CONTEXT: Final = bytes(32)
PAIR: Final = EpochKeyPair.generate(Secret(bytes([1]) * 32))
DEALING: Final = DealingKey(Secret(bytes([2]) * 32))
SCHEME: Final = OneTimeKeyScheme()
SIGNER: Final = a_peer(1)
SIGNER_KEY: Final = Ed25519PrivateKey.from_private_bytes((1).to_bytes(32, "big"))


@dataclass(frozen=True)
class Target:
    """Attributes:
    covers: the product's functions that it throws bytes at, by name.
    seeds: inputs to begin with.
    most: bytes of an input.
    """

    run: Run
    covers: tuple[Callable[..., Any], ...]
    seeds: Callable[[Vectors], list[bytes]]
    most: int = 4096


def refusing(decoder: Callable[[bytes], Any]) -> Run:
    """Runs a decoder that may say no by the documented errors only."""

    def run(data: bytes) -> None:
        try:
            decoder(data)
        except RemoteError:  # and MalformedError, which is one
            return

    return run


def round_trip(decoder: Callable[[bytes], Any], encoder: Callable[[Any], bytes]) -> Run:
    def both(data: bytes) -> None:
        value = decoder(data)
        assert encoder(value) == data

    return refusing(both)


def records(data: bytes) -> None:
    """The first byte chooses the kind of record, the rest is it."""
    kind = KINDS[data[0] % len(KINDS)] if data else KINDS[0]
    round_trip(lambda body: codec.decode(body, kind, ENVELOPE_MAX_BYTES), codec.encode)(data[1:])


def forged(data: bytes) -> None:
    """A body under a signature that holds: nothing behind the signature's check is out of reach."""
    public, signature = SIGNER.key, SIGNER_KEY.sign(envelope.DOMAIN + data)
    packed = codec.encode(envelope._Envelope(data, public, signature)) if data else b""
    signed = envelope.open_envelope(packed)
    assert signed.encoded == packed
    assert envelope.digest_of(signed.message) == signed.digest == hashlib.sha256(data).digest()


def opened(data: bytes) -> None:
    signed = envelope.open_envelope(data)
    assert signed.encoded == data


def judged(data: bytes) -> None:
    """Never raises; the first byte chooses the topic."""
    topic = sorted(ON_TOPIC)[data[0] % len(ON_TOPIC)] if data else "proof"
    judge(topic, SIGNER.key, data[1:], lambda epoch: VIEW if epoch == 0 else None)


def packed_bits(data: bytes) -> None:
    """Two bytes say how many values of how many bits."""
    bits, count = 1 + data[0] % 64 if data else 1, data[1] if len(data) > 1 else 0
    values = unpack_bits(data[2:], bits, count)
    assert pack_bits(values, bits) == data[2:]


def chunk(data: bytes) -> None:
    residues = SCHEME.unpack([data])
    assert SCHEME.pack(residues) == (data,)


def sealed(data: bytes) -> None:
    """A dealing's key, then what was sealed."""
    opening = find_opening(PAIR, data[:32], data[32:], CONTEXT)
    unseal(opening, data[32:], CONTEXT)


def sealed_well(data: bytes) -> None:
    """What a dealer sealed properly to us, whatever it is."""
    packed = seal(DEALING, PAIR.public, data, CONTEXT)
    assert unseal(find_opening(PAIR, DEALING.public, packed, CONTEXT), packed, CONTEXT) == data
    assert pack_dealt(*unpack_dealt(data)) == data


def curve_key(data: bytes) -> None:
    assert len(exchange_key(data[:32])) == 32
    check_proof(data[:32], data[32:96], data[96:])


def promised(data: bytes) -> None:
    open_manifest(data, VIEW, Height(0), 2)


def proof(data: bytes) -> None:
    values = read_proof(data, 5)
    assert values.shape == (5, COMBINATIONS)
    assert pack_bits(values.astype(np.uint64).ravel(), SHARE_BITS) == data


def total_bytes(total: Total) -> bytes:
    return add_cells([(total.lanes, total.contributors)]) if total.lanes.min() > -(2**31) else b""


def total(data: bytes) -> None:
    decoded = decode_total(data, LANES)
    assert decoded.lanes.min() == -(2**31) or total_bytes(decoded) == data


def chunks(data: bytes) -> None:
    verify_chunks([data], [Digest(bytes(32))], SCHEME)
    raise AssertionError("no chunk has the digest zero")


def task_spec(data: bytes) -> None:
    assert decode_spec(data).encode() == data


def usable(data: bytes) -> None:
    is_usable(data)


TARGETS: Final[dict[str, Target]] = {
    "records": Target(records, (codec.decode, codec.unpack, codec.build), Vectors.records),
    "envelope": Target(refusing(opened), (envelope.open_envelope,), Vectors.envelopes),
    "forged": Target(refusing(forged), (envelope.decode_body,), Vectors.bodies),
    "judge": Target(judged, (judge,), Vectors.gossiped),
    "evidence": Target(round_trip(decode_evidence, lambda found: found.encode()), (decode_evidence,), Vectors.evidence),
    "params": Target(round_trip(decode_params, Params.encode), (decode_params,), Vectors.params),
    "task": Target(refusing(task_spec), (decode_spec,), Vectors.tasks),
    "model": Target(round_trip(load_model, lambda model: model_bytes(*model)), (load_model,), Vectors.models),
    "total": Target(refusing(total), (decode_total,), Vectors.totals),
    "bits": Target(refusing(packed_bits), (unpack_bits,), Vectors.bits),
    "chunk": Target(refusing(chunk), (SCHEME.unpack, verify_chunks), Vectors.chunks, 48_000),
    "chunks": Target(refusing(chunks), (verify_chunks,), Vectors.chunks, 48_000),
    "share": Target(round_trip(unpack_share, pack_share), (unpack_share,), Vectors.shares, 9_000),
    "sealed": Target(refusing(sealed), (find_opening, unseal), Vectors.sealed, 11_000),
    "sealed-well": Target(refusing(sealed_well), (unpack_dealt,), Vectors.dealt, 9_000),
    "degree": Target(refusing(proof), (read_proof,), Vectors.proofs),
    "curve-key": Target(refusing(curve_key), (exchange_key, check_proof), Vectors.curve_keys),
    "epoch-key": Target(usable, (is_usable,), Vectors.epoch_keys),
    "manifest": Target(refusing(promised), (open_manifest,), Vectors.envelopes),
    **{name: Target(*parts) for name, parts in streams.TARGETS.items()},
}
