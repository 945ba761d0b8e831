"""Where random graphs and random programs use an operation: away from poles and the ends of its domain."""

# fmt: off
ALLOWED = {
    "div":   lambda x, y: abs(y) > 0.2,
    "pow":   lambda x, n: x > 0.1 and abs(n) < 3.0,
    "log":   lambda x: x > 0.1,
    "log1p": lambda x: x > -0.9,
    "sqrt":  lambda x: x > 0.1,
    "tan":   lambda x: abs(x) < 1.3,
    "asin":  lambda x: abs(x) < 0.95,
    "acos":  lambda x: abs(x) < 0.95,
}
# fmt: on
