"""pykka's own test suite, with the lane in its table of runtimes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

SUITE: Final = Path(__file__).parent / "pykka_suite"
ROOT: Final = Path(__file__).parents[2]

# What pykka 4.5.0 runs for each runtime; fewer would mean that some of it was not collected.
RUNTIME_TESTS: Final = 137


def test_pykka_cannot_tell_a_lane_from_its_own_threads(tmp_path: Path) -> None:
    """Every test that pykka runs for a runtime passes for the lane, as it does for threads."""
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mocker", "-p", "no:cacheprovider", f"--junitxml={report}"]
    # The plug-ins and options of the run around this one are not pykka's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    run = subprocess.run(command, cwd=SUITE, env=environment, capture_output=True, text=True, timeout=100, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
    passed = [case.attrib["name"] for case in ElementTree.parse(report).iter("testcase") if len(case) == 0]
    on_lanes = sorted(name.replace("[lane", "[") for name in passed if "[lane" in name)
    on_threads = sorted(name.replace("[threading", "[") for name in passed if "[threading" in name)
    assert len(on_lanes) == RUNTIME_TESTS
    assert on_lanes == on_threads
