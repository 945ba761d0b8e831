# %% [markdown]
# # 12. Recurrence
#
# A word, a melody, a day's temperatures: they come one step at a time, and some are longer than others. A recurrent
# network reads them as we do, step by step, and remembers. It uses the same weights at every step, and learning is
# again nothing but the chain rule, along a chain that is as long as the sequence.

# %%
import random
from math import sqrt
from statistics import fmean

import matplotlib.pyplot as plt

from scalargrad import Adam, Value, draw, explain, gradients, step_through
from scalargrad.datasets.names import encode, generate_names, probability, surprise
from scalargrad.demos.networks import LSTMNames, name_loss, sample_names
from scalargrad.nn import LSTM, RNN, RNNCell

# %% [markdown]
# ## A cell, three times
#
# The smallest memory is one number $h$. At each step the cell mixes what it remembers with what it reads:
#
# $$h_t = \tanh(w\,x_t + u\,h_{t-1})$$
#
# `w` weighs the input, `u` the memory. (A bias would be added, too; we leave it out.) Three steps:

# %%
cell = RNNCell(1, 1, bias=False)
cell.load_state_dict({"weight_ih": [[1.0]], "weight_hh": [[0.8]]})
((w,),), ((u,),) = cell.weight_ih, cell.weight_hh
w.label, u.label = "w", "u"

h = (Value(0.5, "h0"),)
xs = [Value(number, f"x{step}") for step, number in enumerate((0.9, 0.4, -0.3), 1)]
for x in xs:
    h = cell([x], h)
    h[0].label = x.label.replace("x", "h")
h3 = h[0]
h3.backward()
draw(h3, title="One cell, unrolled over three steps")

# %% [markdown]
# "Unrolled" is what it looks like: a chain of three neurons, as deep as a network of three layers. But look for `w` and
# `u`: each stands there **once**, with three edges. One more step of the sequence makes the graph longer, and adds no
# weight.
#
# ## Backpropagation through time
#
# That is the textbooks' name for `backward()` on this graph. `u` acts at three moments, so its gradient is a sum of
# three paths. **Predict:** which moment counts most, the first or the last?

# %%
print(explain(h3, u))

# %% [markdown]
# Read a path from left to right, which is back in time. Each step back multiplies by $u \cdot \tanh'$, here by 0.7 and
# then by 0.3, and at the end stands the memory that `u` met at that step. What happened long ago has a long path, and a
# long path is a small number. The last moment counts most. For the first input there is only one path, the longest:

# %%
print(explain(h3, xs[0]))

# %% [markdown]
# Watch the three terms arrive at `u`, latest step first. (As in lesson 3, the page needs a running notebook or a
# browser.)

# %%
step_through(h3)

# %% [markdown]
# ## How far back can it learn?
#
# A network can learn that something early mattered only if some gradient reaches back to it. So we measure: a sequence
# of 51 random numbers, eight units of memory, and the gradient of the last output with respect to the last number, the
# one before it, and so on back to the first (the root mean square over the eight units).
#
# The weights are PyTorch's usual random ones; those of the memory, `weight_hh`, are then scaled. **Predict** the three
# curves, with lesson 6 in mind.


# %%
def gradients_back_in_time(layer, steps=51):
    """Of the last outputs with respect to each input: the one of the same step, of the step before ..."""
    rng = random.Random(0)
    inputs = [Value(rng.gauss(0.0, 1.0)) for _ in range(steps)]
    outputs, _ = layer([[x] for x in inputs])
    by_unit = [gradients(unit, inputs) for unit in outputs[-1]]
    return [sqrt(fmean(slope**2 for slope in slopes)) for slopes in zip(*by_unit, strict=True)][::-1]


def scaled(scale):
    layer = RNN(1, 8, rng=1)
    for row in layer.cells[0].weight_hh:
        for weight in row:
            weight.data *= scale
    return layer


