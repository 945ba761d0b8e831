"""Functions and what they carry with them: closures, defaults, decorators, partials, caches, generators."""

import dataclasses
import functools
import inspect
import itertools
import operator
import threading
import types
from contextlib import contextmanager

import numpy as np

from scalargrad import compile
from tests.compiler.changes.cases import change, module


@change
def an_item_of_a_default():
    def function(x, scales=[2.0]):  # noqa: B006
        return x * scales[0]

    yield function
    function.__defaults__[0][0] = 3.0


@change
def the_defaults():
    def function(x, scale=2.0):
        return x * scale

    yield function
    function.__defaults__ = (3.0,)


@change
def a_keyword_default():
    def function(x, *, scale=2.0):
        return x * scale

    yield function
    function.__kwdefaults__["scale"] = 3.0


@change
def the_defaults_of_a_function_that_is_called():
    def scaled(x, scale=2.0):
        return x * scale

    yield lambda x: scaled(x)
    scaled.__defaults__ = (3.0,)


@change
def an_attribute_of_a_function():
    def function(x):
        return x * function.scale

    function.scale = 2.0
    yield function
    function.scale = 3.0


@change
def the_code_of_a_function():
    def function(x):
        return x * 2.0

    yield function
    function.__code__ = (lambda x: x * 3.0).__code__


@change
def the_code_of_a_function_that_is_called():
    def scaled(x):
        return x * 2.0

    yield lambda x: scaled(x)
    scaled.__code__ = (lambda x: x * 3.0).__code__


@change
def a_variable_that_a_sibling_changes():
    def pair():
        scale = 2.0

        def function(x):
            return x * scale

        def set_scale(number):
            nonlocal scale
            scale = number

        return function, set_scale

    function, set_scale = pair()
    yield function
    set_scale(3.0)


@change
def a_variable_of_a_closure_in_a_closure():
    scale = 2.0

    def outer():
        def middle():
            return lambda x: x * scale

        return middle()

    yield outer()
    scale = 3.0


@change
def a_cell():
    scale = 2.0
    function = lambda x: x * scale  # noqa: E731
    yield function
    function.__closure__[0].cell_contents = 3.0


@change
def a_function_made_by_a_factory():
    def power(exponent):
        return lambda x: x**exponent

    shape = power(2)
    yield lambda x: shape(x)
    shape = power(3)


@change
def a_partial_that_is_another():
    def scaled(scale, x):
        return x * scale

    function = functools.partial(scaled, 2.0)
    yield lambda x: function(x)
    function = functools.partial(scaled, 3.0)


@change
def the_keywords_of_a_partial():
    def scaled(x, scale):
        return x * scale

    function = functools.partial(scaled, scale=2.0)
    yield function
    function.keywords["scale"] = 3.0


@change
def a_list_in_a_partial():
    def scaled(scales, x):
        return x * scales[0]

    scales = [2.0]
    yield functools.partial(scaled, scales)
    scales[0] = 3.0


@change
def a_list_in_a_partial_of_a_partial():
    def scaled(scales, offset, x):
        return x * scales[0] + offset

    scales = [2.0]
    yield functools.partial(functools.partial(scaled, scales), 1.0)
    scales[0] = 3.0


@change
def a_partialmethod():
    class Model:
        factor = 1.0

        def scaled(self, scale, x):
            return x * scale * self.factor

        double = functools.partialmethod(scaled, 2.0)

    model = Model()
    yield lambda x: model.double(x)
    Model.double = functools.partialmethod(Model.scaled, 3.0)


@change
def a_singledispatch_function_that_learns_a_type():
    @functools.singledispatch
    def scale(thing):
        return 2.0

    yield lambda x: x * scale("text")
    scale.register(str, lambda thing: 3.0)


@change
def a_cached_function_that_reads_a_list():
    scales = [2.0]

    @functools.lru_cache
    def scale():
        return scales[0]

    yield lambda x: x * scale()
    scales[0] = 3.0
    scale.cache_clear()


@change
def a_cached_function_that_reads_a_global(patch, folder):
    helper = module(
        patch,
        folder,
        "helper",
        "import functools",
        "SCALE = 2.0",
        "@functools.cache",
        "def scale(): return SCALE",
        "def function(x): return x * scale()",
    )
    yield helper.function
    helper.SCALE = 3.0
    helper.scale.cache_clear()


