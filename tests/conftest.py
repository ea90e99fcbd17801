"""Settings for all tests: how long an example takes decides nothing; in CI the same examples are tried each time."""

import os

from hypothesis import settings

settings.register_profile("meterweave", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("meterweave")
