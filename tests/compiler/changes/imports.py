"""Modules of Python: globals of helpers, imports in every form, builtins, the environment, context variables."""

import builtins
import contextvars
import importlib
import math
import os
import sys
import threading
import types

from tests.compiler.changes.cases import change, module

SCALE = 2.0


@change
def a_global():
    global SCALE
    SCALE = 2.0
    yield lambda x: x * SCALE
    SCALE = 3.0


@change
def a_list_that_is_a_global(patch, folder):
    helper = module(patch, folder, "helper", "SCALES = [2.0]", "def function(x): return x * SCALES[0]")
    yield helper.function
    helper.SCALES[0] = 3.0


@change
def a_global_of_a_helper(patch, folder):
    helper = module(patch, folder, "helper", "SCALE = 2.0")
    yield lambda x: x * helper.SCALE
    helper.SCALE = 3.0


@change
def a_global_that_a_helpers_function_reads(patch, folder):
    helper = module(patch, folder, "helper", "SCALE = 2.0", "def scaled(x): return x * SCALE")
    yield lambda x: helper.scaled(x)
    helper.SCALE = 3.0


@change
def a_function_of_a_helper(patch, folder):
    helper = module(patch, folder, "helper", "def scaled(x): return x * 2.0")
    yield lambda x: helper.scaled(x)
    helper.scaled = lambda x: x * 3.0


@change
def a_helper_of_a_helper(patch, folder):
    base = module(patch, folder, "base", "SCALE = 2.0", "def scaled(x): return x * SCALE")
    helper = module(patch, folder, "helper", "import base", "def twice(x): return base.scaled(x) + base.scaled(x)")
    yield lambda x: helper.twice(x)
    base.SCALE = 3.0


@change
def a_name_that_was_imported_from_a_helper(patch, folder):
    module(patch, folder, "helper", "SCALE = 2.0")
    user = module(patch, folder, "user", "from helper import SCALE", "def function(x): return x * SCALE")
    yield user.function
    user.SCALE = 3.0


@change
def a_name_that_is_imported_inside(patch, folder):
    helper = module(patch, folder, "helper", "SCALE = 2.0")

    def function(x):
        from helper import SCALE

        return x * SCALE

    yield function
    helper.SCALE = 3.0


@change
def a_module_that_is_imported_inside(patch, folder):
    helper = module(patch, folder, "helper", "SCALE = 2.0")

    def function(x):
        import helper

        return x * helper.SCALE

    yield function
    helper.SCALE = 3.0


@change
def a_module_that_import_module_gives(patch, folder):
    helper = module(patch, folder, "helper", "SCALE = 2.0")
    yield lambda x: x * importlib.import_module("helper").SCALE
    helper.SCALE = 3.0


@change
def a_module_in_sys_modules(patch, folder):
    module(patch, folder, "helper", "SCALE = 2.0")
    yield lambda x: x * sys.modules["helper"].SCALE
    module(patch, folder, "helper", "SCALE = 3.0")


@change
def an_attribute_of_a_submodule(patch):
    package, inside = types.ModuleType("package"), types.ModuleType("package.inside")
    package.inside, inside.SCALE = inside, 2.0
    patch.setitem(sys.modules, "package", package)
    patch.setitem(sys.modules, "package.inside", inside)
    yield lambda x: x * package.inside.SCALE
    inside.SCALE = 3.0


@change
def a_function_of_a_module_by_its_name():
    helper, which = types.ModuleType("helper"), "double"
    helper.double, helper.triple = (lambda x: x * 2.0), (lambda x: x * 3.0)
    yield lambda x: getattr(helper, which)(x)
    which = "triple"


@change
def what_getattr_of_a_module_reads(patch, folder):
    helper = module(patch, folder, "helper", "CONTENT = {'SCALE': 2.0}", "def __getattr__(name): return CONTENT[name]")
    yield lambda x: x * helper.SCALE
    helper.CONTENT["SCALE"] = 3.0


