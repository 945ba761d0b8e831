"""Where SCALARGRAD_REQUIRE_ORACLES is set, nothing may be missing: a skipped test is a failed one.
Only data that is not there, MNIST, may be missing: set SCALARGRAD_DATA to its folder.

Where SCALARGRAD_GUARD_PAGES is set, native code runs in memory between pages that nobody may touch: see guard.py.
"""

import os

import pytest

from tests.oracle import oracle

if os.environ.get("SCALARGRAD_GUARD_PAGES"):
    from tests.guard import install

    install(os.environ["SCALARGRAD_GUARD_PAGES"])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
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
