"""How far an address reaches, who may send us there, and whose neighbours it has. Text in, no I/O.

A stranger on the internet that says "I am at 192.168.1.1" would have us knock at doors of our own network. So an
address counts only if it reaches at least as far as the connection over which it was told.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_TRANSLATED: Final = ip_network("64:ff9b::/96")
_IP6_GROUP_BITS: Final = 32
_IP4_GROUP_BITS: Final = 16


class Scope(IntEnum):
    """How far an address reaches: within this machine, this link, this site, everywhere."""

    MACHINE = 0
    LINK = 1
    SITE = 2
    WORLD = 3


def scope_of(host: str) -> Scope | None:
    """The scope of an IP address; None if it is none, or nothing that one host could be dialled at."""
    ip = _ip(host)
    if ip is None or ip.is_multicast or ip.is_unspecified or (ip.version == 6 and ip in _TRANSLATED):
        return None
    if ip.is_loopback:
        return Scope.MACHINE
    if ip.is_link_local:
        return Scope.LINK
    if ip.is_global:
        return Scope.WORLD
    return None if ip.is_reserved else Scope.SITE


def host_of(address: str) -> str | None:
    """The IP address in "/ip4/203.0.113.7/tcp/4001/...", None if it begins otherwise (a name, say)."""
    parts = address.split("/", 3)
    return parts[2] if len(parts) > 3 and parts[0] == "" and parts[1] in ("ip4", "ip6") else None


def may_dial(address: str, teller: Scope) -> bool:
    """Whether to dial an address that was told from `teller`'s distance. Names are never: they lead anywhere."""
    host = host_of(address)
    scope = scope_of(host) if host is not None else None
    return scope is not None and scope >= teller


def group_of(host: str) -> str | None:
    """Addresses that one person easily has together: a /16 of IPv4, a /32 of IPv6. None where that says nothing."""
    ip = _ip(host)
    if ip is None or scope_of(host) is not Scope.WORLD:
        return None
    bits = _IP4_GROUP_BITS if ip.version == 4 else _IP6_GROUP_BITS
    return str(ip_network((int(ip) >> (ip.max_prefixlen - bits) << (ip.max_prefixlen - bits), bits)))


def groups_of(addresses: Iterable[str]) -> set[str]:
    """The groups of a peer's addresses."""
    return {group for address in addresses if (group := group_of(host_of(address) or ""))}


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(host)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip
