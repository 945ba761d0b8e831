"""The network of a playground: columns of units, the weights between them, and what of it is shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scalargrad.engine import Value
from scalargrad.pages.live_training import Sample
from scalargrad.pages.units import Unit, names_of, place_of_source

MOST_UNITS = 16  # of a layer that are shown


@dataclass(eq=False)
class Network:
    """Units in columns.

    units    those that are shown, without the one that is the output
    output   the unit that is the output of the model, if there is one
    more     by layer, how many units are not shown
    """

    sample: Sample
    units: list[Unit] = field(default_factory=list)
    output: Unit | None = None
    more: dict[int, int] = field(default_factory=dict)


def network_of(sample: Sample) -> Network:
    """The units of a sample; of a layer of more than 16 those with the largest outgoing weights."""
    outputs = sample.outputs
    output = next((unit for unit in sample.units if len(outputs) == 1 and unit.output is outputs[0]), None)
    network = Network(sample, output=output)
    outgoing: dict[Value, float] = {}
    for unit in sample.units:
        for weight, source in unit.weighed:
            outgoing[source] = outgoing.get(source, 0.0) + abs(weight.data)
    for layer in sorted({unit.layer for unit in sample.units if unit is not output}):
        column = [unit for unit in sample.units if unit.layer == layer and unit is not output]
        heaviest = sorted(column, key=lambda unit: -outgoing.get(unit.output, 0.0))[:MOST_UNITS]
        network.units += [unit for unit in column if unit in heaviest]
        if len(column) > MOST_UNITS:
            network.more[layer] = len(column) - MOST_UNITS
    return network


def described(network: Network, names: Sequence[str], place: dict[Value, int]) -> dict[str, Any]:
    """The network as data: nodes (two inputs, units, the output), columns, and edges with the places of weights."""
    sample, units = network.sample, network.units
    all_names = dict(zip(sample.units, names_of(sample.units), strict=True))
    shown: list[Unit] = units + ([network.output] if network.output else [])
    last = 2 + len(units)
    node = {unit: 2 + n for n, unit in enumerate(shown)}
    nodes: list[dict[str, Any]] = [{"name": name, "kind": "input"} for name in names]
    columns: list[dict[str, Any]] = []
    for layer in sorted({unit.layer for unit in units}):
        own = [unit for unit in units if unit.layer == layer]
        total = len(own) + network.more.get(layer, 0)
        kinds = {unit.activation for unit in own}
        kind = next(iter(kinds)) if len(kinds) == 1 else "units"
        title = all_names[own[0]][0]
        columns.append(
            {
                "title": title,
                "kind": f"{total} {kind}",
                "activation": kind,
                "nodes": [node[unit] for unit in own],
                "more": network.more.get(layer, 0),
            }
        )
        for unit in own:
            nodes.append({"name": all_names[unit][1], "layer": title, "kind": "unit", "activation": unit.activation})
    nodes.append({"name": "output", "kind": "output"})
    if network.output:
        nodes[-1] |= {"layer": all_names[network.output][0], "activation": network.output.activation}
    edges = []
    for unit in shown:
        for weight, source in unit.weighed:
            origin = place_of_source(source, sample.inputs, sample.units)
            if origin is None:
                continue
            start = origin if origin < 2 else node.get(sample.units[origin - 2])
            if start is not None:
                edges.append([start, node[unit], place[weight]])
    return {"nodes": nodes, "columns": columns, "edges": edges, "ends": _ends(network, node, last)}


def _ends(network: Network, node: dict[Unit, int], last: int) -> list[int]:
    """The nodes from which a line without a weight leads to the output."""
    if network.output:
        return []
    ends = [node[unit] for unit in network.units if any(output in unit.values for output in network.sample.outputs)]
    if ends:
        return ends
    deepest = max((unit.layer for unit in network.units), default=0)
    return [node[unit] for unit in network.units if unit.layer == deepest] or [0, 1]


def parameter_name(parameter: Value, place: int) -> str:
    """Its label with places to break a line: a page has little room."""
    return re.sub(r"\s+", " ", str(parameter.label)) or f"p{place}"
