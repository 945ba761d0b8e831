# %% [markdown]
# # 2. A neuron, drawn
#
# One artificial neuron is a handful of multiplications and additions and one bend. In this lesson you run it forward,
# predict every derivative yourself, watch `backward()` find the same numbers, and then let a neuron learn.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt

from scalargrad import SGD, Parameter, Value, draw, explain
from scalargrad.engine import local_derivatives

# %% [markdown]
# ## Forward: from the inputs to the output
#
# The neuron takes two inputs. Each is multiplied by a **weight**; the sum of the products is shifted by a **bias**;
# and `tanh` bends the result into the range from −1 to 1:
#
# $$o = \tanh(x_1 w_1 + x_2 w_2 + b)$$
#
# Weights and bias are what training may change, so they are `Parameter`s: `Value`s that a picture shows with a green
# bar. We give every step on the way a name.

# %%
x1, x2 = Value(2.0, "x1"), Value(0.0, "x2")
w1, w2 = Parameter(-3.0, "w1"), Parameter(1.0, "w2")
b = Parameter(6.8813735870195432, "b")

x1w1 = x1 * w1
x2w2 = x2 * w2
total = x1w1 + x2w2
n = total + b
o = n.tanh()
for value, label in ((x1w1, "x1*w1"), (x2w2, "x2*w2"), (total, "x1w1+x2w2"), (n, "n"), (o, "o")):
    value.label = label

draw(o, title="The forward pass: every value has its data, no value has a gradient yet")

# %% [markdown]
# Read it from left to right: that is the **forward pass**. Every card is one `Value`, the round badge on its left
# edge is the operation that made it.
#
# ## One operation at a time: local derivatives
#
# Forget the neuron and look at a single card. How does *this* result move when *one of its own operands* is nudged?
# That is a **local derivative**, and three rules are all we need here:
#
# | operation | derivative by the first operand | by the second |
# |---|---|---|
# | `z = x + y` | 1 | 1 |
# | `z = x * y` | `y`, the other one | `x`, the other one |
# | `z = tanh(x)` | `1 − z²` | |
#
# **Predict** all nine local derivatives in the picture: two for each `×`, two for each `+`, one for `tanh`. (The
# output is 0.7071; its square is one half.) Write them down. Then run the next cell.

# %%
for result in (x1w1, x2w2, total, n, o):
    for operand, slope in local_derivatives(result):
        print(f"{result.label:<10} moves by {slope:5.2f} per unit of {operand.label}")

# %% [markdown]
# Two of them deserve a second look. `x2*w2` moves by 0 per unit of `w2`, because `x2` is 0: a weight on a silent
# input makes no difference. And `tanh` passes on only half of each nudge. Had `n` been 5, it would have passed on
# almost nothing: lesson 6 is about that.
#
# ## Backward: the chain rule
#
# Now put the steps together. If `n` moves by 1 per unit of `b`, and `o` moves by 0.5 per unit of `n`, then `o`
# moves by 1 × 0.5 per unit of `b`. Rates of change along a path **multiply**. This is the chain rule:
#
# $$\frac{\partial o}{\partial b} = \frac{\partial o}{\partial n} \cdot \frac{\partial n}{\partial b}$$
#
# Going from right to left, each card needs only two things: the gradient that arrives from above, the **upstream**
# gradient, and its own local derivatives. It multiplies them and hands the products down. At the right end we start
# with 1, because `o` moves by 1 per unit of itself.
#
# **Predict** the gradients of `n`, `x1*w1`, `x2*w2`, `w1`, `x1`, `w2` and `x2`, in this order.

# %% figure="neuron.svg"
o.backward()
draw(o, title="One neuron: o = tanh(x1·w1 + x2·w2 + b), after o.backward()")

# %% [markdown]
# Every edge carries its local derivative in a small pill, and is as thick as what flows back through it. Orange means
# that the output falls when the value rises. The edge of `w2` is dashed: nothing flows there.
#
# `explain` writes the path of one weight out in full.

# %%
print(explain(o, w1))

# %% [markdown]
# ## Your turn: five steps to a loss
#
# To learn, a neuron needs a number that says how wrong it is: a **loss**. Take a neuron with one weight and no bend,
# and the square of its error:
#
# $$z_1 = x w, \qquad z_2 = z_1 + b, \qquad z_3 = y - z_2, \qquad L = z_3^2$$
#
# **Predict** all six gradients $\partial L / \partial z_3$, $y$, $z_2$, $z_1$, $b$, $w$ for $x = 2$ and $z_3 = 1.27$.
# You need one more rule: the local derivative of $z_3^2$ is $2 z_3$. And mind the minus sign.

