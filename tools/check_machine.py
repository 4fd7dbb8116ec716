"""Says in one sentence what a machine lacks for the set-up. Standard library only, and old syntax: any Python 3 runs it."""

import importlib.util
import os
import shutil
import sys
import sysconfig

OLDEST = (3, 11)
NEWEST = (3, 13)  # coincurve 21, which libp2p needs, has no wheels for later ones


def problem():
    """The first thing that is wrong, with its cure; None if all is there."""
    version = "%d.%d" % sys.version_info[:2]
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return (
            "Python 3.11, 3.12 or 3.13 is needed, and %s is %s: name another with `make PYTHON=python3.12`; "
            "on Debian 12 or Ubuntu 24.04 and later `sudo apt install python3 python3-venv python3-dev` brings one."
        ) % (sys.executable, version)
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return "Python's venv module is missing: `sudo apt install python%s-venv`." % version
    header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    if not os.path.exists(header):
        return "Python's C headers are missing (%s): `sudo apt install python%s-dev`." % (header, version)
    if shutil.which(os.environ.get("CXX") or "g++") is None:
        return "No C++ compiler was found, and Pyfhel is built from source: `sudo apt install g++`."
    return None


if __name__ == "__main__":
    sentence = problem()
    if sentence:
        sys.exit("2PM cannot be set up here. " + sentence)
