"""Values, Parameters, layers and modules of this package, and of users' own."""

import copy
import types

from scalargrad import MLP, Value
from scalargrad.nn import Buffer, Layer, Module, Parameter, Sequential
from tests.compiler.changes.cases import Doubling, change, refusable


@change
def a_parameter_that_moves():
    w = Parameter(2.0)
    yield lambda x: x * w
    w.data = 3.0


@change
def a_parameter_that_is_another():
    w = Parameter(2.0)
    yield lambda x: x * w
    w = Parameter(3.0)


@change
def two_values_that_are_swapped():
    a, b = Value(2.0), Value(3.0)
    yield lambda x: x * a + b
    a, b = b, a


@change
def a_list_of_values_in_another_order():
    weights = [Value(2.0), Value(3.0)]
    yield lambda x: weights[0] * x + weights[1]
    weights.reverse()


@change
def a_dict_of_values():
    weights = {"slope": Value(2.0), "offset": Value(1.0)}
    yield lambda x: weights["slope"] * x + weights["offset"]
    weights["slope"] = Value(3.0)


@change
def a_parameter_of_an_ordinary_object():
    class Line:
        def __init__(self):
            self.slope = Parameter(2.0)

    line = Line()
    yield lambda x: line.slope * x
    line.slope = Parameter(3.0)


@change
def a_value_that_is_an_attribute_of_a_class():
    class Line:
        slope = Value(2.0)

    yield lambda x: Line.slope * x
    Line.slope = Value(3.0)


@change
def a_value_that_becomes_a_number():
    slope = Value(2.0)
    yield lambda x: x * slope
    slope = 3.0


@change
def the_label_of_a_value():
    w = Value(1.0, label="double")
    yield lambda x: x * w * (2.0 if w.label == "double" else 3.0)
    w.label = "triple"


@change
def a_parameter_that_is_frozen():
    w = Parameter(2.0)
    yield lambda x: x * (w if w.requires_grad else 3.0)
    w.requires_grad = False


@change
def a_parameter_of_a_module_that_is_thawed():
    model = MLP(1, [2, 1], rng=0).requires_grad_(False)
    yield lambda x: x * (2.0 + sum(1.0 for p in model.parameters() if getattr(p, "requires_grad")))  # noqa: B009
    model.layers[1].neurons[0].bias.requires_grad = True


@change
def a_parameter_of_a_subclass_that_is_frozen():
    class Scaled(Parameter):
        pass

    w = Scaled(2.0)
    yield lambda x: x * (w if w.requires_grad else 3.0)
    w.requires_grad = False


@change
def an_attribute_of_a_value_subclass():
    class Scaled(Value):
        pass

    w = Scaled(1.0)
    w.scale = 2.0
    yield lambda x: x * w * w.scale
    w.scale = 3.0


@change
def a_method_of_a_value_subclass():
    class Scaled(Value):
        def times(self, x):
            return self * x * 2.0

    w = Scaled(1.0)
    yield lambda x: w.times(x)
    Scaled.times = lambda self, x: self * x * 3.0


@refusable
def a_leaf_below_a_result_from_outside():
    w = Value(2.0)
    z = w * 3.0
    yield lambda x: x * (z + w)
    w.data = 10.0


@refusable
def a_result_from_outside():
    w = Value(2.0)
    z = w * 3.0
    yield lambda x: x * z
    z = w * 4.0


@refusable
def the_number_of_a_result_from_outside():
    z = Value(2.0) * 3.0
    yield lambda x: x * z
    z.data = 9.0


@change
def a_buffer_that_is_another():
    average = Buffer(2.0)
    yield lambda x: x * average
    average = Buffer(3.0)


@change
def a_layer_that_is_another():
    layer = Layer(1, 1, activation="tanh", rng=0)
    yield lambda x: layer([x])
    layer = Layer(1, 1, activation="tanh", rng=9)


@change
def a_layer_that_a_model_gets():
    model = MLP(1, [2, 1], activation="tanh", rng=0)
    yield lambda x: model([x])
    model.layers[1] = Layer(2, 1, activation="linear", rng=9)


