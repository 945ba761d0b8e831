# %% [markdown]
# # 7. Forward mode and reverse mode
#
# The chain rule is a product, and a product can be worked out from either end. `backward()` starts at the output.
# One can just as well start at an input and go the other way: **forward mode**. Both give the same derivatives;
# they differ in what they cost, by a factor that decides whether a large network can be trained at all.

# %%
from math import isclose

import matplotlib.pyplot as plt

from scalargrad import MLP, Value, gradients, hvp, jvp, sin, topological_order

# %% [markdown]
# ## One function, two directions
#
# The function is $y = x_1 x_2 + \sin x_1$, in three steps.

# %%
x1, x2 = Value(2.0, "x1"), Value(3.0, "x2")
p = x1 * x2
s = sin(x1)
y = p + s
for value, label in ((p, "x1*x2"), (s, "sin x1"), (y, "y")):
    value.label = label

# %% [markdown]
# **Reverse mode** asks of every value $v$: how does *the output* move per unit of $v$? It fixes one output and
# fills in
# $\partial y / \partial v$ from the bottom of the table to the top.
#
# **Forward mode** fixes one input and asks of every value: how does $v$ move per unit of *this input*? It fills in
# $\partial v / \partial x_1$ from the top to the bottom, together with the data. `jvp` does it: it gives the derivative
# of a result along a direction of the inputs, and the direction (1, 0) means "only x1 moves".
#
# **Predict** both columns before you run the cell. The local derivatives are 3 and 2 for the product, cos 2 = −0.4161
# for the sine, 1 and 1 for the sum.

# %%
y.backward()
print("value      data   forward: ∂v/∂x1 ↓   reverse: ∂y/∂v ↑")
for value in topological_order(y):
    forward = jvp(value, [x1, x2], [1.0, 0.0])
    print(f"{value.label:<7}{value.data:8.4f}{forward:15.4f}{value.grad:20.4f}")

# %% [markdown]
# The two meet: the last number of the forward column and the first number of the reverse column are the same, the
# derivative of y by x1. But look at what each has found on the way. The forward column knows how *everything* depends
# on x1, and nothing about x2. The reverse column knows how y depends on *everything*, x2 included.
#
# ## Any direction
#
# Forward mode need not follow a single input. Along a direction $(d_1, d_2)$ it gives
# $d_1 \, \partial y / \partial x_1 + d_2 \, \partial y / \partial x_2$ in one pass, without the two derivatives.

# %%
direction = [0.6, 0.8]
along = jvp(y, [x1, x2], direction)
slopes = gradients(y, [x1, x2])
print(f"forward, one pass:             {along:.10f}")
print(f"reverse, and then add it up:   {sum(d * slope for d, slope in zip(direction, slopes, strict=True)):.10f}")

# %% [markdown]
# ## What it costs
#
# A pass in either direction multiplies once for each edge of the graph that it uses. Reverse mode needs **one pass
# for each output**, whatever the number of inputs. Forward mode needs **one pass for each input**, whatever the
# number of outputs.
#
# Let us count the multiplications for a network with a growing number of inputs, and one output. A forward pass for
# one input may leave out what does not depend on it.


# %%
def multiplications(output, sources):
    """How many edges of the graph lie on a path from one of the sources."""
    reached, count = set(sources), 0
    for value in topological_order(output):
        uses = sum(operand in reached for operand in value.operands)
        if uses:
            reached.add(value)
            count += uses
    return count


sizes = (1, 2, 4, 8, 16, 32, 64)
forward_costs, reverse_costs = [], []
for size in sizes:
    inputs = [Value(0.1 * place) for place in range(size)]
    output = MLP(size, [8, 8, 1], activation="tanh", rng=0)(inputs)
    forward_costs.append(sum(multiplications(output, [x]) for x in inputs))
    reverse_costs.append(multiplications(output, inputs))
    pairs = zip([jvp(output, x, 1.0) for x in inputs], gradients(output, inputs), strict=True)
    same = all(isclose(forward, reverse, rel_tol=1e-9) for forward, reverse in pairs)
    print(f"{size:>3} inputs: forward {forward_costs[-1]:>5}, reverse {reverse_costs[-1]:>4}, same derivatives: {same}")

# %%
figure, axes = plt.subplots(figsize=(7, 3.8), dpi=110, layout="constrained")
axes.plot(sizes, forward_costs, "o-", color="#A84300", label="forward mode: one pass for each input")
axes.plot(sizes, reverse_costs, "o-", color="#0B5CAD", label="reverse mode: one pass")
axes.set_xscale("log", base=2)
axes.set_yscale("log")
axes.set(xlabel="inputs", ylabel="multiplications for all derivatives", xticks=sizes, xticklabels=sizes)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Training asks for the derivatives of **one** loss by **all** weights: one output, and thousands or billions of
# inputs. In forward mode each step would take as many passes as there are weights. That is why networks learn by
# `backward()`.
#
# ## Where forward mode wins
#
# Turn the shape around: one input, many outputs, such as a curve whose points all depend on one time $t$.
# **Predict** how many passes each mode needs for the velocity of all 50 points.

# %%
t = Value(0.7, "t")
points = [sin(t * (place + 1)) for place in range(50)]
velocities = [jvp(point, t, 1.0) for point in points]
print("the same velocities:", velocities == [gradients(point, t) for point in points])
print("values in all 50 graphs together:", len({value for point in points for value in topological_order(point)}))

# %% [markdown]
# Reverse mode needs fifty passes, one for each output. Forward mode needs a single one over the union of the
# graphs: each value is met once, with its tangent beside its data. (Here `jvp` is asked once for each point, which
# comes to the same because the points share nothing but `t`.) Forward mode also needs no memory of the graph: data
# and tangent can travel together, and be forgotten. Reverse mode must keep everything until it comes back.
#
# ## Both at once
#
# The second derivatives of a loss form a square table with a row and a column for each weight: far too large to
# write down. But the product of this table with *one* direction is cheap: it is the forward derivative, along the
# direction, of the gradients that reverse mode gives. `hvp` does just that, forward over reverse.


# %%
def valley(w):
    return w[0] ** 2 * w[1] + sin(w[1])


print(hvp(valley, [3.0, 0.5], [1.0, 0.0]))

# %% [markdown]
# The first column of the table of second derivatives: $2 w_1 = 1$ and $2 w_0 = 6$.
#
# ## Try it
#
# - How many passes does each mode need for a function with three inputs and three outputs?
# - Give `multiplications` a network with four outputs, and count both modes again.
# - Compute the second column with `hvp`, and check it with `hessian(valley)([3.0, 0.5])`.
#
# Next: [trust but verify](8_trust_but_verify.ipynb).
