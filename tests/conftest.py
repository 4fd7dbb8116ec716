from __future__ import annotations

from hypothesis import HealthCheck, settings

# Tests share their machine with others: an example that takes long now and then is no failure.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")
