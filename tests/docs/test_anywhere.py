"""The engine with nothing but the standard library: the same numbers, and a comparison that sees others."""

import json
import subprocess
import sys

from tests.anywhere import CHAPTERS, differences, told
from tests.paths import PACKAGE, ROOT
from tests.platforms import needs_posix


@needs_posix  # a virtual environment of Windows finds its standard library through `site`
def test_without_any_other_package_the_engine_gives_the_same_numbers():
    code = (
        f"import sys; sys.path[:0] = [{str(PACKAGE.parent)!r}, {str(ROOT)!r}]\n"
        "from tests.anywhere import told; import json; told = told()\n"
        "own = {'scalargrad', 'tests'}\n"
        "assert not {name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names - own - {'__main__'}\n"
        "print(json.dumps(told))"
    )
    alone = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert differences(told(), json.loads(alone.stdout)) == []


def test_other_numbers_are_seen():
    ours = {chapter.__name__: [(1.0).hex(), "word"] for chapter in CHAPTERS}
    for chapter, ulp in CHAPTERS.items():
        for other in (
            [(1.0 + (ulp + 1) * 2.0**-52).hex(), "word"],
            [(1.0).hex(), "words"],
            [(1.0).hex()],
            ["nan", "word"],
        ):
            (line,) = differences(ours, ours | {chapter.__name__: other})
            assert line.startswith(f"{chapter.__name__}: ")
        assert differences(ours, ours | {chapter.__name__: [(1.0 + ulp * 2.0**-52).hex(), "word"]}) == []
