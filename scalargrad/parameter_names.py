"""Names of parameters, read: `layers.0.neurons.3.weights.1` is a weight of the unit `layers.0.neurons.3`."""


def owner_of(parameter: str) -> str:
    """The module that a parameter belongs to; "" where the name tells of none.

    >>> owner_of("layers.0.neurons.3.weights.1"), owner_of("layers.0.neurons.3.bias"), owner_of("w")
    ('layers.0.neurons.3', 'layers.0.neurons.3', '')
    """
    parts = parameter.split(".")
    while parts and parts[-1].isdigit():
        parts.pop()
    return ".".join(parts[:-1])


def layer_of(module: str, units: str = "") -> str:
    """The module that has this one in a list, or the module itself. With `units`, only a list of that name counts.

    >>> layer_of("layers.0.neurons.3"), layer_of("encoder.layers.0"), layer_of("layers.0"), layer_of("norm")
    ('layers.0', 'encoder', 'layers.0', 'norm')
    >>> layer_of("layers.0.neurons.3", "neurons"), layer_of("encoder.layers.0", "neurons")
    ('layers.0', 'encoder.layers.0')
    >>> layer_of("neurons.3", "neurons")  # of the model itself
    ''
    """
    parts = module.split(".")
    is_unit = parts[-2:-1] == [units] if units else len(parts) > 2 and parts[-1].isdigit()
    return ".".join(parts[:-2]) if is_unit else module


def outermost_layer_of(parameter: str) -> str:
    """The layer of the whole model: up to the first place in a list, or the first attribute.

    >>> outermost_layer_of("layers.0.neurons.3.weights.1"), outermost_layer_of("norm.scale.2")
    ('layers.0', 'norm')
    """
    parts = parameter.split(".")
    first = next((place for place, part in enumerate(parts[:-1]) if part.isdigit()), 0)
    return ".".join(parts[: first + 1])
