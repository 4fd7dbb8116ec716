"""One way to hash several things: SHA-256 over a domain and length-prefixed parts, so that no two inputs collide."""

from __future__ import annotations

import hashlib

from protocols.types import Digest


def tagged(domain: str, *parts: bytes | int) -> Digest:
    """SHA-256("2pm/" domain "/1" 0x00, then for each part its length as u32 BE and its bytes; an int is 8 bytes BE)."""
    state = hashlib.sha256(f"2pm/{domain}/1\0".encode())
    for part in parts:
        data = part.to_bytes(8, "big") if isinstance(part, int) else part
        state.update(len(data).to_bytes(4, "big") + data)
    return Digest(state.digest())