@change
def the_variable_of_a_decorator():
    scales = [2.0]

    def scaled(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args) * scales[0]

        return wrapper

    yield scaled(lambda x: x)
    scales[0] = 3.0


@change
def the_variable_of_a_decorator_without_wraps():
    scale = 2.0

    def scaled(function):
        def wrapper(x):
            return function(x) * scale

        return wrapper

    yield scaled(lambda x: x)
    scale = 3.0


@change
def a_variable_of_the_decorated_function():
    scale = 2.0

    def plain(function):
        def wrapper(x):
            return function(x)

        return wrapper

    @plain
    def function(x):
        return x * scale

    yield function
    scale = 3.0


@change
def a_decorator_that_is_an_object():
    class Scaled:
        def __init__(self, function):
            self.function, self.scale = function, 2.0

        def __call__(self, x):
            return self.function(x) * self.scale

    @Scaled
    def function(x):
        return x

    yield function
    function.scale = 3.0


@change
def a_decorator_with_arguments():
    settings = {"scale": 2.0}

    def scaled(by):
        return lambda function: lambda x: function(x) * settings[by]

    @scaled(by="scale")
    def function(x):
        return x

    yield function
    settings["scale"] = 3.0


@change
def a_context_manager_of_ones_own():
    scale = 2.0

    @contextmanager
    def scaling():
        yield scale

    def function(x):
        with scaling() as number:
            return x * number

    yield function
    scale = 3.0


@change
def a_generator_function():
    scales = [2.0, 1.0]

    def products(x):
        for scale in scales:
            yield x * scale

    yield lambda x: sum(products(x))
    scales[0] = 3.0


@change
def a_generator_that_yields_from_another():
    scale = 2.0

    def inner(x):
        yield x * scale

    def outer(x):
        yield from inner(x)

    yield lambda x: sum(outer(x))
    scale = 3.0


@change
def a_generator_expression():
    scales = [2.0, 1.0]
    yield lambda x: sum(x * scale for scale in scales)
    scales[0] = 3.0


@change
def a_list_comprehension():
    scales = [2.0, 1.0]
    yield lambda x: sum([x * scale for scale in scales])
    scales[0] = 3.0


@change
def a_dict_comprehension():
    scales = {"a": 2.0}
    yield lambda x: {name: x * scale for name, scale in scales.items()}["a"]
    scales["a"] = 3.0


@change
def a_recursion():
    depth = 2

    def power(x, left):
        return x * power(x, left - 1) if left else 1.0

    yield lambda x: power(x, depth)
    depth = 3


@change
def a_lambda_in_a_dict():
    shapes = {"double": lambda x: x * 2.0}
    yield lambda x: shapes["double"](x)
    shapes["double"] = lambda x: x * 3.0


@change
def a_list_of_functions():
    steps = [lambda x: x * 2.0]

    def function(x):
        for step in steps:
            x = step(x)
        return x

    yield function
    steps.append(lambda x: x + 1.0)


@change
def what_a_function_in_a_list_reads():
    scale = 2.0
    steps = [lambda x: x * scale]
    yield lambda x: steps[0](x)
    scale = 3.0


@change
def a_function_by_its_name():
    namespace = {"double": lambda x: x * 2.0, "triple": lambda x: x * 3.0}
    which = "double"
    yield lambda x: namespace[which](x)
    which = "triple"


@change
def a_function_by_its_name_in_globals(patch, folder):
    helper = module(
        patch, folder, "helper", "def double(x): return x * 2.0", "def function(x): return globals()['double'](x)"
    )
    yield helper.function
    helper.double = lambda x: x * 3.0


@change
def a_text_that_eval_computes():
    formula = "x * 2.0"
    yield lambda x: eval(formula, {"x": x})
    formula = "x * 3.0"


@change
def a_dict_that_eval_reads():
    names = {"scale": 2.0}
    yield lambda x: x * eval("scale", names)
    names["scale"] = 3.0


@change
def an_attrgetter():
    settings, read = types.SimpleNamespace(scale=2.0), operator.attrgetter("scale")
    yield lambda x: x * read(settings)
    settings.scale = 3.0


