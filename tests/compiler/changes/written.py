"""What functions write down when they run, besides what they return: as logs of activations do."""

from tests.compiler.changes.cases import change


class Recording:
    """Keeps what it computed last, in one of the usual forms."""

    def __init__(self, record):
        self.record, self.scale = record, 2.0

    def __call__(self, x):
        y = x * self.scale
        self.record(self, y)
        return y


def _kept_in(attribute, make):
    return Recording(lambda self, y: setattr(self, attribute, make(y)))


@change
def a_model_that_keeps_its_last_output():
    class Model:
        scale = 2.0

        def __call__(self, x):
            self.last = x * self.scale
            return self.last

    model = Model()
    yield model
    model.scale = 3.0


@change
def a_model_that_keeps_a_list_of_outputs():
    model = _kept_in("outputs", lambda y: [y, y * 2.0])
    yield lambda x: model(x) + model.outputs[1]
    model.scale = 3.0


@change
def a_model_that_keeps_a_tuple_in_a_dict_of_outputs():
    model = _kept_in("outputs", lambda y: {"pair": (y, [y, 1.0]), "name": "pair"})
    yield lambda x: model(x) + model.outputs["pair"][1][0]
    model.scale = 3.0


@change
def a_hook_that_keeps_outputs_by_name():
    outputs = {}
    model = Recording(lambda self, y: outputs.update(hidden=y))
    yield lambda x: model(x) + outputs["hidden"]
    model.scale = 3.0


@change
def a_list_of_outputs_that_is_cleared_first():
    outputs = []

    def function(x):
        outputs.clear()
        outputs.append(x * model.scale)
        return outputs[0]

    model = Recording(None)
    yield function
    model.scale = 3.0
