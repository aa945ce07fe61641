"""Compiles domain/, and the laboratory's inner loop, to C with mypyc where that is wanted and possible.

All else about the build is in pyproject.toml.

DMS_COMPILE=1 compiles, DMS_COMPILE=0 does not; unset, a wheel is compiled and an editable install is not, so that an
edited source is what runs. Without a C compiler the same files run interpreted, and one line says so.
"""

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup

INNER_LOOP = [str(Path("sim", name)) for name in ("casework.py", "services.py")]


def is_compile_wanted() -> bool:
    return os.environ.get("DMS_COMPILE", "1" if "bdist_wheel" in sys.argv else "0") == "1"


def obstacle() -> str | None:
    """What stands in the way of compiling, or None."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"no C compiler ({compiler})"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "no Python headers (Python.h)"
    if find_spec("mypyc") is None:
        return "mypyc is not installed"
    return None


def compiled_domain() -> list[Extension]:
    if not is_compile_wanted():
        return []
    # An __init__ is a room sign: nothing in it to speed up.
    sources = sorted(str(path) for path in Path("domain").rglob("*.py") if path.name != "__init__.py")
    if not sources:
        return []
    sources.extend(INNER_LOOP)
    if reason := obstacle():
        sys.stderr.write(f"dms: {reason}: domain/ runs interpreted\n")
        return []
    from mypyc.build import mypycify

    # The group is named, or the shared library's name would change with the list of modules.
    return mypycify(["--no-warn-unused-configs", *sources], opt_level="3", group_name="domain")


setup(ext_modules=compiled_domain())
