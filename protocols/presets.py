"""Named parameters, what each claims, and whether a node may start under them."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from protocols.errors import LocalError
from protocols.params import Params
from protocols.security.claims import Assumptions, Claims, Finding, broken, findings

PRESETS: Final = {
    "dev": Params(),
    "testnet": Params(
        preset="testnet",
        k_min=13,
        dropouts=3,
        committee=16,
        threshold=11,
        rounds_per_epoch=10,
        confirmations=2,
        epoch_timeout_s=3600,
        grace_s=20,
        submit_s=180,
        agree_s=60,
        open_s=120,
    ),
    "paranoid": Params(
        preset="paranoid",
        k_min=15,
        dropouts=1,
        committee=16,
        threshold=13,
        rounds_per_epoch=10,
        confirmations=6,
        epoch_timeout_s=3600,
        grace_s=30,
        submit_s=300,
        agree_s=60,
        open_s=120,
    ),
}

_TESTNET: Final = Assumptions(
    peers=Fraction(1, 5),
    members=Fraction(1, 10),
    spoilers=Fraction(1, 100),
    absent=Fraction(1, 20),
    population=1024,
)

ASSUMED: Final = {
    "dev": _TESTNET,
    "testnet": _TESTNET,
    "paranoid": Assumptions(
        peers=Fraction(1, 4),
        members=Fraction(1, 5),
        spoilers=Fraction(1, 100),
        absent=Fraction(1, 50),
        population=1024,
    ),
}

CLAIMED: Final[dict[str, Claims | None]] = {
    "dev": None,  # for peers that follow the protocol
    "testnet": Claims(cell_bits=9, committee_bits=8),
    "paranoid": Claims(cell_bits=12, committee_bits=11),
}

REASONS: Final = {
    "preset": "whose claims these parameters must reach",
    "scheme": "the one that hides updates",
    "k_min": "no sum of fewer is ever opened: the more, the less a sum says of one update",
    "dropouts": "members of a cell that a round may lose; every one of them also shelters one more liar",
    "committee": "the larger, the rarer are too many liars in it; 16 shares of a key are 158 kB a contributor",
    "threshold": "two thirds and one, n = 3f + 1; above (n + x) / 2 it stands x liars, and tolerates n - t absences",
    "rounds_per_epoch": "fewer mean more draws, each with its chance of bad luck; more keep a bad draw for longer",
    "anchor_every": "every A-th checkpoint stands on the chain, and vouches for those between; each costs gas",
    "confirmations": "blocks that a reorganisation must not take back, since committee and cells follow from one",
    "epoch_timeout_s": "a committee that completes nothing is replaced after this",
    "grace_s": "for the slowest of a cell, once the others are there",
    "submit_s": "training, and 3 MB a million values up a home line of 1 MB/s",
    "agree_s": "several proposers in turn, each after a time-out of seconds",
    "open_s": "fetching a cell's ciphertexts, adding, opening and voting on the header",
    "final_height": "0: no end",
}
"""Why each parameter is there, for people."""


def preset(name: str) -> Params:
    """The parameters of a preset.

    Raises:
        LocalError: unknown.
    """
    if name not in PRESETS:
        raise LocalError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]


def explain(params: Params) -> tuple[Finding, ...]:
    """What these parameters reach, measured by the claims of the preset that they name.

    Raises:
        LocalError: the preset is unknown.
    """
    preset(params.preset)
    return findings(params, ASSUMED[params.preset], CLAIMED[params.preset])


def require_startable(params: Params) -> Params:
    """The parameters themselves, if they reach what their preset claims.

    Raises:
        LocalError: nobody knows their preset, or they break a claim; each one that they break is named.
    """
    preset(params.preset)
    failed = broken(params, ASSUMED[params.preset], CLAIMED[params.preset])
    if failed:
        reasons = "; ".join(f"{finding.name}: {finding.claim} claimed, {_reached(finding)}" for finding in failed)
        raise LocalError(
            f"preset {params.preset!r} is refused with these parameters, which do not reach what it claims: {reasons}. "
            f"`p2pnode params explain {params.preset}` shows what would; preset 'dev' claims nothing"
        )
    return params


def _reached(finding: Finding) -> str:
    return finding.value if finding.bits is None else f"{finding.bits:.1f} bits reached ({finding.value})"
