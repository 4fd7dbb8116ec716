"""The Noise handshake is py-libp2p's; the session after it is ours.

Upstream reads the two length bytes and the message by two reads each (through a lock, a checkpoint and
`read_exactly`), and writes each Noise message by itself. `Session` reads whatever the socket has and encrypts a whole
batch of muxer frames into one write. Wire format: libp2p specs, noise/README.md (2-byte length, 65,535 bytes at most).
"""

from __future__ import annotations

from typing import Any, cast

from cryptography.exceptions import InvalidTag
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.peer.id import ID
from libp2p.security.noise.io import MAX_PLAINTEXT_LENGTH, NoiseTransportReadWriter
from libp2p.security.noise.transport import Transport
from libp2p.security.secure_session import SecureSession

_READ_BYTES = 128 * 1024


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
        self._encrypt = protocol.cipher_state_encrypt.encrypt_with_ad
        self._decrypt = protocol.cipher_state_decrypt.decrypt_with_ad
        self._raw = raw
        self._cipher = bytearray()  # the beginning of a message that is not whole yet
        self._plain, self._read = b"", 0  # what was decrypted, and how much of it was handed out

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
        start, self._read = self._read, len(self._plain) if n is None else self._read + n
        out = self._plain[start : self._read]
        if self._read >= len(self._plain):
            self._plain, self._read = b"", 0
        return out

    async def write(self, data: bytes) -> None:
        out, view = [], memoryview(data)
        for start in range(0, len(data), MAX_PLAINTEXT_LENGTH):
            sealed = self._encrypt(None, view[start : start + MAX_PLAINTEXT_LENGTH])
            out += [len(sealed).to_bytes(2, "big"), sealed]
        await self._raw.write(b"".join(out))

    async def close(self) -> None:
        await self._raw.close()

    def _decrypted(self, data: bytes) -> bytes:
        """What the messages say that are whole now; the rest is kept, in a buffer that grows in place: a message that
        comes in tiny pieces must not be copied for each.
        """
        kept = bool(self._cipher)
        if kept:
            self._cipher += data
        plain: list[bytes] = []
        with memoryview(self._cipher if kept else data) as cipher:
            at = 0
            while len(cipher) - at >= 2:
                end = at + 2 + int.from_bytes(cipher[at : at + 2], "big")
                if end > len(cipher):
                    break
                try:
                    plain.append(self._decrypt(None, cipher[at + 2 : end]))
                except InvalidTag as error:
                    raise ConnectionClosedError("a Noise message did not authenticate", transport="noise") from error
                at = end
        if kept:
            del self._cipher[:at]
        else:
            self._cipher += memoryview(data)[at:]
        return plain[0] if len(plain) == 1 else b"".join(plain)
