"""What only some systems have: the tests of it are skipped on the others, with a reason that names the system."""

import sys
from importlib import import_module

import pytest

needs_posix = pytest.mark.skipif(
    sys.platform in ("win32", "emscripten"), reason=f"{sys.platform} lacks POSIX's signals, links, devices or names"
)
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason=f"{sys.platform} is no Linux: it has no /proc")


class Later:
    """A module that a file's other tests do without: it is imported when something of it is used."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, attribute):
        if attribute.startswith(("_", "pytest")):  # a collector of tests looks for them in everything
            raise AttributeError(attribute)
        return getattr(import_module(self.name), attribute)
