"""Gives a test run a state folder of its own, before anything reads the settings.

Loaded by `-p` (see pyproject.toml), for pytest-django reads them before any conftest.
"""

import atexit
import os
import shutil
import tempfile

if not os.environ.get("TRADEOPS_VAR"):
    os.environ["TRADEOPS_VAR"] = tempfile.mkdtemp(prefix="tradeops-test-")
    atexit.register(shutil.rmtree, os.environ["TRADEOPS_VAR"], ignore_errors=True)
