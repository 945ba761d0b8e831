"""Containers, changed in place and replaced, and read in the many ways that there are."""

import array
import collections
import math
import types
import weakref

from tests.compiler.changes.cases import change


@change
def an_item_of_a_list():
    scales = [2.0, 5.0]
    yield lambda x: x * scales[0]
    scales[0] = 3.0


@change
def a_list_that_is_another():
    scales = [2.0, 5.0]
    yield lambda x: x * scales[0]
    scales = [3.0, 5.0]


@change
def a_list_that_grows():
    scales = [2.0]
    yield lambda x: x * len(scales)
    scales.append(5.0)


@change
def a_list_that_a_loop_walks_over():
    scales = [2.0, 3.0]

    def function(x):
        for scale in scales:
            x = x * scale
        return x

    yield function
    scales.pop()


@change
def a_list_that_is_sorted():
    scales = [5.0, 2.0]
    yield lambda x: x * scales[0]
    scales.sort()


@change
def a_list_that_is_unpacked():
    pair = [2.0, 1.0]

    def function(x):
        slope, offset = pair
        return slope * x + offset

    yield function
    pair[:] = [3.0, 1.0]


@change
def a_list_given_with_a_star():
    pair = [2.0, 1.0]
    yield lambda x: x * math.hypot(*pair)
    pair[0] = 3.0


@change
def the_largest_of_a_list():
    scales = [2.0, 1.0]
    yield lambda x: x * max(scales)
    scales[1] = 3.0


@change
def a_list_in_an_f_string():
    scales = [2]
    yield lambda x: x * len(f"{scales}")
    scales[0] = 33


@change
def a_list_compared_with_another():
    scales, others = [2.0], [2.0]
    yield lambda x: x * 2.0 if scales == others else x
    others[0] = 3.0


@change
def a_list_in_a_list():
    rows = [[2.0], [5.0]]
    yield lambda x: x * rows[0][0]
    rows[0][0] = 3.0


@change
def a_list_in_a_dict_in_a_list():
    layers = [{"weights": [2.0]}]
    yield lambda x: x * layers[0]["weights"][0]
    layers[0]["weights"][0] = 3.0


@change
def a_dict_in_a_tuple_in_a_dict():
    settings = {"layers": ({"scale": 2.0},)}
    yield lambda x: x * settings["layers"][0]["scale"]
    settings["layers"][0]["scale"] = 3.0


@change
def a_list_in_a_tuple():
    layers = ([2.0], [5.0])
    yield lambda x: x * layers[0][0]
    layers[0][0] = 3.0


@change
def an_item_of_a_dict():
    settings = {"scale": 2.0}
    yield lambda x: x * settings["scale"]
    settings["scale"] = 3.0


@change
def a_dict_that_is_updated():
    settings = {"scale": 2.0}
    yield lambda x: x * settings["scale"]
    settings |= {"scale": 3.0}


@change
def a_key_that_appears():
    settings = {}
    yield lambda x: x * settings.get("scale", 2.0)
    settings["scale"] = 3.0


@change
def a_key_that_goes():
    settings = {"scale": 2.0}

    def function(x):
        try:
            return x * settings["scale"]
        except KeyError:
            return x

    yield function
    del settings["scale"]


@change
def a_key_that_is_asked_for():
    settings = {"double": None}
    yield lambda x: x * 2.0 if "double" in settings else x
    settings.clear()


@change
def the_size_of_a_dict():
    settings = {"scale": 2.0}
    yield lambda x: x * len(settings)
    settings["offset"] = 5.0


@change
def the_keys_of_a_dict():
    scales = {2.0: "two"}
    yield lambda x: x * sum(scales)
    scales[3.0] = "three"


@change
def the_items_of_a_dict():
    scales = {"a": 2.0, "b": 3.0}
    yield lambda x: sum(x * scale for name, scale in scales.items() if name != "b")
    scales["c"] = 3.0


@change
def the_order_of_a_dict():
    scales = {"a": 2.0, "b": 3.0}
    yield lambda x: x * next(iter(scales.values()))
    scales["a"] = scales.pop("a")


@change
def the_values_of_a_dict_kept_as_a_view():
    settings = {"scale": 2.0}
    numbers = settings.values()
    yield lambda x: x * sum(numbers)
    settings["scale"] = 3.0


@change
def a_dict_given_with_two_stars():
    settings = {"scale": 2.0}

    def scaled(x, scale=1.0):
        return x * scale

    yield lambda x: scaled(x, **settings)
    settings["scale"] = 3.0


@change
def a_set():
    names = {"double"}
    yield lambda x: x * 2.0 if "double" in names else x
    names.discard("double")


