"""Where JAX computes."""

from __future__ import annotations

import jax


def describe_device() -> str:
    """One sentence on the device that training uses: an accelerator where JAX finds one, else the CPU."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return "Training runs on the CPU; JAX found no accelerator."
    return f"Training runs on the accelerator {device.device_kind} ({device.platform})."
