# %% [markdown]
# # 6. When gradients vanish
#
# The chain rule multiplies. In a deep network it multiplies many factors, and products of many factors have a
# habit: they go to nothing, or they go through the roof. This lesson looks at the factors, first in a chain of
# single neurons, then in networks of twenty layers.

# %%
import random
from math import sqrt

import matplotlib.pyplot as plt

from scalargrad import MLP, Value, diagnose, draw, mse

# %% [markdown]
# ## One neuron passes on one factor
#
# A neuron $f(w x)$ passes back the upstream gradient times $w \cdot f'(w x)$. The slope $f'$ depends on the function:
#
# - `sigmoid` has at most the slope 1/4, in the middle, and hardly any at the ends;
# - `tanh` has at most the slope 1, in the middle, and hardly any at the ends;
# - `relu` has the slope 1 on one side and 0 on the other.

# %%
slopes = {"sigmoid": [], "tanh": [], "relu": []}
places = [place / 20 for place in range(-100, 101)]
for name, curve in slopes.items():
    for place in places:
        x = Value(place)
        getattr(x, name)().backward()
        curve.append(x.grad)

figure, axes = plt.subplots(figsize=(7, 3), dpi=110, layout="constrained")
for (name, curve), colour in zip(slopes.items(), ("#6D28D9", "#A84300", "#0B5CAD"), strict=True):
    axes.plot(places, curve, color=colour, linewidth=2, label=name)
axes.set(xlabel="x", ylabel="slope at x")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Twenty factors
#
# Now put twenty such neurons one behind the other, all with the same weight `w`, and feed in 1. **Predict** the
# gradient that arrives at the input: for relu and `w` = 1 (easy), for relu and `w` = 1.5, and for tanh and `w` =
# 1.5. Is the last one larger or smaller than 1?


# %%
def gradient_at_the_input(name, w, depth=20):
    x = Value(1.0, "x")
    value = x
    for _ in range(depth):
        value = getattr(w * value, name)()
    value.backward()
    return x.grad


print("   w         tanh         relu")
for w in (0.5, 1.0, 1.5, 3.0):
    print(f"{w:4}  {gradient_at_the_input('tanh', w):11.2e}  {gradient_at_the_input('relu', w):11.2e}")

# %% [markdown]
# For relu the result is simply $w^{20}$: right at `w` = 1, gone at 0.5, out of hand at 3.
#
# For tanh there is **no** good weight. A small one shrinks the gradient at each step; a large one drives tanh into
# its flat ends, where the slope is nearly 0, and the gradient vanishes *because* the weight is large. Such a neuron
# is called saturated. Look at three of them: the data sits near 1, and each edge into a tanh passes on next to
# nothing.

# %%
x = Value(1.0, "x")
value = x
for number in range(3):
    value = (3.0 * value).tanh()
    value.label = f"tanh {number + 1}"
value.backward()
draw(value, title="Three saturated neurons: the gradient on the left is what is left")

# %% [markdown]
# ## Networks of twenty layers
#
# In a real layer each neuron adds up many inputs, so the factors are weights *and* the number of neurons. The first
# weights are drawn at random such that the numbers keep their size from layer to layer: `init="xavier"` is made for
# tanh, `init="he"` for relu, which switches off half of its inputs.
#
# We measure one number for each layer: the root mean square of the gradients of its biases, after one `backward()`.
# The gradient of a bias is exactly what arrives at its neuron, since the local derivative of `total + bias` is 1.


# %%
def gradients_by_layer(activation, init, scale=1.0):
    model = MLP(2, [10] * 20 + [1], activation=activation, init=init, rng=1)
    for parameter in model.parameters():
        parameter.data *= scale
    rng = random.Random(0)
    points = [[rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0)] for _ in range(6)]
    loss = mse([model(point) for point in points], [x1 * x2 for x1, x2 in points])
    loss.backward()
    sizes = []
    for layer in model.layers[:-1]:
        squares = [neuron.bias.grad**2 for neuron in layer.neurons]
        sizes.append(sqrt(sum(squares) / len(squares)))
    return sizes


settings = {
    "sigmoid, xavier": ("sigmoid", "xavier"),
    "tanh, weights halved": ("tanh", "xavier", 0.5),
    "tanh, xavier": ("tanh", "xavier"),
    "relu, he": ("relu", "he"),
}
curves = {name: gradients_by_layer(*setting) for name, setting in settings.items()}
for name, sizes in curves.items():
    print(f"{name:<21} layer 1: {sizes[0]:.1e}   layer 10: {sizes[9]:.1e}   layer 20: {sizes[-1]:.1e}")

# %%
figure, axes = plt.subplots(figsize=(7, 4), dpi=110, layout="constrained")
for (name, sizes), colour in zip(curves.items(), ("#6D28D9", "#F0A05A", "#A84300", "#0B5CAD"), strict=True):
    axes.plot(range(1, len(sizes) + 1), sizes, "o-", color=colour, markersize=4, label=name)
axes.set(yscale="log", xlabel="layer (1 is next to the input)", ylabel="size of the gradients", xticks=range(2, 21, 2))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# Read it from right to left, the way the gradient travels. A straight line that falls to the left on this
# logarithmic axis is a fixed factor per layer: the vanishing gradient. With sigmoid, a step that moves the last
# layer by 0.1 moves the first one in its fourteenth decimal. Halved weights do the same to tanh, more slowly. With
# the right start both tanh and relu keep the size over twenty layers; tanh loses a little on the way, because its
# slope is always below 1.
#
# ## Ask the doctor
#
# You need not draw such a picture each time. `diagnose` says what it sees in one recorded loss.

# %%
model = MLP(2, [10] * 20 + [1], activation="sigmoid", init="xavier", rng=1)
loss = (model([0.5, -0.5]) - 1.0) ** 2
print(diagnose(loss, model))

# %% [markdown]
# ## The price of relu
#
# A relu that is off passes back exactly 0. If it is off for *every* sample, its weights never get a gradient, and it
# stays off for good. A large bias below zero does it, and so does one step that was too large.

# %%
model = MLP(2, [3, 1], rng=0)
for parameter in model.parameters():
    if parameter.label == "layers.0.neurons.1.bias":
        parameter.data = -5.0
x1, x2 = Value(0.5, "x1"), Value(1.0, "x2")
output = model([x1, x2])
output.label = "output"
output.backward()
draw(output, detail="units", title="neurons.1 is off for this sample, and for every sample near it")

# %% [markdown]
# So every activation has its weak side, and the remedies act on the factors: weights that start at the right size,
# inputs scaled to about 1, a slope that does not vanish on both sides (`leaky_relu`, `gelu`), and fewer layers
# where fewer do.
#
# ## Try it
#
# - Find the weight for which twenty tanh neurons pass on the most. How much arrives at best?
# - Run the four settings with 40 layers. Which curves become twice as long, and which ones twice as deep?
# - Use `activation="leaky_relu"` in the last network. What gradient do the weights of `neurons.1` get now?
#
# Next: [forward mode and reverse mode](7_forward_mode_and_reverse_mode.ipynb).
