"""Where random graphs and random programs use an operation: away from poles, jumps and the ends of its domain."""

# fmt: off
ALLOWED = {
    "div":   lambda x, y: abs(y) > 0.2,
    "pow":   lambda x, n: x > 0.1 and abs(n) < 3.0,
    "log":   lambda x: x > 0.1,
    "log1p": lambda x: x > -0.9,
    "log2":  lambda x: x > 0.1,
    "log10": lambda x: x > 0.1,
    "sqrt":  lambda x: x > 0.1,
    "tan":   lambda x: abs(x) < 1.3,
    "asin":  lambda x: abs(x) < 0.95,
    "acos":  lambda x: abs(x) < 0.95,
    "acosh": lambda x: x > 1.1,
    "atanh": lambda x: abs(x) < 0.95,
    "atan2": lambda y, x: abs(x) + abs(y) > 0.2 and (abs(y) > 0.01 or x > 0.0),
    "hypot": lambda x, y: abs(x) + abs(y) > 0.2,
    "round": lambda x: abs(x - int(x)) < 0.499 or abs(x - int(x)) > 0.501,
    **dict.fromkeys(("floor", "ceil"), lambda x: abs(x - round(x)) > 1e-6),
    **dict.fromkeys(("mod", "floor_divide"), lambda x, y: abs(y) > 0.2 and abs(x / y - round(x / y)) > 0.01),
}
# fmt: on
