"""What holds for all tests."""

import os

# Each test compiles what it runs; `test_executables.py` turns the cache on again.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
