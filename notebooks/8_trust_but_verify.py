# %% [markdown]
# # 8. Trust but verify
#
# A wrong gradient does not crash. The loss still falls, a little more slowly, and nobody notices: the spreadsheet
# of lesson 4 has lived for years. So gradients are checked. This lesson checks them in three ways, each more
# independent than the one before, and then checks the checker.

# %%
import cmath
import math

import matplotlib.pyplot as plt

from scalargrad import GradcheckError, Value, gradcheck, relu, sin, tanh
from scalargrad.ops import OPERATIONS, Op

# %% [markdown]
# ## First way: nudge it
#
# Lesson 1 compared `.grad` with the quotient of a small nudge. The largest part of its error disappears if one nudges
# to both sides, the **central difference**:
#
# $$\frac{f(x + h) - f(x - h)}{2h}$$
#
# How small should $h$ be? **Predict** the shape of the curve: the error of each quotient against $h$, as $h$ goes from
# 1 to $10^{-15}$. Is smaller always better?


# %%
def f(x):
    return math.sin(x) * math.exp(x) / (1.0 + x * x)


x = Value(1.5, "x")
y = sin(x) * x.exp() / (1.0 + x * x)
y.backward()
exact = x.grad

steps = [10.0 ** (-place / 4) for place in range(61)]
one_sided = [abs((f(1.5 + h) - f(1.5)) / h - exact) / exact for h in steps]
central = [abs((f(1.5 + h) - f(1.5 - h)) / (2 * h) - exact) / exact for h in steps]
print(f"the best one-sided quotient is off by {min(one_sided):.0e}, the best central one by {min(central):.0e}")

# %% [markdown]
# ## Second way: step sideways
#
# Nudges fail at the small end because they subtract two nearly equal numbers, which leaves only their last digits.
# There is a trick without subtraction. Take the step in the *imaginary* direction; then the imaginary part of the
# result is the slope times $h$, and nothing has to be subtracted:
#
# $$f'(x) \approx \frac{\operatorname{Im} f(x + ih)}{h}$$
#
# It needs the function written for complex numbers, with Python's own `cmath`, which knows nothing of this package:
# no table of operations, no graph, no chain rule. That makes it an **independent oracle**.


# %%
def f_complex(z):
    return cmath.sin(z) * cmath.exp(z) / (1.0 + z * z)


sideways = [abs(f_complex(complex(1.5, h)).imag / h - exact) / exact for h in steps]
print(f"scalargrad:   {exact:.17f}")
print(f"complex step: {f_complex(complex(1.5, 1e-20)).imag / 1e-20:.17f}")

# %%
figure, axes = plt.subplots(figsize=(7, 4), dpi=110, layout="constrained")
smallest = 1e-17  # an error of exactly 0 has no place on a logarithmic axis
for name, errors, colour in (
    ("one-sided nudge", one_sided, "#F0A05A"),
    ("central nudge", central, "#A84300"),
    ("complex step", sideways, "#0B5CAD"),
):
    axes.plot(steps, [max(error, smallest) for error in errors], "o-", color=colour, markersize=3, label=name)
axes.axhline(2.2e-16, color="#64748B", linestyle=":", label="spacing of floating-point numbers")
axes.set(xscale="log", yscale="log", xlabel="h", ylabel="relative distance from x.grad")
axes.invert_xaxis()
axes.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()

# %% [markdown]
# Read it from left to right, as the step shrinks. Both nudges get better, the central one twice as fast, until rounding
# takes over and they get worse again: no nudge finds more than ten or eleven digits. The complex step falls to the
# spacing of the numbers themselves and stays there: it and `x.grad` agree up to the last digit of a float.
#
# ## Third way: let `gradcheck` do it
#
# For everyday use, `gradcheck` nudges every input with a well-chosen step and knows how much rounding to forgive.
# What it adds to the method: it checks **each operation by itself**, so that it can name the culprit.

# %%
print(gradcheck(lambda a, b: tanh(a * b) + a / b, [0.5, -1.5]))

# %% [markdown]
# ## Check the checker
#
# A check that never fails proves nothing. So plant a mistake and see whether it is found. Here is a new operation
# with a wrong partial derivative: the one of $x^3$ is $3x^2$, not $2x^2$.

# %%
cube = Op("cube", "x", lambda x: x * x * x, lambda y, x: (2.0 * x * x,))
del OPERATIONS["cube"]  # keep the table of this session clean

try:
    gradcheck(lambda a, b: tanh(cube(a) * b) + a / b, [0.5, -1.5])
except GradcheckError as error:
    print(error)

# %% [markdown]
# It was found, and named. And the corrected one?

# %%
cube.partials = cube.partials_on_floats = lambda y, x: (3.0 * x * x,)
print(gradcheck(lambda a, b: tanh(cube(a) * b) + a / b, [0.5, -1.5]))

# %% [markdown]
# There is a second kind of mistake, in which every operation is right and the graph is wrong. **Predict:** what is
# the gradient of this function, and what should it be?

# %%
try:
    gradcheck(lambda a: a * a.data, [3.0])  # .data is a plain number: its history is cut
except GradcheckError as error:
    print(error)

# %% [markdown]
# ## Where there is no slope
#
# At a kink the nudges disagree, one from the left and one from the right, and no oracle can say which one is right.
# There one needs a convention. This package follows PyTorch: at 0, relu has the slope 0, abs has the slope 0, and a
# tie of `maximum` is shared.

# %%
h = 1e-6
print("relu from the left: ", (max(0.0, 0.0) - max(0.0, -h)) / h)
print("relu from the right:", (max(0.0, h) - max(0.0, 0.0)) / h)

zero = Value(0.0, "zero")
relu(zero).backward()
print("relu'(0) here:      ", zero.grad)

# %% [markdown]
# ## What the tests of this package do
#
# They walk the same road, further. Every operation's partials are compared with sixty-digit arithmetic (mpmath),
# random graphs with other engines (PyTorch, JAX), the edges with a table of what is right, and the tests plant
# mistakes to see themselves fail. An oracle counts only as far as it is independent: two copies of one mistake
# agree perfectly.
#
# ## Try it
#
# - Check lesson 4: write E as a function of the eight weights and give it to `gradcheck`.
# - Why does the complex step fail for `abs`? (What is the absolute value of $x + ih$?)
# - Plant a mistake that `gradcheck` does **not** find. How large may a wrong term be, at which inputs?
#
# The whole engine is two short files, `ops.py` and `engine.py`: you can read them now.
#
# Next: [MNIST from scalars](9_mnist_from_scalars.ipynb).
