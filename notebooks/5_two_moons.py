# %% [markdown]
# # 5. Two moons
#
# Two half circles of points, locked into each other, so that no straight line parts them. A network of 17 neurons
# learns to. You see what it knows before and after, how the loss falls, and which of its 105 weights did the work.

# %%
import matplotlib.pyplot as plt

from scalargrad import MLP, Adam, Value, draw, mse
from scalargrad.datasets import load_moons
from scalargrad.plots import plot_boundary, plot_history

# %% [markdown]
# ## The data
#
# Each sample is a point with two coordinates and a label, 0 or 1. The points scatter a little, as measurements do.

# %%
point_array, label_array = load_moons(samples=100, noise=0.1, seed=0)
points, labels = point_array.tolist(), label_array.tolist()
for point, label in zip(points[:3], labels[:3], strict=True):
    print(f"({point[0]:+.3f}, {point[1]:+.3f})  belongs to class {label}")

figure, axes = plt.subplots(figsize=(6, 3.4), dpi=110, layout="constrained")
for wanted, colour, marker in ((0, "#0B5CAD", "o"), (1, "#A84300", "D")):
    x1, x2 = zip(*[point for point, label in zip(points, labels, strict=True) if label == wanted], strict=True)
    axes.scatter(x1, x2, c=colour, marker=marker, label=f"class {wanted}")
axes.set(xlabel="x1", ylabel="x2")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## The network
#
# `MLP(2, [8, 8, 1])` takes two numbers, has two layers of eight relu neurons, and one output neuron without a bend.
# Count the parameters before you run the cell: a neuron has one weight for each input, and one bias.

# %%
model = MLP(2, [8, 8, 1], rng=0)
print(model)

# %% [markdown]
# ## Before
#
# We call a point class 1 where the output is above 0.5. The weights are random, so the network has an opinion about
# every place in the plane, but a worthless one. **Predict:** what accuracy do you expect from a worthless opinion
# on two classes of equal size?


# %%
def accuracy(outputs):
    return sum((output > 0.5) == label for output, label in zip(outputs, labels, strict=True)) / len(labels)


right = accuracy([model(point) for point in points])
plot_boundary(model, points, labels, f"Before training: {right:.0%} of the points are right")

# %% [markdown]
# The black line, where the output is exactly 0.5, is made of straight pieces: relu neurons are flat on both sides of
# their crease, and a network of them is a sheet of paper with many creases.
#
# ## Training
#
# The loss is the mean squared error over all points. One epoch is one turn of the loop of lesson 2: forward for all
# 100 points, one `backward()` through all of it, one step of all parameters. Adam is SGD with a rate of its own for
# each weight, found from the gradients so far.

# %%
parameters = model.parameters()
before = [parameter.data for parameter in parameters]
optimizer, history = Adam(lr=0.025), {"loss": [], "accuracy": []}

for epoch in range(151):
    outputs = [model(point) for point in points]
    loss = mse(outputs, labels)
    history["loss"].append(loss.data)
    history["accuracy"].append(accuracy(outputs))
    if epoch < 150:  # after the last step we only look
        model.zero_grad()
        loss.backward()
        optimizer.step(parameters)

for epoch in (0, 10, 50, 100, 150):
    print(f"epoch {epoch:>3}: loss {history['loss'][epoch]:.4f}, accuracy {history['accuracy'][epoch]:.0%}")

# %%
plot_history(history, "Loss and accuracy, epoch by epoch")

# %% [markdown]
# Look at the two curves together. The accuracy climbs in steps, since a point is either right or wrong, and stays
# flat when all are right; the loss keeps falling. The loss is what the gradient can see: a count of right answers
# has the slope 0 almost everywhere.
#
# ## After

# %%
right = accuracy(outputs)
plot_boundary(model, points, labels, f"After 150 epochs: {right:.0%} of the points are right")

# %% [markdown]
# Far away from the points the network is just as sure of itself, with no reason at all. It was never asked there.
#
# ## Which weights moved?
#
# Every parameter gets its gradient in every epoch, but not all need to go far. **Predict:** which layer moves most?
# Each line below leads from a parameter's value before training to the dot of its value after.

# %%
layers = [len(layer.parameters()) for layer in model.layers]
figure, axes = plt.subplots(figsize=(8.5, 4), dpi=110, layout="constrained")
start = 0
for number, (count, colour) in enumerate(zip(layers, ("#0B5CAD", "#0F766E", "#A84300"), strict=True)):
    places = range(start, start + count)
    after = [parameters[place].data for place in places]
    axes.vlines(places, [before[place] for place in places], after, color=colour, linewidth=1.5)
    axes.plot(places, after, "o", color=colour, markersize=3.5, label=f"layers.{number}: {count} parameters")
    start += count
axes.axhline(0.0, color="#CBD5E1", linewidth=1, zorder=0)
axes.set(xlabel="parameter", ylabel="value before (end of line) and after (dot)")
axes.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()

start = 0
for number, count in enumerate(layers):
    moved = [abs(parameters[place].data - before[place]) for place in range(start, start + count)]
    print(f"layers.{number}: moved by {sum(moved) / count:.3f} on average, {sum(x == 0.0 for x in moved)} not at all")
    start += count

# %% [markdown]
# No layer stands out: most parameters hardly move, and in each layer a few go a long way. What the network knows
# lies in many small changes and some large ones, not in one place.
#
# A weight that has not moved at all belongs to a neuron that was off, or whose output nobody used, for every point in
# every epoch: it never got a gradient. Lesson 6 has more about such neurons.
#
# ## Inside the trained network
#
# Finally, one sample through the trained network. At this detail every card is a neuron and every edge a weight;
# colour and width of an edge show the gradient of that weight for this sample. A dashed card is a neuron that is
# off.

# %%
x1, x2 = (Value(number, label) for number, label in zip(points[0], ("x1", "x2"), strict=True))
output = model([x1, x2])
loss = (output - labels[0]) ** 2
output.label, loss.label = "output", "loss"
model.zero_grad()
loss.backward()
draw(loss, detail="units", title=f"The trained network on one sample of class {labels[0]}")

# %% [markdown]
# ## Try it
#
# - Take `MLP(2, [1])`, a single neuron. What is the best accuracy that a straight line can reach?
# - Set `noise` to 0.3. Does more training help, or does it only bend the boundary around single points?
# - Replace `Adam(lr=0.025)` by `SGD(lr=0.1)`. How many epochs does it need for the same loss?
#
# `scalargrad moons` runs this from the command line and writes all pictures into a folder.
#
# Next: [when gradients vanish](6_when_gradients_vanish.ipynb).