@change
def a_layer_that_is_added():
    model = Sequential(Layer(1, 1, activation="tanh", rng=0))
    yield lambda x: model([x])
    model.layers = [*model.layers, lambda output: output * 2.0]


@change
def the_activation_of_a_neuron():
    model = MLP(1, [2, 1], activation="tanh", rng=0)
    yield lambda x: model([x])
    model.layers[0].neurons[0].activation = "sigmoid"


@change
def the_bias_of_a_neuron():
    model = MLP(1, [2, 1], activation="tanh", rng=0)
    yield lambda x: model([x])
    model.layers[0].neurons[0].bias = Parameter(0.5)


@change
def the_parameters_of_a_model():
    model = MLP(1, [1], rng=0)
    yield lambda x: x * sum(weight * weight for weight in model.parameters())
    model.layers[0].neurons[0].bias = Parameter(0.5)


@change
def an_attribute_of_a_module_class():
    class Scaled(Module):
        scale = 2.0

        def __call__(self, x):
            return x * self.scale

    yield Scaled()
    Scaled.scale = 3.0


@change
def an_attribute_of_the_base_of_a_module_class():
    class Base(Module):
        scale = 2.0

    class Scaled(Base):
        def __call__(self, x):
            return x * self.scale

    yield Scaled()
    Base.scale = 3.0


@change
def a_module_attribute_set_through_vars():
    class Scaled(Module):
        def __init__(self):
            self.scale = 2.0

        def __call__(self, x):
            return x * self.scale

    model = Scaled()
    yield model
    vars(model)["scale"] = 3.0


@change
def a_module_attribute_set_past_the_module():
    class Scaled(Module):
        def __init__(self):
            self.scale = 2.0

        def __call__(self, x):
            return x * self.scale

    model = Scaled()
    yield lambda x: model(x)
    object.__setattr__(model, "scale", 3.0)


@change
def module_attributes_that_are_updated():
    class Scaled(Module):
        def __init__(self):
            self.scale = 2.0

        def __call__(self, x):
            return x * self.scale

    model = Scaled()
    yield lambda x: model(x)
    model.__dict__.update(scale=3.0)


@change
def other_attributes_of_a_module():
    class Scale(Module):
        def __init__(self, scale):
            self.scale = scale

    model = Scale(2.0)
    yield lambda x: x * model.scale
    model.__dict__ = {"scale": 3.0}


@change
def other_attributes_of_a_layer():
    layer = Layer(1, 1, rng=0)
    yield lambda x: layer([x])
    layer.__dict__ = vars(Layer(1, 1, rng=1))


@change
def the_settings_of_a_module():
    class Scaled(Module):
        def __init__(self, settings):
            self.settings = settings

        def __call__(self, x):
            return x * self.settings.scale

    settings = types.SimpleNamespace(scale=2.0)
    model = Scaled(settings)
    yield lambda x: model(x)
    settings.scale = 3.0


@change
def a_dict_in_a_list_of_a_module():
    class Scaled(Module):
        def __init__(self):
            self.steps = [{"scale": 2.0}]

        def __call__(self, x):
            return x * self.steps[0]["scale"]

    model = Scaled()
    yield lambda x: model(x)
    model.steps[0]["scale"] = 3.0


@change
def the_call_of_a_module_class():
    class Scaled(Module):
        def __call__(self, x):
            return x * 2.0

    yield Scaled()
    Scaled.__call__ = lambda self, x: x * 3.0


@change
def a_hook_that_a_model_calls():
    class Hooked(Module):
        def __init__(self):
            self.hooks = []

        def __call__(self, x):
            for hook in self.hooks:
                x = hook(x)
            return x

    model = Hooked()
    model.hooks.append(lambda x: x * 2.0)
    yield lambda x: model(x)
    model.hooks[0] = lambda x: x * 3.0


@change
def a_copy_of_a_module_that_takes_its_place():
    model = Doubling()
    yield lambda x: model(x)
    model = copy.copy(model)
    model.eval()


@change
def the_loss_function_of_a_task():
    class Task:
        def __init__(self):
            self.penalty = lambda x: x * 2.0

        def __call__(self, x):
            return self.penalty(x)

    task = Task()
    yield task
    task.penalty = lambda x: x * 3.0