@change
def an_attrgetter_that_is_another():
    settings, read = types.SimpleNamespace(a=2.0, b=3.0), operator.attrgetter("a")
    yield lambda x: x * read(settings)
    read = operator.attrgetter("b")


@change
def an_itemgetter():
    scales, read = [2.0], operator.itemgetter(0)
    yield lambda x: x * read(scales)
    scales[0] = 3.0


@change
def a_methodcaller():
    class Settings:
        number = 2.0

        def scale(self):
            return self.number

    settings, read = Settings(), operator.methodcaller("scale")
    yield lambda x: x * read(settings)
    settings.number = 3.0


@change
def map_over_a_list():
    scales = [2.0, 1.0]
    yield lambda x: sum(map(lambda scale: x * scale, scales))  # noqa: C417
    scales[0] = 3.0


@change
def filter_over_a_list():
    scales = [2.0, 0.0]
    yield lambda x: x * len(list(filter(None, scales)))
    scales[1] = 3.0


@change
def the_test_of_a_filter():
    smallest = 2.0
    yield lambda x: x * sum(filter(lambda scale: scale >= smallest, [1.0, 2.0]))
    smallest = 1.0


@change
def reduce_over_a_list():
    scales = [2.0, 2.0]
    yield lambda x: functools.reduce(operator.mul, scales, x)
    scales[0] = 3.0


@change
def the_key_of_sorted():
    order = {"a": 1, "b": 2}
    yield lambda x: x * {"a": 2.0, "b": 3.0}[sorted("ab", key=order.get)[0]]
    order["a"] = 3


@change
def the_key_of_max():
    sign = 1.0
    yield lambda x: x * max([2.0, 3.0], key=lambda scale: sign * scale)
    sign = -1.0


@change
def itertools_over_lists():
    scales, others = [2.0], [1.0]
    yield lambda x: x * sum(itertools.chain(scales, others))
    others.append(3.0)


@change
def a_bound_method():
    class Model:
        def __init__(self):
            self.scale = 2.0

        def forward(self, x):
            return x * self.scale

    model = Model()
    forward = model.forward
    yield lambda x: forward(x)
    model.scale = 3.0


@change
def a_bound_method_that_is_compiled():
    class Model:
        scale = 2.0

        def forward(self, x):
            return x * self.scale

    model = Model()
    yield model.forward
    model.scale = 3.0


@change
def a_bound_method_of_a_list():
    scales = [2.0, 5.0]
    read = scales.__getitem__
    yield lambda x: x * read(0)
    scales[0] = 3.0


@change
def a_bound_method_of_a_dict():
    settings = {"scale": 2.0}
    read = settings.get
    yield lambda x: x * read("scale")
    settings["scale"] = 3.0


@change
def a_callable_object():
    class Model:
        def __init__(self):
            self.scales = {"a": 2.0}

        def __call__(self, x):
            return x * self.scales["a"]

    model = Model()
    yield model
    model.scales["a"] = 3.0


@change
def a_class_made_inside_the_function():
    scale = 2.0

    def function(x):
        class Local:
            number = scale

        return x * Local.number

    yield function
    scale = 3.0


@change
def a_dataclass_whose_default_is_read_inside():
    @dataclasses.dataclass
    class Settings:
        scale: float = 2.0

    yield lambda x: x * Settings().scale
    Settings.__init__.__defaults__ = (3.0,)


@change
def what_a_function_reads_that_another_thread_ran_first():
    settings = {"scale": 2.0}

    def scale():
        return settings["scale"]

    def function(x):
        return x * scale()

    first = threading.Thread(target=function, args=(1.0,))
    first.start()
    first.join()
    yield function
    settings["scale"] = 3.0


@change
def what_a_function_reads_that_ran_before():
    settings = types.SimpleNamespace(scale=2.0)

    def function(x):
        return x * settings.scale

    compile(function)(np.array([1.0]))
    yield function
    settings.scale = 3.0


@change
def the_defaults_of_a_function_that_does_not_run():
    def helper(scale=2.0):
        return scale

    yield lambda x: x * helper.__defaults__[0]
    helper.__defaults__ = (3.0,)


@change
def the_signature_of_a_function_that_does_not_run():
    def helper(scale=2.0):
        return scale

    yield lambda x: x * inspect.signature(helper).parameters["scale"].default
    helper.__defaults__ = (3.0,)
