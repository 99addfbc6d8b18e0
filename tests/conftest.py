"""Settings every test shares."""

import hypothesis

# Drawn examples are the same on every run, and a slow shared machine is no failure.
hypothesis.settings.register_profile("ftrans", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("ftrans")
