"""What only some systems have: the tests of it are skipped on the others, with a reason that names the system."""

import sys

import pytest

needs_posix = pytest.mark.skipif(
    sys.platform in ("win32", "emscripten"), reason=f"{sys.platform} lacks POSIX's signals, links, devices or names"
)
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason=f"{sys.platform} is no Linux: it has no /proc")
