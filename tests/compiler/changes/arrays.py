"""NumPy's arrays of every kind, and pandas' and PyTorch's."""

import types
from importlib import import_module

import numpy as np

from scalargrad import Value
from tests.compiler.changes.cases import change, needing, object_array


@change
def an_array_in_place():
    scales = np.array([2.0, 5.0])
    yield lambda x: x * scales[0]
    scales[0] = 3.0


@change
def an_array_that_a_view_shows():
    scales = np.array([2.0, 5.0])
    view = scales.view()
    yield lambda x: x * view[0]
    scales[0] = 3.0


@change
def an_array_that_a_slice_shows():
    scales = np.array([5.0, 5.0, 2.0])
    last = scales[::-2]
    yield lambda x: x * last[0]
    scales[2] = 3.0


@change
def an_array_that_a_reshaped_one_shows():
    scales = np.array([2.0, 5.0])
    column = scales.reshape(2, 1)
    yield lambda x: x * column[0, 0]
    scales[0] = 3.0


@change
def an_array_that_a_transposed_one_shows():
    scales = np.array([[5.0, 2.0], [5.0, 5.0]])
    other = scales.T
    yield lambda x: x * other[1, 0]
    scales[0, 1] = 3.0


@change
def a_buffer_of_python_that_an_array_shows():
    memory = bytearray([2])
    scales = np.frombuffer(memory, "uint8")
    yield lambda x: x * int(scales[0])
    memory[0] = 3


@change
def a_sum_over_an_array():
    scales = np.array([[1.0, 1.0]])
    yield lambda x: x * float(scales.sum())
    scales += 1.0


@change
def an_array_of_bools():
    mask = np.array([True, False])
    yield lambda x: x * 2.0 if mask[0] else x
    mask[0] = False


@change
def an_array_that_chooses_from_another():
    scales, mask = np.array([2.0, 3.0]), np.array([True, False])
    yield lambda x: x * float(scales[mask].sum())
    mask[1] = True


@change
def an_array_of_whole_numbers():
    places = np.array([0])
    yield lambda x: x * [2.0, 3.0][places[0]]
    places[0] = 1


@change
def an_array_of_texts():
    names = np.array(["double"])
    yield lambda x: x * 2.0 if names[0] == "double" else x
    names[0] = "single"


@change
def an_object_array_of_values():
    weights = np.array([Value(2.0), Value(1.0)], dtype=object)
    yield lambda x: weights[0] * x + weights[1]
    weights[0] = Value(3.0)


@change
def a_matrix_of_values_times_a_sample():
    weights = np.array([[Value(2.0), Value(1.0)]], dtype=object)
    yield lambda x: (weights @ np.array([x, 1.0], dtype=object))[0]
    weights[0, 0] = Value(3.0)


@change
def a_list_in_an_object_array():
    cells = object_array([2.0])
    yield lambda x: x * cells[0][0]
    cells[0][0] = 3.0


@change
def a_structured_array():
    rows = np.array([(2.0, 1)], dtype=[("scale", float), ("count", int)])
    yield lambda x: x * rows["scale"][0]
    rows["scale"][0] = 3.0


@change
def a_record_array():
    rows = np.rec.array([(2.0, 1)], dtype=[("scale", float), ("count", int)])
    yield lambda x: x * rows.scale[0]
    rows.scale[0] = 3.0


@change
def the_data_of_a_masked_array():
    scales = np.ma.array([2.0, 5.0], mask=[False, True])
    yield lambda x: x * float(scales.sum())
    scales[0] = 3.0


@change
def the_mask_of_a_masked_array():
    scales = np.ma.array([2.0, 5.0], mask=[False, True])
    yield lambda x: x * float(scales.sum())
    scales.mask[1] = False


@change
def an_array_subclass():
    class Scales(np.ndarray):
        pass

    scales = np.array([2.0, 5.0]).view(Scales)
    yield lambda x: x * float(scales[0])
    scales[0] = 3.0


@change
def an_attribute_of_an_array_subclass():
    class Scales(np.ndarray):
        unit = 2.0

    scales = np.array([1.0]).view(Scales)
    yield lambda x: x * float(scales[0]) * scales.unit
    scales.unit = 3.0


@change
def an_array_of_no_dimensions():
    scale = np.array(2.0)
    yield lambda x: x * scale
    scale[...] = 3.0


@change
def a_scalar_of_numpy():
    settings = types.SimpleNamespace(scale=np.float32(2.0))
    yield lambda x: x * settings.scale
    settings.scale = np.float32(3.0)


@change
def an_array_in_a_dict():
    state = {"weights": np.array([2.0])}
    yield lambda x: x * state["weights"][0]
    state["weights"] *= 1.5


@change
def an_array_of_an_object():
    class Model:
        def __init__(self):
            self.weights = np.array([2.0])

    model = Model()
    yield lambda x: x * model.weights[0]
    model.weights[:] = 3.0


@change
def the_shape_of_an_array():
    scales = np.ones((2, 3))
    yield lambda x: x * len(scales)
    scales = scales.reshape(3, 2)


@change
def an_array_in_a_file_that_is_mapped(folder):
    scales = np.memmap(folder / "scales", "float64", "w+", shape=(2,))
    scales[:] = 2.0
    yield lambda x: x * float(scales[0])
    scales[0] = 3.0


@change
def the_coefficients_of_a_polynomial():
    line = np.polynomial.Polynomial([0.0, 2.0])
    yield lambda x: x * line.coef[1]
    line.coef[1] = 3.0


@change
def what_a_vectorized_function_reads():
    scale = 2.0
    scaled = np.vectorize(lambda number: number * scale, otypes=[object])
    yield lambda x: scaled(x).item()
    scale = 3.0


@change
@needing("pandas")
def a_series_of_pandas():
    scales = import_module("pandas").Series([2.0, 5.0], index=["a", "b"])
    yield lambda x: x * float(scales["a"])
    scales["a"] = 3.0


@change
@needing("pandas")
def a_frame_of_pandas():
    frame = import_module("pandas").DataFrame({"scale": [2.0, 5.0]})
    yield lambda x: x * float(frame["scale"].iloc[0])
    frame.loc[0, "scale"] = 3.0


@change
@needing("pandas")
def a_column_that_a_frame_gets():
    frame = import_module("pandas").DataFrame({"scale": [2.0]})
    yield lambda x: x * len(frame.columns)
    frame["offset"] = 1.0


@change
@needing("torch")
def a_tensor_of_pytorch():
    scales = import_module("torch").tensor([2.0, 5.0])
    yield lambda x: x * float(scales[0])
    scales[0] = 3.0


@change
@needing("torch")
def a_module_of_pytorch():
    layer = import_module("torch").nn.Linear(1, 1)
    layer.weight.data[:] = 2.0
    yield lambda x: x * layer.weight.item()
    layer.weight.data[:] = 3.0
