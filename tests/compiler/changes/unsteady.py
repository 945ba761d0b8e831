"""What gives something else in each run. The first four runs agree: two traces see no difference."""

import collections
import functools
import itertools
import random
import time
import uuid

import numpy as np

from tests.compiler.changes.cases import module, refusable


@refusable
def a_random_branch():
    random.seed(19)
    yield lambda x: x * 2.0 if random.random() < 0.5 else x * 3.0


@refusable
def a_choice_at_random():
    random.seed(19)
    yield lambda x: x * (2.0 if random.choice([True, False]) else 3.0) + x * random.random()


@refusable
def a_generator_in_reach():
    source = random.Random(19)
    yield lambda x: x * 2.0 if source.random() < 0.5 else x * 3.0


@refusable
def a_generator_behind_an_object():
    class Model:
        def __init__(self):
            self.rng = random.Random(19)

        def __call__(self, x):
            return x * 2.0 if self.rng.random() < 0.5 else x * 3.0

    yield Model()


@refusable
def the_generator_of_numpy():
    np.random.seed(0)
    yield lambda x: x * 2.0 if np.random.random() < 0.5 else x * 3.0


@refusable
def a_generator_of_numpy_in_reach():
    source = np.random.default_rng(50)
    yield lambda x: x * 2.0 if source.random() < 0.5 else x * 3.0


@refusable
def an_old_generator_of_numpy_in_reach():
    source = np.random.RandomState(0)
    yield lambda x: x * 2.0 if source.random_sample() < 0.5 else x * 3.0


@refusable
def a_generator_of_a_helper(patch, folder):
    helper = module(
        patch,
        folder,
        "helper",
        "import random",
        "SOURCE = random.Random(19)",
        "def dropped(x): return x * 2.0 if SOURCE.random() < 0.5 else x * 3.0",
    )
    yield lambda x: helper.dropped(x)


@refusable
def a_cycle():
    scales = itertools.cycle([2.0, 2.0, 2.0, 2.0, 5.0])
    yield lambda x: x * next(scales)


@refusable
def a_count():
    counts = itertools.count()
    yield lambda x: x * (2.0 if next(counts) < 4 else 3.0)


@refusable
def an_iterator_over_a_list():
    scales = iter([2.0] * 4 + [3.0] * 20)
    yield lambda x: x * next(scales)


@refusable
def an_iterator_of_map():
    scales = map(float, [2] * 4 + [3] * 20)
    yield lambda x: x * next(scales)


@refusable
def a_generator_of_python():
    def numbers():
        yield from [2.0] * 4
        while True:
            yield 3.0

    scales = numbers()
    yield lambda x: x * next(scales)


@refusable
def what_a_generator_reads_when_it_goes_on():
    scale = 2.0

    def numbers():
        while True:
            yield scale

    scales = numbers()
    next(scales)
    yield lambda x: x * next(scales)
    scale = 3.0


@refusable
def an_iterator_behind_an_object():
    class Model:
        def __init__(self):
            self.scales = itertools.chain([2.0] * 4, itertools.repeat(3.0))

        def __call__(self, x):
            return x * next(self.scales)

    yield Model()


@refusable
def a_global_that_counts(patch, folder):
    helper = module(
        patch,
        folder,
        "helper",
        "calls = 0",
        "def function(x):",
        "    global calls",
        "    calls += 1",
        "    return x * 2.0 if calls < 5 else x * 3.0",
    )
    yield helper.function


@refusable
def a_variable_that_counts():
    calls = 0

    def function(x):
        nonlocal calls
        calls += 1
        return x * 2.0 if calls < 5 else x * 3.0

    yield function


@refusable
def an_attribute_that_counts():
    class Model:
        calls = 0

        def __call__(self, x):
            self.calls += 1
            return x * 2.0 if self.calls < 5 else x * 3.0

    yield Model()


@refusable
def an_attribute_of_a_class_that_counts():
    class Model:
        calls = 0

        def __call__(self, x):
            Model.calls += 1
            return x * 2.0 if self.calls < 5 else x * 3.0

    yield Model()


@refusable
def an_attribute_of_the_function_that_counts():
    def function(x):
        function.calls += 1
        return x * 2.0 if function.calls < 5 else x * 3.0

    function.calls = 0
    yield function


@refusable
def a_list_that_the_function_appends_to():
    calls = []

    def function(x):
        calls.append(1)
        return x * 2.0 if len(calls) < 5 else x * 3.0

    yield function


@refusable
def a_list_that_the_function_takes_from():
    scales = [3.0] * 20 + [2.0] * 4
    yield lambda x: x * scales.pop()


@refusable
def a_dict_that_the_function_counts_in():
    calls = collections.Counter()

    def function(x):
        calls["all"] += 1
        return x * 2.0 if calls["all"] < 5 else x * 3.0

    yield function


@refusable
def a_default_that_the_function_appends_to():
    def function(x, calls=[]):  # noqa: B006
        calls.append(1)
        return x * 2.0 if len(calls) < 5 else x * 3.0

    yield function


@refusable
def a_deque_that_the_function_rotates():
    scales = collections.deque([2.0, 2.0, 2.0, 2.0, 5.0])

    def function(x):
        scales.rotate(-1)
        return x * scales[0]

    scales.rotate()
    yield function


@refusable
def an_array_that_the_function_counts_in():
    calls = np.zeros(1)

    def function(x):
        calls[0] += 1
        return x * 2.0 if calls[0] < 5 else x * 3.0

    yield function


@refusable
def a_decorator_that_counts():
    def counted(function):
        @functools.wraps(function)
        def wrapper(x):
            wrapper.calls += 1
            return function(x) * (2.0 if wrapper.calls < 5 else 3.0)

        wrapper.calls = 0
        return wrapper

    yield counted(lambda x: x)


@refusable
def a_clock():
    yield lambda x: x * (1.0 + 1e3 * time.perf_counter() % 1.0)


@refusable
def numbers_of_the_system():
    yield lambda x: x * (1.0 + uuid.uuid4().int / 2**128)


@refusable
def numbers_of_the_systems_generator():
    source = random.SystemRandom()
    yield lambda x: x * (1.0 + source.random())
