import io
import json
import logging

import pytest
import structlog

from p2pnode.logs import configure_logging, redact
from protocols.types import Secret


@pytest.fixture(autouse=True)
def _as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def logged(level, form, write):
    stream = io.StringIO()
    configure_logging(level, form, stream)
    write(structlog.get_logger("p2pnode.test"))
    return stream.getvalue()


def test_a_json_line_for_each_event():
    text = logged("info", "json", lambda log: log.info("joined", peer=b"\x01\x02", height=3))
    line = json.loads(text)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "joined", "level": "info", "logger": "p2pnode.test", "peer": "0102", "height": 3}


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_and_what_is_below_the_level_stay_inside(form):
    def write(log):
        log.debug("quiet")
        log.info("loud", key=Secret(b"\xaa\xbb"), deep={"list": [Secret(b"\xcc\xdd")]})

    text = logged("info", form, write)
    assert "loud" in text
    assert "quiet" not in text
    assert text.count("<secret>") == 2
    assert not {"aabb", "ccdd", "\\xaa", "\\xcc"} & set(text.split())


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_shown_with_its_trace(form):
    def write(log):
        key = "k" * 7  # as a key would be: a variable of a frame in the trace
        try:
            raise ValueError("why" + key[:0])
        except ValueError as error:
            log.error("unexpected", exc_info=error)

    text = logged("info", form, write)
    assert "ValueError" in text
    assert "Traceback" in text or "test_logs.py" in text
    assert "kkkkkkk" not in text


def test_libraries_are_heard_from_warnings_on():
    def write(_):
        logging.getLogger("some.library").info("chatter")
        logging.getLogger("some.library").warning("trouble")

    (line,) = logged("debug", "json", write).splitlines()
    assert json.loads(line)["event"] == "trouble"


def test_redaction_leaves_the_rest_alone():
    event = {"a": 1, "b": None, "c": "x", "d": (1.5, frozenset({Secret(b"k")}))}
    assert redact(None, "info", event) == {"a": 1, "b": None, "c": "x", "d": [1.5, ["<secret>"]]}
