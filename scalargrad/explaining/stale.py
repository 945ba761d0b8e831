"""Is the number of a result still what its operands give?"""

from scalargrad.checks import data_of
from scalargrad.engine import Value


def recomputed(value: Value) -> float | None:
    """The operation of a result once more, on its operands' data of now; None, if a `take` has no such index."""
    assert value.op is not None
    try:
        return float(value.op.compute(*map(data_of, value.args)))
    except IndexError:
        return None


def is_stale(value: Value) -> bool:
    """Has the data of an operand been changed, so that the result would be another one?"""
    if value.op is None:
        return False
    now, then = recomputed(value), value.data
    return now is None or not (now == then or (now != now and then != then))
