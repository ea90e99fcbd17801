"""Settings for all tests: how long an example takes decides nothing."""

from hypothesis import settings

settings.register_profile("meterweave", deadline=None)
settings.load_profile("meterweave")
