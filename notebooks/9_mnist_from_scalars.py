# %% [markdown]
# # 9. MNIST from scalars
#
# Can a network of single numbers read handwriting? Written out, the one of this lesson has 109,386 parameters, and
# sixty thousand images to learn from. Values that work one by one would need a working day for that. Here it takes as
# long as a sip of coffee, because a compiler looks at the scalars first and finds the arrays in them.

# %%
import math
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy
from matplotlib.colors import LinearSegmentedColormap

import scalargrad
from scalargrad import MLP, AdamW, cross_entropy
from scalargrad.datasets import load_mnist
from scalargrad.demos.digits import split_digits, worst_classified
from scalargrad.plots import plot_confusion, plot_images

# %% [markdown]
# ## The data
#
# MNIST is 70,000 digits, written by hand, of 28 x 28 pixels: 0.0 is paper, 1.0 is ink. `load_mnist` reads it from the
# folder that the environment variable `SCALARGRAD_DATA` names, or else downloads it, which takes a minute. Where
# neither works, scikit-learn's small digits of 8 x 8 pixels take its place. The cells are the same for both; your
# numbers then differ from the ones in the text.

# %%
try:
    images, labels, test_images, test_labels = load_mnist()
    epochs = 5
except OSError as problem:
    print(problem)
    images, labels, test_images, test_labels = split_digits(seed=0)
    epochs = 50

side = math.isqrt(images.shape[1])
print(f"{len(images):,} images to learn from, {len(test_images):,} to test with, each of {side} x {side} pixels")

# %% [markdown]
# Here is one of them as we see it, and as the network gets it: one long row of numbers, line after line of the image.
# Which pixels are neighbours it is not told.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.6), dpi=110, width_ratios=(1, 2.4), layout="constrained")
left.imshow(images[0].reshape(side, side), cmap="gray_r")
left.set(title=f"a {labels[0]}", xticks=[], yticks=[])
right.plot(images[0], color="#0B5CAD", linewidth=0.8)
right.set(title="the same, for the network", xlabel="pixel", ylabel="ink")
right.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
plot_images(images[:12], labels[:12], "The first images, and what they are")

# %% [markdown]
# ## The network
#
# One number for each pixel goes in, two layers of relu neurons follow, and each of the ten outputs is a score for one
# digit. The loss, `cross_entropy`, turns the scores into probabilities and takes $-\log$ of the probability of the
# right digit: 0 for a network that is sure and right.
#
# **Predict:** what is the loss of an untrained network, which gives each of ten digits about the same chance?

# %%
model = MLP(side * side, [128, 64, 10], init="he", rng=0)
print(model.summary())

# %% [markdown]
# ## What the compiler sees
#
# The program is written for *one* sample: an image `x` and its digit `y`. `compile` runs it on scalars that have no
# number yet, and writes down what they do. Then it looks for scalars that do the same thing to different neighbours,
# and rolls each such group up into one instruction on an array. What comes out takes a whole batch of samples.

# %%
program = scalargrad.compile(lambda x, y: cross_entropy(model(x), y))
loss = program(images[:500], labels[:500])
print(f"loss of the untrained network: {loss:.2f}; ten equal chances: {math.log(10):.2f}")

# %% [markdown]
# Here is the program, forward and backward. Find the three layers. Which two instructions do nearly all of the work?

# %%
print(program)

# %% [markdown]
# `contract` is many dot products at once: 128 neurons, each with 784 weights. `outer` is its mirror image: 100,352
# gradients, one for each of these weights, added up over the batch. Textbooks *begin* with those two, as matrix
# products. Here nobody wrote a matrix: they were found in neurons that each add up their own inputs. All the rest is
# the bends, the loss, and the chain rule of lesson 1.
#
# **Predict:** if the layers grow, how many more instructions will there be?

# %%
print("first layer     scalars  instructions")
for neurons in (8, 32, 128, 512):
    grown = MLP(side * side, [neurons, 64, 10], init="he", rng=0)
    rolled = scalargrad.compile(lambda x, y, grown=grown: cross_entropy(grown(x), y), backend="numpy")
    rolled(images[:1], labels[:1])
    scalars, _, _, instructions, *_ = str(rolled).split()
    print(f"{neurons:>11}  {scalars:>10}  {instructions:>12}")

# %% [markdown]
# None: arrays grow, programs do not. That is why tracing and compiling take a moment, however wide the network is.

# %%
for what, time in program.seconds.items():
    print(f"{what}: about {time:.1f} s")

