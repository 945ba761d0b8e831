"""Modules that have moved: for one release their old paths go on working, with a DeprecationWarning.

The policy: a module that the README, a lesson or a docstring names keeps its path; if it must move, the old one becomes
a row of this table, warns in the next release, and is gone in the one after it. What a module holds may go, as the list
of changes in scalargrad/README.md says.

A row promises the path of a module, and there the functions and classes that it defined and that are still what they
were. It promises no module of compiler/, and no name that has moved out of a module that stays. An old path of one
module is that module itself; of several, it is a module with what they held when it was loaded.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

from scalargrad.support.callers import warn

MOVED = {
    "architectures": "files.architecture",
    "atomic_file": "files.atomic",
    "augmentation": "datasets.augmentation",
    "checkpoint": "files.models nn.loading",
    "commandline": "cli.options",
    "contexts": "observers",
    "diagnosis": "explaining.findings explaining.examination explaining.diagnosis "
    "explaining.graph_mistakes explaining.loop_mistakes",
    "digit_commands": "cli.digits",
    "digit_images": "datasets.pictures",
    "digits": "demos.digits",
    "digits_network": "demos.networks",
    "emscripten": "support.emscripten",
    "explanation": "support.words explaining.paths explaining.formula explaining.explanation",
    "expressions": "cli.expressions",
    "fitting": "training.fit training.data",
    "forks": "support.forks",
    "graph_commands": "cli.graphs",
    "idx": "datasets.idx",
    "learners": "training.learners",
    "model_programs": "training.programs datasets.nested holders",
    "moons": "demos.moons",
    "moons_command": "cli.moons",
    "names": "datasets.names demos.networks",
    "nn.holders": "holders",
    "nn.nested": "datasets.nested",
    "objectives": "training.objectives training.targets",
    "prediction": "training.prediction",
    "progress": "support.progress",
    "resuming": "training.checkpoint",
    "runs": "demos.results",
    "safetensors_file": "files.safetensors",
    "samples": "datasets.arrays",
    "stepping": "explaining.terms explaining.steps pages.stepping",
    "stepwise": "support.stepwise",
    "summaries": "nn.summary",
}


class OldPaths:
    """A finder and loader of modules by their old paths, which is asked when no other finder knows them."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        new = MOVED.get(name.removeprefix("scalargrad."))
        if new is None or not name.startswith("scalargrad."):
            return None
        modules = [f"scalargrad.{module}" for module in new.split()]
        warn(f"{name} is {' and '.join(modules)} now", DeprecationWarning)
        return ModuleSpec(name, OldPaths, loader_state=modules)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """An ordinary one."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        assert module.__spec__ is not None
        modules = [import_module(new) for new in module.__spec__.loader_state]
        if len(modules) == 1:
            sys.modules[module.__name__] = modules[0]  # from where the import takes it
            return
        for new in modules:
            vars(module).update({name: content for name, content in vars(new).items() if not name.startswith("__")})


def install() -> None:
    """Let imports ask for old paths at last."""
    if OldPaths not in sys.meta_path:  # as after a reload
        sys.meta_path.append(OldPaths)  # type: ignore[arg-type]
