"""How hard properties are tried: a little with each change, much by `make soak`."""

import os

from hypothesis import settings

settings.register_profile("change", settings.default, max_examples=30, deadline=None)
settings.register_profile("soak", settings.default, max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "change"))
