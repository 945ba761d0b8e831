# %% [markdown]
# # 1. One number, one slope
#
# A derivative answers one question: **if I nudge this number a little, how much does the result move?** Everything
# else in these lessons, up to a network that tells two moons apart, is that question asked of many numbers at once.

# %%
import matplotlib.pyplot as plt

from scalargrad import Value, topological_order

# %% [markdown]
# ## A number that remembers
#
# A `Value` holds a number in `.data`. Compute with it as with any number.

# %%
x = Value(3.5, "x")
y = x * x - 4 * x + 5
print(y.data)

# %% [markdown]
# The result is a `Value` too, and it remembers how it came about: which operation made it, and from which Values.
# Those remember the same, all the way back to `x`. Here is the whole memory of `y`, in the order in which it was
# computed.

# %%
for value in topological_order(y):
    print(f"{value.data:6.2f}  {f'made by {value.op}' if value.op else value.label}")

# %% [markdown]
# ## Nudge it
#
# Move `x` by a small step $h$, compute again, and look at the change of the result **per unit of the change of `x`**:
#
# $$\frac{y(x + h) - y(x)}{h}$$


# %%
def y_at(x):
    return x * x - 4 * x + 5


for h in (1.0, 0.1, 0.01, 0.001):
    change = y_at(3.5 + h) - y_at(3.5)
    print(f"h = {h:<6} the result changes by {change:<9.6f} that is {change / h:.3f} per unit")

# %% [markdown]
# **Predict:** the smaller the step, the closer these quotients come to one number. Which one? Say it aloud before you
# look at the next output.
#
# ## Ask for the slope
#
# `y.backward()` walks back through the memory of `y` and leaves in `x.grad` the number that the quotients approach.
# It takes no step and knows no $h$: it uses the rules of calculus, so the answer is exact.

# %%
y.backward()
print(x.grad)

# %% [markdown]
# The pen-and-paper rule agrees: the derivative of $x^2 - 4x + 5$ is $2x - 4$, and at $x = 3.5$ that is 3.
#
# ## The same as a picture
#
# A quotient is the slope of a line through two points of the curve, a *secant*. As $h$ shrinks, the second point
# slides towards the first one, and the secant turns into the *tangent*. Its slope is the derivative.

# %%
figure, axes = plt.subplots(figsize=(7, 4), dpi=110, layout="constrained")
places = [place / 50 for place in range(25, 276)]
axes.plot(places, [y_at(place) for place in places], color="#0F172A", linewidth=2, label="y = x² − 4x + 5")
for h, colour in ((1.5, "#F0A05A"), (0.75, "#A84300")):
    slope = (y_at(3.5 + h) - y_at(3.5)) / h
    axes.axline((3.5, y.data), slope=slope, color=colour, linestyle="--", label=f"secant, h = {h}: slope {slope:g}")
    axes.plot(3.5 + h, y_at(3.5 + h), "o", color=colour)
axes.axline((3.5, y.data), slope=x.grad, color="#0B5CAD", linewidth=2, label=f"tangent: slope {x.grad:g} = x.grad")
axes.plot(x.data, y.data, "o", color="#0B5CAD", markersize=9)
axes.set(xlim=(0.5, 5.5), ylim=(-0.5, 12), xlabel="x", ylabel="y")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Several numbers, one slope each
#
# A result that was computed from three numbers has three slopes, one for each nudge: *hold the others still, move
# only this one.* These are the partial derivatives, and together they are called the **gradient**.
#
# **Predict** the three slopes of $d = a \cdot b + c$ at $a = 2$, $b = -3$, $c = 10$. If `a` grows by 0.001, what does
# $a \cdot b$ do? And what does `d` do if `c` grows by 0.001?

# %%
a, b, c = Value(2.0, "a"), Value(-3.0, "b"), Value(10.0, "c")
d = a * b + c
d.backward()
for leaf in (a, b, c):
    print(f"nudging {leaf.label} moves d by {leaf.grad:g} times the nudge")

# %% [markdown]
# One call gave all three. Nudging would have computed `d` anew for each number: bearable for three, hopeless for the
# millions of weights in a large network. That is why `backward` exists, and lesson 7 counts the difference.
#
# Let us not take its word for it, though, and nudge all three.

# %%
h = 0.001
print(((a.data + h) * b.data + c.data - d.data) / h)
print((a.data * (b.data + h) + c.data - d.data) / h)
print((a.data * b.data + (c.data + h) - d.data) / h)

# %% [markdown]
# The digits at the far end are rounding errors of the nudge, not of the gradient. Lesson 8 looks into them.
#
# ## What a slope is good for
#
# A slope tells which way is down: where it is positive, a smaller `x` gives a smaller result; where it is negative, a
# larger one does. Take a step against the slope, ask again, and repeat. This is **gradient descent**:
#
# $$x \leftarrow x - \text{rate} \cdot \frac{dy}{dx}$$

# %%
rate = 0.2
x = Value(5.5, "x")
visited = []
for _ in range(8):
    x.grad = 0.0
    y = y_at(x)
    y.backward()
    visited.append((x.data, y.data))
    print(f"x = {x.data:.4f}   y = {y.data:.4f}   slope = {x.grad:+.4f}")
    x.data -= rate * x.grad

# %% [markdown]
# The steps shorten by themselves, because the slope shrinks on the way to the bottom, where it is 0. (The line
# `x.grad = 0.0` looks idle. Lesson 3 shows what happens when it is forgotten.)

# %%
figure, axes = plt.subplots(figsize=(7, 3.4), dpi=110, layout="constrained")
axes.plot(places, [y_at(place) for place in places], color="#0F172A", linewidth=2)
axes.plot(*zip(*visited, strict=True), "o-", color="#0B5CAD", linewidth=1, label=f"eight steps, rate {rate}")
axes.set(xlabel="x", ylabel="y")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Try it
#
# - Set the rate to 0.5, to 0.9, and to 1.1. Predict first: which one arrives in a single step, which one jumps from
#   side to side, which one never arrives?
# - Find the smallest place of `y = x**4 - x` by descent, and check with pen and paper that the slope there is 0.
# - Nudge with `h = 1e-16`. Why is the quotient 0?
#
# Next: [a neuron, drawn](2_a_neuron_drawn.ipynb).
