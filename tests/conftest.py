"""Where SCALARGRAD_REQUIRE_ORACLES is set, nothing may be missing: a skipped test is a failed one.
Only data that is not there, MNIST, may be missing: set SCALARGRAD_DATA to its folder.

In a browser, where Python is WebAssembly (.ci/pyodide), a test that wants a thread, a process or a compiled package is
skipped.

Under `python -X warn_default_encoding` a text without an encoding is an error in the package and in the tests; other
packages have texts of their own.

Where SCALARGRAD_GUARD_PAGES is set, native code runs in memory between pages that nobody may touch: see guard.py.
Where SCALARGRAD_VECTOR_BYTES is set, it is that of a processor with vectors of so many bytes: see machines.py.

A run with SCALARGRAD_NOTE_PASSED writes into that file which tests passed. A run with SCALARGRAD_LEAVE_OUT leaves out
those in that file: what was skipped, or was not chosen, or is new, runs.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.machines import install_if_asked
from tests.oracles.mpmath import oracle

install_if_asked()
if os.environ.get("SCALARGRAD_GUARD_PAGES"):
    from tests.oracles.guard import install

    install(os.environ["SCALARGRAD_GUARD_PAGES"])


def pytest_configure(config):
    if sys.flags.warn_default_encoding:
        config.addinivalue_line("filterwarnings", "ignore::EncodingWarning:(?!scalargrad|tests)")


def pytest_terminal_summary(terminalreporter):
    if file := os.environ.get("SCALARGRAD_NOTE_PASSED"):
        passed = [report.nodeid for report in terminalreporter.getreports("passed")]
        Path(file).write_text(json.dumps(passed, indent=0), encoding="utf-8")


def pytest_collection_modifyitems(config, items):
    if file := os.environ.get("SCALARGRAD_LEAVE_OUT"):
        passed = {*json.loads(Path(file).read_text(encoding="utf-8"))}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]


COMPILED = {"numpy", "scipy", "sklearn", "matplotlib", "PIL", "llvmlite"}


def lacks_in_a_browser(error):
    """What WebAssembly does not have, where that is why a test failed; else nothing."""
    if sys.platform != "emscripten":
        return ""
    if isinstance(error, ModuleNotFoundError) and error.name.partition(".")[0] in COMPILED:
        return error.name
    words = str(error)
    return words if "can't start new thread" in words or "does not support processes" in words else ""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and call.excinfo and (lack := lacks_in_a_browser(call.excinfo.value)):
        report.outcome = "skipped"
        report.longrepr = (*item.location[:2], f"Python in a browser lacks this: {lack}")
    if (
        report.skipped
        and os.environ.get("SCALARGRAD_REQUIRE_ORACLES")
        and "SCALARGRAD_DATA" not in str(report.longrepr)
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be missing: {report.longrepr}"


@pytest.fixture(autouse=True)
def _what_the_backend_takes(request):
    """A test of the backend "jax" takes JAX, which is an extra."""
    if hasattr(request.node, "callspec") and request.node.callspec.params.get("backend") == "jax":
        oracle("jax")