@change
def a_global_of_an_installed_package(patch, folder):
    theirs = module(patch, folder / "site-packages", "theirs", "SCALE = 2.0", "def scaled(x): return x * SCALE")
    yield lambda x: theirs.scaled(x)
    theirs.SCALE = 3.0


@change
def an_object_of_an_installed_package(patch, folder):
    theirs = module(
        patch,
        folder / "site-packages",
        "theirs",
        "class Model:",
        "    def __init__(self): self.scale = 2.0",
        "    def __call__(self, x): return x * self.scale",
    )
    model = theirs.Model()
    yield lambda x: model(x)
    model.scale = 3.0


@change
def a_global_that_hides_a_builtin(patch, folder):
    helper = module(patch, folder, "helper", "def function(x): return x * max(1.0, 2.0)")
    yield helper.function
    helper.max = lambda *numbers: 3.0


@change
def a_builtin(patch):
    patch.setattr(builtins, "scale_of_everything", lambda: 2.0, raising=False)
    yield lambda x: x * scale_of_everything()  # noqa: F821
    patch.setattr(builtins, "scale_of_everything", lambda: 3.0)


@change
def a_number_of_the_standard_library(patch):
    patch.setattr(math, "tau", 2.0)
    yield lambda x: x * math.tau
    patch.setattr(math, "tau", 3.0)


@change
def a_function_of_the_standard_library(patch):
    patch.setattr(os.path, "basename", lambda path: "ab")
    yield lambda x: x * len(os.path.basename("any"))
    patch.setattr(os.path, "basename", lambda path: "abc")


@change
def an_environment_variable(patch):
    patch.setenv("SCALE_OF_A_TEST", "2.0")
    yield lambda x: x * float(os.environ["SCALE_OF_A_TEST"])
    patch.setenv("SCALE_OF_A_TEST", "3.0")


@change
def an_environment_variable_that_appears(patch):
    patch.delenv("SCALE_OF_A_TEST", raising=False)
    yield lambda x: x * 2.0 if os.getenv("SCALE_OF_A_TEST") is None else x * 3.0
    patch.setenv("SCALE_OF_A_TEST", "")


@change
def a_context_variable():
    scale = contextvars.ContextVar("scale", default=2.0)
    yield lambda x: x * scale.get()
    scale.set(3.0)


@change
def an_attribute_of_a_thread():
    local = threading.local()
    local.scale = 2.0
    yield lambda x: x * local.scale
    local.scale = 3.0


@change
def a_module_that_is_handed_on(patch, folder):
    settings = module(patch, folder, "settings", "SCALE = 2.0")
    helper = module(
        patch,
        folder,
        "helper",
        "import settings",
        "def scaled(x, config): return x * config.SCALE",
        "def function(x): return scaled(x, settings)",
    )
    yield helper.function
    settings.SCALE = 3.0


@change
def a_module_that_a_function_returns(patch, folder):
    settings = module(patch, folder, "settings", "SCALE = 2.0")
    helper = module(
        patch,
        folder,
        "helper",
        "import settings",
        "def config(): return settings",
        "def function(x): return x * config().SCALE",
    )
    yield helper.function
    settings.SCALE = 3.0


@change
def a_module_that_import_module_gives_by_a_computed_name(patch, folder):
    settings = module(patch, folder, "settings", "SCALE = 2.0")
    name = "".join(["sett", "ings"])
    yield lambda x: x * importlib.import_module(name).SCALE
    settings.SCALE = 3.0


@change
def a_global_of_a_file_in_a_folder_called_numpy(patch, folder):
    helper = module(patch, folder / "numpy", "helper", "SCALE = 2.0", "def function(x): return x * SCALE")
    yield helper.function
    helper.SCALE = 3.0


@change
def a_class_of_a_file_that_is_called_like_one_of_python(patch, folder):
    helper = module(patch, folder, "sched", "class Model:", "    scale = 2.0", "    def __call__(self, x):", SCALED)
    yield helper.Model()
    helper.Model.scale = 3.0


SCALED = "        return x * self.scale"
