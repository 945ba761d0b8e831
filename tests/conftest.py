"""Which tests a run takes, and what it may leave out.

`oracle`    a test compares with something that is no dependency: see oracles/needed.py, which gives the mark
`long`      a test is for .ci/run
`sampled`   of the cases of a test one in so many is in every run, and the others are long

README's command leaves out `oracle` and `long`; `pytest -m "oracle or long"` runs the others.
Where SCALARGRAD_REQUIRE_ORACLES is set, nothing may be missing: a skipped test is a failed one.
Only data that is not there, MNIST, may be missing: set SCALARGRAD_DATA to its folder.

In a browser, where Python is WebAssembly (.ci/pyodide), a test that wants a thread, a process or a compiled package is
skipped.

Under `python -X warn_default_encoding` a text without an encoding is an error in the package and in the tests; other
packages have texts of their own.

Where SCALARGRAD_GUARD_PAGES is set, native code runs in memory between pages that nobody may touch: see guard.py.
Where SCALARGRAD_VECTOR_BYTES is set, it is that of a processor with vectors of so many bytes: see machines.py.
"""

import gc
import os
import signal
import sys
from collections import Counter
from importlib import import_module
from shutil import which

import pytest

from tests.oracles.needed import FILES, MODULES, PROGRAMS, lack, oracles_of

collect_ignore = ["oracles/torch_gpt.py", "oracles/torch_names.py"]  # they take PyTorch, and have no doctests

if os.environ.get("SCALARGRAD_VECTOR_BYTES"):
    from tests.machines import install_if_asked

    install_if_asked()
if os.environ.get("SCALARGRAD_GUARD_PAGES"):
    from tests.oracles.guard import install

    install()


def pytest_configure(config):
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a shell's job in the background; tests press Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.flags.warn_default_encoding:
        config.addinivalue_line("filterwarnings", "ignore::EncodingWarning:(?!scalargrad|tests)")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    places = Counter()
    for item in items:
        for name in oracles_of(item):
            item.add_marker(pytest.mark.oracle(name))
        if mark := item.get_closest_marker("sampled"):
            function = item.nodeid.partition("[")[0]
            if places[function] % mark.args[0]:
                item.add_marker(pytest.mark.long)
            places[function] += 1


def pytest_collection_finish():
    gc.collect()
    gc.freeze()  # all tests stay to the end: no collection need look at them again


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A worker that has no tests left takes some of another one's."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def oracle(name):
    """The fixture of that name: a module, or the path of a program or a file."""

    def found():
        if name in MODULES:
            return import_module(MODULES[name])
        return os.environ[FILES[name]] if name in FILES else which(PROGRAMS[name])

    return pytest.fixture(scope="session", name=name)(found)


globals().update({f"oracle_{name}": oracle(name) for name in (*MODULES, *PROGRAMS, *FILES)})


@pytest.fixture(scope="session")
def browser(playwright, chromium):
    """The one Chromium of a session."""
    from tests.oracles.scripts import a_browser  # which loads NumPy

    with a_browser(playwright, chromium) as started:
        yield started


def pytest_runtest_setup(item):
    for mark in item.iter_markers("oracle"):
        for name in mark.args:
            if words := lack(name):
                pytest.skip(words)


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
