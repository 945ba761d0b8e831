"""Rows of the table in JavaScript: values and partials at many points in one call."""

from scalargrad.javascript.bundle import bundle
from scalargrad.javascript.operations import operations_module
from tests.oracles.mpmath import flat

ENTRY = """
import { OPERATIONS } from "./operations.js";
import { numberOf } from "./graph.js";

globalThis.answer = ([name, points]) => {
  const { value, partials, many } = OPERATIONS[name];
  const found = [];
  for (const point of points) {
    const x = Float64Array.from(point, numberOf);
    const y = many ? value(x) : value(...x);
    found.push(y);
    if (partials === null) found.push(...x.map(() => 0));
    else found.push(...(many ? partials(y, x, new Float64Array(x.length)) : partials(y, ...x)));
  }
  return found;
};
"""


def script(operations=operations_module):
    return bundle(ENTRY, {"operations.js": operations()})


def computed_rows(run, op, arguments, text=None):
    """(value, slopes) for each argument list."""
    operands = [flat(args) for args in arguments]
    numbers = iter(run(text or script(), [op.name, operands]))
    return [(next(numbers), [next(numbers) for _ in xs]) for xs in operands]
