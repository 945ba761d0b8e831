"""Names of parameters: pictures, the doctor and programs read them in one way."""

import pytest

from scalargrad import MLP, Module, Value, compile, diagnose, draw, mse
from scalargrad.nn import Parameter
from scalargrad.structure import layer_of, outermost_layer_of, owner_of


@pytest.mark.parametrize(
    ("name", "owner", "layer", "outermost"),
    [
        ("layers.0.neurons.3.weights.1", "layers.0.neurons.3", "layers.0", "layers.0"),
        ("layers.0.neurons.3.bias", "layers.0.neurons.3", "layers.0", "layers.0"),
        ("neurons.3.weights.1", "neurons.3", "neurons.3", "neurons.3"),
        ("encoder.layers.0.weights.1", "encoder.layers.0", "encoder", "encoder.layers.0"),
        ("norm.scale.2", "norm", "norm", "norm"),
        ("weights.2", "", "", "weights"),
        ("w", "", "", "w"),
        ("", "", "", ""),
        ("3", "", "", "3"),
    ],
)
def test_a_name_tells_owner_and_layer(name, owner, layer, outermost):
    assert (owner_of(name), layer_of(owner_of(name)), outermost_layer_of(name)) == (owner, layer, outermost)


def test_everybody_calls_a_layer_by_the_same_name():
    model = MLP(2, [3, 1], rng=0)
    assert ">layers.0 · 3 " in draw(mse([model([1.0, 2.0])], [1.0]), detail="units").svg()
    with diagnose(model) as report:
        (Value(1.0) * Value(2.0)).backward()
    assert "layers.0 (9 parameters)" in str(report)
    program = compile(lambda x, y: (model(x) - y) ** 2, backend="numpy")
    program.backward([[1.0, 2.0]], [1.0])
    assert "\nlayers.0\n" in str(program)


def test_parameters_among_other_attributes_get_their_names():
    model = Module()
    model.__dict__ = {"w": Parameter(1.0), "rows": [[Parameter(2.0)]], "number": 3}
    assert [parameter.label for parameter in model.parameters()] == ["w", "rows.0.0"]
