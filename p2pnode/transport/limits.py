"""Every limit of the transport, in one place. Whatever a stranger can make grow has a line here."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Units are in the names. The defaults fit a mesh of a few hundred peers."""

    # messages
    direct_message_bytes: int = 1 * MIB
    request_bytes: int = 64 * KIB
    response_bytes: int = 4 * MIB
    gossip_message_bytes: int = 64 * KIB
    gossip_rpc_bytes: int = 256 * KIB

    # what waits in memory
    inbox_messages: int = 4096
    inbox_bytes: int = 64 * MIB
    sends_waiting_per_peer: int = 256
    gossip_rpcs_waiting_per_peer: int = 256
    inbox_share: float = 0.25
    """Of the inbox, for any one peer."""
    unread_bytes: int = 64 * MIB
    unread_bytes_per_peer: int = 20 * MIB
    """On streams, in unfinished frames and in unread answers; see budget.py."""
    responses_at_once_per_peer: int = 4
    seen_messages: int = 65536
    known_peers: int = 8192
    addresses_per_peer: int = 8

    # connections and streams
    connections: int = 512
    connections_per_peer: int = 4
    connections_per_address: int = 32
    connections_per_local_address: int = 512
    """Of this machine itself (loopback), where many peers may share an address."""
    handshakes_in_progress: int = 256
    handshakes_per_address: int = 16
    dials_in_parallel: int = 4
    inbound_streams_per_connection: int = 64
    request_streams_per_peer: int = 4
    connection_queue_bytes: int = 256 * KIB

    # conduct (points: conduct.py)
    points_half_life_seconds: float = 30.0
    graylist_points: float = 40.0
    ban_points: float = 100.0
    ban_seconds: float = 600.0
    bans: int = 4096

    # rates; what comes faster is not looked at
    gossip_messages_per_second: float = 100.0
    gossip_messages_burst: float = 1000.0
    """Of one topic from one neighbour."""
    gossip_origin_per_second: float = 10.0
    gossip_origin_burst: float = 100.0
    """Of one topic from whoever signed them, by whatever way they come."""
    gossip_controls_per_second: float = 50.0
    gossip_controls_burst: float = 500.0
    requests_per_second: float = 50.0
    requests_burst: float = 500.0
    """Of one peer; more wait their turn."""

    # gossip mesh
    mesh_degree: int = 6
    mesh_degree_low: int = 4
    mesh_degree_high: int = 12
    topics_per_peer: int = 256
    topic_characters: int = 128
    heartbeat_seconds: int = 1
    seen_seconds: float = 120.0

    # patience
    dial_seconds: float = 10.0
    handshake_seconds: float = 10.0
    redial_after_seconds: float = 1.0
    neighbour_seconds: float = 2.0
    send_seconds: float = 30.0
    request_seconds: float = 60.0
    frame_seconds: float = 60.0
    response_seconds: float = 60.0
    close_seconds: float = 1.0
