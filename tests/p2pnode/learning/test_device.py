from __future__ import annotations

from types import SimpleNamespace

import jax

from p2pnode.learning.device import describe_device


def test_the_sentence_names_the_device(monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(platform="cpu", device_kind="cpu")])
    assert describe_device() == "Training runs on the CPU; JAX found no accelerator."
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(platform="gpu", device_kind="NVIDIA T4")])
    assert describe_device() == "Training runs on the accelerator NVIDIA T4 (gpu)."