@change
def a_set_of_numbers():
    scales = {2.0}
    yield lambda x: x * sum(scales)
    scales.add(3.0)


@change
def a_frozenset_that_is_another():
    names = frozenset({"double"})
    yield lambda x: x * 2.0 if "double" in names else x
    names = frozenset()


@change
def a_deque():
    scales = collections.deque([2.0, 3.0])
    yield lambda x: x * scales[0]
    scales.rotate()


@change
def an_array_of_python():
    scales = array.array("d", [2.0])
    yield lambda x: x * scales[0]
    scales[0] = 3.0


@change
def a_bytearray():
    scales = bytearray([2])
    yield lambda x: x * scales[0]
    scales[0] = 3


@change
def a_memoryview():
    memory = bytearray([2])
    scales = memoryview(memory)
    yield lambda x: x * scales[0]
    memory[0] = 3


@change
def an_ordered_dict():
    scales = collections.OrderedDict(a=2.0, b=3.0)
    yield lambda x: x * next(iter(scales.values()))
    scales.move_to_end("a")


@change
def a_defaultdict():
    scales = collections.defaultdict(lambda: 2.0)
    yield lambda x: x * scales["a"]
    scales["a"] = 3.0


@change
def the_default_of_a_defaultdict():
    scales = collections.defaultdict(lambda: 2.0)
    yield lambda x: x * (scales["a"] if "a" in scales else scales.default_factory())
    scales.default_factory = lambda: 3.0


@change
def a_counter_of_collections():
    counts = collections.Counter("aab")
    yield lambda x: x * counts["a"]
    counts.update("a")


@change
def a_chainmap():
    ours, theirs = {}, {"scale": 2.0}
    settings = collections.ChainMap(ours, theirs)
    yield lambda x: x * settings["scale"]
    ours["scale"] = 3.0


@change
def a_userdict():
    settings = collections.UserDict(scale=2.0)
    yield lambda x: x * settings["scale"]
    settings["scale"] = 3.0


@change
def a_userlist():
    scales = collections.UserList([2.0])
    yield lambda x: x * scales[0]
    scales[0] = 3.0


@change
def a_list_subclass():
    class Scales(list):
        pass

    scales = Scales([2.0])
    yield lambda x: x * scales[0]
    scales[0] = 3.0


@change
def a_list_subclass_that_is_another():
    class Scales(list):
        pass

    scales = Scales([2.0])
    yield lambda x: x * scales[0]
    scales = Scales([3.0])


@change
def an_attribute_of_a_list_subclass():
    class Scales(list):
        unit = 2.0

    scales = Scales([1.0])
    yield lambda x: x * scales[0] * scales.unit
    scales.unit = 3.0


@change
def a_dict_subclass_whose_keys_are_attributes():
    class Settings(dict):
        __getattr__ = dict.__getitem__
        __setattr__ = dict.__setitem__

    settings = Settings(scale=2.0)
    yield lambda x: x * settings.scale
    settings.scale = 3.0


@change
def a_dict_subclass_with_missing():
    class Scales(dict):
        default = 2.0

        def __missing__(self, key):
            return self.default

    scales = Scales()
    yield lambda x: x * scales["a"]
    scales.default = 3.0


@change
def a_set_subclass():
    class Names(set):
        pass

    names = Names(["double"])
    yield lambda x: x * 2.0 if "double" in names else x
    names.clear()


@change
def a_float_subclass_with_an_attribute():
    class Length(float):
        pass

    length = Length(1.0)
    length.unit = 2.0
    yield lambda x: x * length * length.unit
    length.unit = 3.0


@change
def a_mappingproxy():
    settings = {"scale": 2.0}
    seen = types.MappingProxyType(settings)
    yield lambda x: x * seen["scale"]
    settings["scale"] = 3.0


@change
def a_mapping_of_ones_own():
    class Settings(collections.abc.Mapping):
        def __init__(self, content):
            self.content = content

        def __getitem__(self, name):
            return self.content[name]

        def __iter__(self):
            return iter(self.content)

        def __len__(self):
            return len(self.content)

    settings = Settings({"scale": 2.0})
    yield lambda x: x * settings.get("scale")
    settings.content["scale"] = 3.0


@change
def a_weak_dictionary():
    class Key:
        pass

    key, scales = Key(), weakref.WeakKeyDictionary()
    scales[key] = 2.0
    yield lambda x: x * scales[key]
    scales[key] = 3.0


@change
def a_weak_set():
    class Key:
        pass

    key, keys = Key(), weakref.WeakSet()
    keys.add(key)
    yield lambda x: x * 2.0 if key in keys else x
    keys.discard(key)
