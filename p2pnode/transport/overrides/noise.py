"""The Noise handshake is py-libp2p's; the session after it is ours.

Upstream reads the two length bytes and the message by two reads each (through a lock, a checkpoint and
`read_exactly`), and writes each Noise message by itself. `Session` reads whatever the socket has and encrypts a whole
batch of muxer frames into one write. Wire format: libp2p specs, noise/README.md (2-byte length, 65,535 bytes at most).
"""

from __future__ import annotations

import struct
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.peer.id import ID
from libp2p.security.noise.io import MAX_PLAINTEXT_LENGTH, NoiseTransportReadWriter
from libp2p.security.noise.transport import Transport
from libp2p.security.secure_session import SecureSession

_READ_BYTES = 128 * 1024
_LENGTH = struct.Struct(">H")
_NONCE = struct.Struct("<4xQ")
_TAG_BYTES = 16
_OVERHEAD_BYTES = _LENGTH.size + _TAG_BYTES


class Noise(Transport):
    """`/noise` with our session."""

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        return Session(cast("SecureSession", await super().secure_inbound(conn)), conn)

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        return Session(cast("SecureSession", await super().secure_outbound(conn, peer_id)), conn)


class Session(SecureSession):
    """An encrypted byte stream over one connection; one reader and one writer at a time."""

    def __init__(self, stock: SecureSession, raw: IRawConnection) -> None:
        super().__init__(
            local_peer=stock.local_peer,
            local_private_key=stock.local_private_key,
            remote_peer=stock.remote_peer,
            remote_permanent_pubkey=stock.remote_permanent_pubkey,
            is_initiator=stock.is_initiator,
            conn=stock.conn,
        )
        protocol: Any = cast("NoiseTransportReadWriter", stock.conn).noise_state.noise_protocol
        self._sealing = Direction(protocol.cipher_state_encrypt)
        self._opening = Direction(protocol.cipher_state_decrypt)
        self._raw = raw
        self._cipher = bytearray()  # the beginning of a message that is not whole yet
        self._plain: bytes | bytearray = b""  # what was decrypted
        self._read = 0  # so much of it was handed out

    async def read(self, n: int | None = None) -> bytes:
        """At most `n` bytes, at least one; b"" when the other side has closed.

        Raises:
            ConnectionClosedError: the connection broke, or a message did not authenticate.
        """
        while self._read >= len(self._plain):
            data = await self._raw.read(_READ_BYTES)
            if not data:
                return b""
            self._plain, self._read = self._decrypted(data), 0
        if n is None and not self._read:
            out, self._plain = self._plain, b""
            return cast("bytes", out)  # the muxer reads it, and takes any buffer
        start, self._read = self._read, len(self._plain) if n is None else self._read + n
        out = bytes(self._plain[start : self._read])
        if self._read >= len(self._plain):
            self._plain, self._read = b"", 0
        return out

    async def write(self, data: bytes) -> None:
        """All of it, in as few Noise messages as it takes, by one write."""
        await self._raw.write(cast("bytes", self._sealing.seal(data)))  # the socket takes any buffer

    async def close(self) -> None:
        await self._raw.close()

    def _decrypted(self, data: bytes) -> bytes | bytearray:
        """What the messages say that are whole now; the rest is kept, in a buffer that grows in place: a message that
        comes in tiny pieces must not be copied for each.
        """
        kept = bool(self._cipher)
        if kept:
            self._cipher += data
        with memoryview(self._cipher if kept else data) as cipher:
            plain, at = self._opening.open(cipher)
        if kept:
            del self._cipher[:at]
        elif at < len(data):
            self._cipher += memoryview(data)[at:]
        return plain


class Direction:
    """One direction's key and counter. A batch of messages is sealed into one buffer, and opened into one: a message at
    a time costs three calls and a copy each.
    """

    def __init__(self, state: Any) -> None:
        self._aead: ChaCha20Poly1305 = state.cipher.cipher
        self._count: int = state.n

    def seal(self, data: bytes) -> bytes | bytearray:
        """The messages that say `data`, each behind its length."""
        if len(data) <= MAX_PLAINTEXT_LENGTH:
            sealed = self._aead.encrypt(self._nonce(), data, None)
            return _LENGTH.pack(len(sealed)) + sealed
        messages = -(-len(data) // MAX_PLAINTEXT_LENGTH)
        out, at = bytearray(len(data) + messages * _OVERHEAD_BYTES), 0
        with memoryview(data) as plain, memoryview(out) as room:
            for start in range(0, len(data), MAX_PLAINTEXT_LENGTH):
                message = plain[start : start + MAX_PLAINTEXT_LENGTH]
                end = at + _OVERHEAD_BYTES + len(message)
                _LENGTH.pack_into(room, at, len(message) + _TAG_BYTES)
                self._aead.encrypt_into(self._nonce(), message, None, room[at + _LENGTH.size : end])
                at = end
        return out

    def open(self, cipher: memoryview) -> tuple[bytes | bytearray, int]:
        """What the messages say that are whole, and where the next one begins.

        Raises:
            ConnectionClosedError: one did not authenticate.
        """
        messages, at = [], 0
        while len(cipher) - at >= _LENGTH.size:
            end = at + _LENGTH.size + _LENGTH.unpack_from(cipher, at)[0]
            if end > len(cipher):
                break
            messages.append(cipher[at + _LENGTH.size : end])
            at = end
        try:
            if len(messages) == 1:
                return self._aead.decrypt(self._nonce(), messages[0], None), at
            return self._opened(messages), at
        except (InvalidTag, ValueError) as error:  # the latter: shorter than its tag
            raise ConnectionClosedError("a Noise message did not authenticate", transport="noise") from error

    def _opened(self, messages: list[memoryview]) -> bytearray:
        plain, at = bytearray(max(0, sum(map(len, messages)) - len(messages) * _TAG_BYTES)), 0
        with memoryview(plain) as room:
            for message in messages:
                end = at + max(0, len(message) - _TAG_BYTES)
                self._aead.decrypt_into(self._nonce(), message, None, room[at:end])
                at = end
        return plain

    def _nonce(self) -> bytes:
        """Four zeros and the counter, little-endian (Noise specification, section 12)."""
        nonce = _NONCE.pack(self._count)
        self._count += 1
        return nonce
