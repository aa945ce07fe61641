"""The files that are installed, and the tools that check them."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"
TESTS = Path(__file__).parent


def read(name: str) -> Mapping[str, Any]:
    """A YAML file of ops/."""
    found: Mapping[str, Any] = yaml.safe_load((OPS / name).read_text())
    return found


def tool(name: str) -> str:
    """A program that checks; without it the test skips at home and fails in CI."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed (ops/services.sh --tools)")
        pytest.skip(f"{name} is not installed")
    return found
