"""The version of this package: that of its installed metadata; pyproject.toml alone has the number."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def _version() -> str:
    try:
        return version("scalargrad-engine")
    except PackageNotFoundError:  # a checkout that is not installed
        import tomllib

        table = Path(__file__).parents[2] / "pyproject.toml"
        return tomllib.loads(table.read_text(encoding="utf-8"))["project"]["version"]


__version__ = _version()
