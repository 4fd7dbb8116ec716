"""Whatever not everybody may call stands in contracts/test/Powers.t.sol, with who may."""

import re

from contracts.build import FOLDER, SOURCES, install

LIBRARY = FOLDER / "node_modules" / "@openzeppelin" / "contracts"
OTHERS = (
    "access/AccessControl.sol",
    "access/manager/AccessManaged.sol",
    "access/manager/AccessManager.sol",
    "governance/Governor.sol",
    "governance/TimelockController.sol",
    "governance/extensions/GovernorSettings.sol",
    "governance/extensions/GovernorTimelockControl.sol",
    "governance/extensions/GovernorVotesQuorumFraction.sol",
)
"""Of OpenZeppelin's, what ours are made of and what restricts anything."""
FUNCTION = re.compile(r"function (\w+)\([^)]*\)([^;{]*)\{([^\n]*\n[^\n]*)")
MODIFIER = re.compile(r"\b(restricted|onlyGovernance|onlyAuthorized|onlyRole|onlyAllocationManager)\b")
BY_HAND = {"AccessManaged.setAuthority", "TimelockController.updateDelay", "AccessManager.execute"}
"""Restricted in their bodies. `AccessManager.schedule` and `cancel` serve delayed roles, which nobody has."""
POSTERS = {"RoyaltyVault.grant", "RewardDistributor.postRoot"}
"""The subnet's poster's alone: `PostedRoots._post` asks who calls."""
INHERITED = {"PostedRoots.disableRoot": {"RoyaltyVault.disableRoot", "RewardDistributor.disableRoot"}}


def restricted(text, name):
    found = {f"{name}.{function}" for function, head, _ in FUNCTION.findall(text) if MODIFIER.search(head)}
    return {other for one in found for other in INHERITED.get(one, {one})}


def wanted():
    install()
    files = [*sorted(SOURCES.glob("*.sol")), *(LIBRARY / other for other in OTHERS)]
    return set().union(*(restricted(file.read_text(), file.stem) for file in files)) | BY_HAND | POSTERS


def test_whatever_is_restricted_is_tried_by_everybody():
    named = set(re.findall(r'_add\("(\w+\.\w+)"', (FOLDER / "test" / "Powers.t.sol").read_text()))
    assert named == wanted()


def test_what_asks_who_calls_is_known():
    """A contract of ours restricts by a modifier, or here is said how else."""
    body_of = re.compile(r"function (\w+)\([^)]*\)([^;{]*)\{(.*?)\n    \}", re.DOTALL)
    asking = {
        f"{file.stem}.{function}"
        for file in SOURCES.glob("*.sol")
        for function, _, body in body_of.findall(file.read_text())
        if re.search(r"msg\.sender\)? ?[!=]=|[!=]= msg\.sender", body)
    }
    assert asking == {
        "Attestation.begin",  # the subnet's anchor
        "DatasetRegistry._supersede",  # whose the commitment is
        "DatasetRegistry.commit",  # whether another signed it
        "DisputeGame.answer",  # the game's challenger
        "DisputeGame.commit",  # the game's defender
        "DMPToken.stake",  # whether it has delegated before
        "PostedRoots._post",  # the subnet's poster
        "SubnetRegistry.open",  # its founder, once
    }


def test_a_restricted_function_is_noticed():
    text = (
        "    function a(uint256 x) external restricted {\n x;\n }\n function b()\n external\n onlyGovernance\n {\n\n }"
    )
    assert restricted(text, "C") == {"C.a", "C.b"}
    assert restricted(text.replace("restricted", "view"), "C") == {"C.b"}
