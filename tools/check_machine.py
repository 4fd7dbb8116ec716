"""Says in one sentence what a machine lacks for the set-up. Any Python from 3.6 on can run it, by itself."""

import importlib.util
import os
import pathlib
import shutil
import sys
import sysconfig

OLDEST = (3, 11)
NEWEST = (3, 13)  # libp2p needs coincurve and miniupnpc, which have no wheels for later ones yet


def problem():
    """The first thing that is wrong, with its cure; None if all is there."""
    version = "{}.{}".format(*sys.version_info[:2])
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return (
            f"Python 3.11, 3.12 or 3.13 is needed, and {sys.executable} is {version}: name another, as in "
            "`make PYTHON=python3.12` (after `sudo apt install python3.12 python3.12-venv python3.12-dev`)."
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return f"Python's venv module is missing: `sudo apt install python{version}-venv`."
    header = pathlib.Path(sysconfig.get_paths()["include"], "Python.h")
    if not header.exists():
        return f"Python's C headers are missing ({header}): `sudo apt install python{version}-dev`."
    if shutil.which(os.environ.get("CXX") or "g++") is None:
        return "No C++ compiler was found, and Pyfhel is built from source: `sudo apt install g++`."
    return None


if __name__ == "__main__":
    sentence = problem()
    if sentence:
        sys.exit("2PM cannot be set up here. " + sentence)