# %%
x, y = Value(2.0, "x"), Value(8.27, "y")
w, b = Parameter(2.0, "w"), Parameter(3.0, "b")
z1 = x * w
z2 = z1 + b
z3 = y - z2
loss = z3**2
loss.backward()
for name, value in {"z3": z3, "y": y, "z2": z2, "z1": z1, "b": b, "w": w}.items():
    print(f"dL/d{name:<2} = {value.grad:+.2f}")

# %% [markdown]
# Five of the six have the same size, because every step between them has the slope 1 or −1. Only `w` differs: its
# nudge is doubled by `x`. `draw` can take the names of the variables from your program.

# %%
draw(loss, names=locals(), title="The squared error of a neuron without a bend")

# %% [markdown]
# ## The loop of learning
#
# A gradient says which way the loss rises. So go the other way, a little, and ask again:
#
# ![The loop: forward, loss, backward, step, and again](figures/training_loop.png)
#
# Here is the loop for the same neuron. It should give 10 for the input 2. **Predict:** after the first step with rate
# 0.1, what are `w` and `b`? Both gradients are above; only the target has changed, so that `z3` is 3.

# %%
w.data, b.data, y.data = 2.0, 3.0, 10.0
optimizer = SGD(lr=0.1)
for step in range(3):
    w.grad = b.grad = 0.0  # forget the last gradients
    loss = (y - (x * w + b)) ** 2  # forward
    loss.backward()  # backward
    print(f"step {step}: f(2) = {(x * w + b).data:.4f}   w = {w.data:.4f}   b = {b.data:.4f}   loss = {loss.data:.4f}")
    optimizer.step([w, b])  # w.data -= 0.1 * w.grad, and the same for b

# %% [markdown]
# One step, and it is there: f(2) = 10 with w = 3.2 and b = 3.6. That is luck. With one sample each step multiplies
# the error by $1 - 2 \cdot \text{rate} \cdot (x^2 + 1)$, and 0.1 happens to make this 0. With rate 0.02 the loop
# ends in the same place, but takes its time.

# %%
w.data, b.data = 2.0, 3.0
optimizer = SGD(lr=0.02)
for step in range(61):
    w.grad = b.grad = 0.0
    loss = (y - (x * w + b)) ** 2
    loss.backward()
    if step in (0, 1, 2, 5, 10, 20, 60):
        print(f"step {step:>2}: f(2) = {(x * w + b).data:.6f}   w = {w.data:.6f}   b = {b.data:.6f}")
    optimizer.step([w, b])

# %% [markdown]
# ## Two weights, moved step by step
#
# One sample does not pin down two weights: every pair with $2w + b = 10$ fits it. With a second sample, f(−1) = 1,
# there is one pair that fits both. **Stochastic gradient descent** (SGD) looks at one sample at a time, and takes its
# step for that sample alone.

# %%
samples = [(2.0, 10.0), (-1.0, 1.0)]
w.data, b.data = 0.5, 1.0
optimizer = SGD(lr=0.08)
path = [(w.data, b.data)]
for step in range(24):
    number, target = samples[step % 2]
    w.grad = b.grad = 0.0
    loss = (target - (number * w + b)) ** 2
    loss.backward()
    optimizer.step([w, b])
    path.append((w.data, b.data))
    if step < 6:
        print(f"sample ({number:+g}, {target:g}): loss was {loss.data:8.4f}, now w = {w.data:.4f}, b = {b.data:.4f}")
print(f"after 24 steps: w = {w.data:.4f}, b = {b.data:.4f}")

# %% [markdown]
# In the plane of the two weights each sample has a line of pairs that fit it perfectly. A step for a sample goes
# straight towards its line, never mind the other one, and still the zigzag ends where the lines cross: at w = 3, b
# = 4.

# %%
figure, axes = plt.subplots(figsize=(6.4, 4.4), dpi=110, layout="constrained")
ends = [0.0, 6.0]
axes.plot(ends, [10 - 2 * end for end in ends], color="#0B5CAD", label="fits f(2) = 10")
axes.plot(ends, [1 + end for end in ends], color="#A84300", label="fits f(−1) = 1")
for step, (start, end) in enumerate(pairwise(path)):
    colour = "#0B5CAD" if step % 2 == 0 else "#A84300"
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0})
axes.plot(*path[0], "o", color="#0F172A")
axes.annotate("start", path[0], (8, -12), textcoords="offset points")
axes.plot(3, 4, "*", color="#6D28D9", markersize=14, label="fits both", zorder=3)
axes.set(xlim=(0, 6), ylim=(0.6, 5), xlabel="w", ylabel="b", aspect="equal")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="upper right")
plt.show()

# %% [markdown]
# ## Try it
#
# - Which rates make the first loop jump over the target, and which ones make it run away? Use the factor above.
# - Give the tanh neuron `x2 = 0.1`. Predict which two local derivatives and which gradients change.
# - Let the last loop use both samples in each step: add the two losses before `backward()`. Draw the new path.
#
# Next: [step through backprop](3_step_through_backprop.ipynb).
