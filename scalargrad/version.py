"""The version of this package: that of its installed metadata; pyproject.toml alone has the number."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def _version() -> str:
    try:
        return version("scalargrad-engine")
    except PackageNotFoundError:  # a checkout that is not installed
        import tomllib

        project = tomllib.loads(Path(__file__).parent.parent.joinpath("pyproject.toml").read_text(encoding="utf-8"))
        return project["project"]["version"]


__version__ = _version()