# %% [markdown]
# ## Training
#
# `fit` compiles one step more: forward, backward, and the optimizer, for a batch of 128 images at a time. The rate of
# the steps first rises and then falls to nothing (`"one_cycle"`), and the weights shrink a little in each
# (`weight_decay`). One image in ten is put aside: the network never learns from those, so they show whether it has
# understood or learned by heart.

# %%
history = model.fit(
    images,
    labels,
    loss="cross_entropy",
    optimizer=AdamW(lr=0.01, weight_decay=0.1),
    schedule="one_cycle",
    epochs=epochs,
    batch_size=128,
    validation=0.1,
)
print(f"training: about {history.seconds:.0f} s for {epochs} epochs")
history.plot(f"After {epochs} epochs, {history['val_accuracy'][-1]:.1%} of the images put aside are right")

# %% [markdown]
# In the beginning the dashed line is ahead: the solid one is an average over an epoch in which the network was still
# learning, the dashed one is taken at its end. Then the solid line overtakes. The gap at the end is what the network
# knows about these images and not about digits.
#
# ## The test
#
# Nothing so far has looked at the test images, and one looks at them once. Each row of the picture is a digit, each
# column what it was taken for. **Predict:** which two digits are mixed up most?

# %%
evaluation = model.evaluate(test_images, test_labels)
plot_confusion(evaluation.confusion, range(10), f"{evaluation.accuracy:.1%} of the test images are right")

# %% [markdown]
# ## Its mistakes
#
# The worst images are those with the highest loss: the right digit got the least probability. Above each is the truth,
# then the guess, and how probable the network found its guess. Would you have read them all?

# %%
worst, captions = worst_classified(model.predict_proba(test_images), test_labels)
plot_images(test_images[worst[:12]], captions[:12], "The highest losses: truth, guess (its probability)", columns=4)

# %% [markdown]
# Some of them nobody could read. But look at the probabilities: it is wrong, and nearly certain. As in lesson 5, the
# network does not know what it does not know.
#
# ## What one neuron looks for
#
# A neuron of the first layer has one weight for each pixel, so its weights are an image, too. Ink on blue pixels turns
# the neuron on, ink on orange ones turns it off. We take the one whose output differs most from digit to digit. A
# second compiled function gives the outputs of that layer.

# %%
first_layer = scalargrad.compile(lambda x: model.layers[0](x))
outputs = first_layer(test_images)
means = numpy.array([outputs[test_labels == digit].mean(axis=0) for digit in range(10)])
number = int(numpy.ptp(means, axis=0).argmax())
weights = numpy.array([weight.data for weight in model.layers[0].neurons[number].weights])
largest = abs(weights).max()

figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.8), dpi=110, layout="constrained")
colours = LinearSegmentedColormap.from_list("weights", ["#A84300", "white", "#0B5CAD"])
shown = left.imshow(weights.reshape(side, side), cmap=colours, vmin=-largest, vmax=largest)
left.set(title=f"the weights of {model.layers[0].neurons[number].bias.label[:-5]}", xticks=[], yticks=[])
figure.colorbar(shown, ax=left)
right.bar(range(10), means[:, number], color="#0B5CAD")
right.set(title="its mean output for each digit", xlabel="digit", xticks=range(10))
right.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Nobody told this neuron what a digit is. Its gradient did, one image at a time: it wants ink on a ring and none in
# the middle, and it has become a detector of zeros. Most others are harder to read, since they need only be useful to
# the next layer, not to us.
#
# ## Keep it
#
# `save` writes the parameters, the architecture, and a checksum; `load` makes the same network of it. The file holds
# numbers and no code, so that it is safe to open one from a stranger.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.safetensors"
    model.save(path)
    print(f"{path.name}: {path.stat().st_size:,} bytes for {len(model.parameters()):,} parameters")
    loaded = scalargrad.load(path)
print("the same guesses:", (loaded.predict(test_images) == model.predict(test_images)).all())

# %% [markdown]
# ## Try it
#
# - Shuffle the pixels, the same way in all images: `order = numpy.random.default_rng(0).permutation(side * side)`, then
#   `images[:, order]` and `test_images[:, order]`. **Predict** the accuracy before you train. What does the network
#   know about which pixels are neighbours?
# - Train `MLP(side * side, [10])`, without hidden neurons, and look at the weights of its ten neurons. Are they digits?
# - Write a digit in a paint program, save it as a picture, and let `scalargrad predict` read it. `scalargrad mnist
#   --save m.safetensors` trains the network for that.
#
# Next: [a scikit-learn estimator](10_a_scikit_learn_estimator.ipynb).
