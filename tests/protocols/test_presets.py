from __future__ import annotations

from dataclasses import fields

import pytest

from protocols.errors import LocalError
from protocols.params import Params
from protocols.presets import ASSUMED, CLAIMED, PRESETS, REASONS, explain, preset, require_startable


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_reaches_what_it_claims(name: str) -> None:
    assert PRESETS[name].preset == name
    assert require_startable(preset(name)) == PRESETS[name]
    assert all(finding.holds for finding in explain(PRESETS[name]))


def test_every_preset_has_its_assumptions_and_every_parameter_its_reason() -> None:
    assert set(PRESETS) == set(ASSUMED) == set(CLAIMED)
    assert list(REASONS) == [field.name for field in fields(Params)]


def test_paranoid_stands_more_liars_and_fewer_absences() -> None:
    testnet, paranoid = PRESETS["testnet"], PRESETS["paranoid"]
    assert (testnet.liars, testnet.committee - testnet.threshold) == (5, 5)
    assert (paranoid.liars, paranoid.committee - paranoid.threshold) == (9, 3)


def test_a_preset_with_weaker_parameters_is_refused_with_the_claim_that_fails() -> None:
    with pytest.raises(LocalError, match=r"fewer than 2 honest contributors, an epoch: at least 9 bits claimed, 0\.0"):
        require_startable(PRESETS["testnet"].with_(k_min=5))
    with pytest.raises(LocalError, match="encrypts every update claimed, plaintext"):
        require_startable(PRESETS["paranoid"].with_(scheme="plaintext"))


def test_unknown_presets_are_refused() -> None:
    for call in (lambda: preset("mainnet"), lambda: require_startable(Params(preset="mainnet"))):
        with pytest.raises(LocalError, match="unknown preset 'mainnet'; known: dev, testnet, paranoid"):
            call()
    assert require_startable(Params(anchor_every=3)).anchor_every == 3
