"""How many inputs a test of random ones tries, the same in every run; --hypothesis-profile=ci tries more."""

from hypothesis import settings

for name, inputs in {"test": 40, "ci": 150, "nightly": 2000}.items():
    settings.register_profile(name, max_examples=inputs, deadline=None, derandomize=True)
settings.load_profile("test")
