"""What optimizers remember, compared."""

import pytest


def close(found, expected, tolerance=1e-11):
    return found == pytest.approx(expected, rel=tolerance, abs=tolerance)


def state_of(optimizer, parameters):
    """What the optimizer remembers, as a list for each parameter."""
    return [list(optimizer.state[parameter]) for parameter in parameters]


def check_same_state(optimizer, other, parameters, other_parameters, tolerance=1e-11):
    assert optimizer.steps == other.steps
    pairs = zip(state_of(optimizer, parameters), state_of(other, other_parameters), strict=True)
    for found, expected in pairs:
        assert close(found, expected, tolerance)
