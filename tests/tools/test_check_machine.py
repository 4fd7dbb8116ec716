import importlib.util
import sys
import sysconfig
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "tools" / "check_machine.py"


@pytest.fixture
def check():
    spec = importlib.util.spec_from_file_location("check_machine", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
def test_a_wrong_python(check, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    assert f"is {version[0]}.{version[1]}: name another" in check.problem()


def test_a_missing_venv_module(check, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    assert "-venv`" in check.problem()


def test_missing_headers(check, monkeypatch, tmp_path):
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert f"{tmp_path}/Python.h" in check.problem()


def test_a_missing_compiler(check, monkeypatch, tmp_path):
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "sudo apt install g++" in check.problem()
    monkeypatch.setenv("CXX", sys.executable)
    assert check.problem() is None
