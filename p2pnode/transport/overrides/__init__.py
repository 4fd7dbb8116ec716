"""Our overrides of py-libp2p's internals: plug-in classes and subclasses, one concern a file, no monkey-patching.

Each file says what is wrong upstream and is written as one would send it there. They know the internals of one
version, so any other is refused at import.

| file | what it overrides |
| --- | --- |
| tcp.py | listens without SO_REUSEPORT (a second node on the port would share it), counts bytes, no locks |
| noise.py | one buffered read and one write per batch of frames instead of two reads per message |
| yamux.py | the muxer: receive windows are enforced, one task writes, so a cancelled write cannot tear a frame |
| swarm.py | slots of dead connections come back, half-open floods do not block, a raising handler kills nothing |
| router.py | gossipsub: meshes stay whole, every drop is reported, one serialisation a message, nobody is told twice |
| pubsub.py | gossip: hostile bytes kill nothing, IGNORE, no thread, no signed records |
"""

import logging
from importlib.metadata import version

EXPECTED_VERSION = "0.8.1"

if version("libp2p") != EXPECTED_VERSION:
    raise ImportError(
        f"p2pnode/transport/overrides is written against py-libp2p {EXPECTED_VERSION}, but {version('libp2p')} is "
        "installed: install the version that requirements.lock names"
    )

# It logs what strangers do at ERROR, with their bytes; whatever matters of that reaches `report`.
logging.getLogger("libp2p").setLevel(logging.CRITICAL)
