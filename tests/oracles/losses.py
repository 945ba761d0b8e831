"""Losses of logits and their derivatives in mpmath, and logits far out."""

from mpmath import mp

FAR = [sign * x for x in (1e-9, 1.0, 20.0, 30.0, 37.0, 40.0, 300.0, 700.0) for sign in (1.0, -1.0)]


def exact_binary_cross_entropy(logit, label):
    """Value, slope, second derivative; and what the slope is a difference of."""
    x, t = mp.mpf(logit), mp.mpf(label)
    one, zero = 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))  # the probabilities of the labels
    return t * mp.log1p(mp.exp(-x)) + (1 - t) * mp.log1p(mp.exp(x)), (1 - t) * one - t * zero, one * zero


def exact_cross_entropy(row, label):
    odds = [mp.exp(mp.mpf(x) - mp.mpf(row[label])) for x in row]
    others = mp.fsum(x for place, x in enumerate(odds) if place != label)
    p = [x / (1 + others) for x in odds]
    slopes = [x if place != label else -others / (1 + others) for place, x in enumerate(p)]
    rest = [mp.fsum(x for place, x in enumerate(p) if place != here) for here in range(len(p))]  # 1 - p
    seconds = [p[i] * rest[i] if i == j else -p[i] * p[j] for i in range(len(p)) for j in range(len(p))]
    return [mp.log1p(others)], slopes, seconds