def plot(curves, title):
    _, axes = plt.subplots(figsize=(7, 4), dpi=110, layout="constrained")
    for (name, curve), colour in zip(curves.items(), ("#A84300", "#F0A05A", "#6D28D9", "#0B5CAD"), strict=False):
        axes.plot(curve, color=colour, linewidth=2, label=name)
    axes.set(yscale="log", ylim=(1e-20, 1e4), xlabel="steps back in time", ylabel="size of the gradient", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    plt.show()


curves = {f"RNN, memory x {scale}": gradients_back_in_time(scaled(scale)) for scale in (0.5, 1, 8)}
for name, curve in curves.items():
    print(f"{name:<17}  same step: {curve[0]:.1e}   10 steps back: {curve[10]:.1e}   50 back: {curve[50]:.1e}")
plot(curves, "A plain recurrent network")

# %% [markdown]
# The same as in lesson 6, with steps for layers. A straight line down is a fixed factor per step: with the usual
# weights less than a half, and after 50 steps a millionth of a millionth of a millionth is left. Large weights do not
# cure it: there the gradient jumps about and **explodes**. Fifty steps back its size is above 1,000, although no output
# can leave the range from −1 to 1: a nudge of that number by 0.001 decides what the last output is. No step of an
# optimizer is right for such slopes; `clip_grad_norm` at least keeps them from doing harm.
#
# ## A gate that stays open
#
# The **LSTM** keeps a second memory, the cell $c$, and changes it by adding, not by squeezing it through `tanh`:
#
# $$c_t = f\,c_{t-1} + i\,g \qquad h_t = o \tanh(c_t)$$
#
# The gates $f$, $i$ and $o$ are sigmoids, between 0 and 1, and read the input and $h$ like any neuron. Along $c$ the
# factor of a step is $f$, the **forget gate**. **Predict:** an untrained LSTM has biases near 0, so that $f$ is about
# 1/2. How does its curve compare?


# %%
def opened(bias):
    """An LSTM with this number added to the biases of its forget gates: the second quarter of the rows."""
    layer = LSTM(1, 8, rng=1)
    for parameter in layer.cells[0].bias_ih[8:16]:
        parameter.data += bias
    return layer


gated = {"RNN, memory x 1": curves["RNN, memory x 1"]}
gated |= {f"LSTM, forget bias + {bias}": gradients_back_in_time(opened(bias)) for bias in (0, 2, 5)}
for name, curve in gated.items():
    print(f"{name:<21}  same step: {curve[0]:.1e}   10 steps back: {curve[10]:.1e}   50 back: {curve[50]:.1e}")
plot(gated, "Gates")

# %% [markdown]
# Half open, the gate passes on a little more than a half at each step, and the gradient vanishes as before. An LSTM has
# no cure built in: what it has is a **dial**. A bias of 2 makes $f$ about 0.9, one of 5 more than 0.99, and the
# gradient gets through 50 steps: smaller, but there. A gate is a neuron, so training can turn the dial, for each unit
# by itself; and many people start it at 1 or 2.
#
# ## Names, letter by letter
#
# Now a task for it: make up names. A small grammar writes them for us, such that we know everything about them.

# %%
names = generate_names(2500)
learned_from, put_aside = names[:2000], names[2000:]
print(" ".join(names[:12]))

# %% [markdown]
# The network reads the letters so far and says how probable each next one is, from `a` to `z` and the end. Each letter
# is looked up in a table of 16 numbers (`Embedding`), 32 LSTM units remember, and an ordinary layer gives 27 scores.
# The loss of a name is $-\log$ of the probability of the whole name.
#
# To make up a name, draw a letter with these probabilities, feed it back in, and go on until the end is drawn. A dot
# marks what the grammar could not have made.


# %%
def show_names(model):
    drawn = sample_names(model, 1000, seed=1)
    possible = sum(probability(name) > 0 for name in drawn) / len(drawn)
    print(" ".join(name if probability(name) > 0 else f"{name}." for name in drawn[:12]))
    print(f"{possible:.0%} of 1,000 names are possible ones")


model = LSTMNames(rng=0)
show_names(model)

# %%
history = model.fit(
    *encode(learned_from),
    loss=name_loss,
    optimizer=Adam(lr=0.02),
    schedule="one_cycle",
    epochs=15,
    batch_size=64,
    validation=encode(put_aside),
)
show_names(model)

# %% [markdown]
# Nobody told it what a vowel is, or that "thea" ends a name. And it does not only repeat: **predict** how many of the
# possible ones were among the 2,000 it learned from.

# %%
drawn = [name for name in sample_names(model, 1000, seed=1) if probability(name) > 0]
known = sum(name in set(learned_from) for name in drawn) / len(drawn)
print(f"{known:.0%} of them it had read, {1 - known:.0%} are new")

# %% [markdown]
# ## How good can it get?
#
# For most data nobody knows. Here we do: the grammar itself is the best model of its own names. Its loss is the mean of
# $-\log$(probability of the name), its **surprise**, and in the long run no network can be less surprised.

# %%
floor = surprise(put_aside)
figure, axes = plt.subplots(figsize=(7, 3.5), dpi=110, layout="constrained")
epochs = range(1, len(history["loss"]) + 1)
axes.plot(epochs, history["loss"], color="#6D28D9", linewidth=2, label="names to learn from")
axes.plot(epochs, history["val_loss"], color="#A84300", linewidth=2, linestyle="--", label="names put aside")
axes.axhline(floor, color="#64748B", linestyle=":", label="the grammar")
axes.set(xlabel="epoch", ylabel="loss of a name", ylim=(9.5, 14))
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()
print(f"names learned from: network {history['loss'][-1]:.2f}, grammar {surprise(learned_from):.2f}")
print(f"names put aside:    network {history['val_loss'][-1]:.2f}, grammar {floor:.2f}")

# %% [markdown]
# On the names it learned from, the network is *less* surprised than the grammar. That is no triumph but a warning: it
# has begun to learn them by heart. On those put aside, which it never saw, it stays above the dotted line. Without that
# line we would not know which of the two numbers to believe.
#
# ## Try it
#
# - Give the plain RNN `nonlinearity="relu"` in `scaled`. What becomes of the third curve, and what had held it back?
# - Generate 20,000 names. How close to the grammar does the network get, and is it still ahead on its own names?
# - Put `AttentionNames` of `scalargrad.demos.networks` in the place of `LSTMNames`: it looks at all letters so far at
#   once. How long is the path from the last letter back to the first?
#
# Next: [a GPT from scalars](13_a_gpt_from_scalars.ipynb), which remembers all that it has read.
