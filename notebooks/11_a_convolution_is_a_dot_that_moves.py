# %% [markdown]
# # 11. A convolution is a dot that moves
#
# The network of lesson 9 reads an image as one long row of numbers and is never told which pixels are neighbours. This
# lesson gives it that knowledge, and takes most of its weights away. There is nothing new to learn for it: a neuron's
# `dot`, made small, and used again and again.

# %%
import matplotlib.pyplot as plt
import numpy
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from scipy.ndimage import zoom

import scalargrad
from scalargrad import MLP, Adam, Parameter, Value, dot, draw, mean, relu
from scalargrad.datasets.augmentation import shifted
from scalargrad.demos.digits import split_digits
from scalargrad.nn import Conv2d, Flatten, Layer, MaxPool2d, Sequential

# %% [markdown]
# ## One patch
#
# One of scikit-learn's handwritten digits, enlarged to 28 x 28 pixels, the size of MNIST's. 0.0 is paper, 1.0 is ink.
# The frame marks a **patch** of 3 x 3 pixels.

# %%
images, labels, test_images, test_labels = split_digits(seed=0)
small = images[labels == 3][0].reshape(8, 8)
digit = numpy.clip(3.0 * zoom(numpy.pad(small, 1), 2.8) - 1.0, 0.0, 1.0)  # with sharper edges
top, left = 1, 9

figure, (whole, near) = plt.subplots(1, 2, figsize=(7, 3.2), dpi=110, layout="constrained")
whole.imshow(digit, cmap="gray_r")
whole.add_patch(Rectangle((left - 0.5, top - 0.5), 3, 3, fill=False, edgecolor="#A84300", linewidth=2))
whole.set(title=f"{digit.shape[0]} x {digit.shape[1]} pixels", xticks=[], yticks=[])
near.imshow(digit[top : top + 3, left : left + 3], cmap="gray_r", vmin=0, vmax=1)
for row, column in numpy.ndindex(3, 3):
    ink = digit[top + row, left + column]
    near.text(column, row, f"{ink:.2f}", ha="center", va="center", color="white" if ink > 0.5 else "black")
near.set(title="the patch", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# A neuron that sees only this patch has nine weights, a **kernel**. Ours is made by hand: −1 in its upper row, 0 in the
# middle, 1 below. **Predict:** is its output here above or below 0? And what is it on white paper, or where all is ink?

# %%
edge = [[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
weights = [Parameter(edge[row][column], f"w{row}{column}") for row in range(3) for column in range(3)]
pixels = [Value(digit[top + row, left + column], f"x{row}{column}") for row in range(3) for column in range(3)]
output = dot(weights, pixels)
output.label = "output"
output.backward()
draw(output, title="One dot: nine weights, nine pixels")

# %% [markdown]
# It is the ink below minus the ink above: 0 wherever all is the same, large where ink begins as we go down, and below 0
# where it ends. An **edge detector**. And the gradient of a weight is the pixel under it, as it was in lesson 2.
#
# ## The same nine weights everywhere
#
# Now move the patch over the whole image, one pixel at a time, and take the dot at each place with *the same nine
# weights*. That is a convolution, and `Conv2d` is just this loop. Its outputs are an image again, the **feature map**.
# **Predict:** how many rows and columns does it have?

# %%
image = [[[Value(ink) for ink in row] for row in digit.tolist()]]  # one channel: grey
conv = Conv2d(1, 1, 3, bias=False)
conv.load_state_dict({"weight": [[edge]]})
feature_map = conv(image)
print(f"{len(feature_map[0])} x {len(feature_map[0][0])} outputs from {len(conv.parameters())} weights")
print(f"at our patch: {feature_map[0][top][left].data:.4f}, as drawn: {output.data:.4f}")

upright = Conv2d(1, 1, 3, bias=False)
upright.load_state_dict({"weight": [[numpy.transpose(edge).tolist()]]})


# %%
def numbers(channel):
    return numpy.array([[value.data for value in row] for row in channel])


colours = LinearSegmentedColormap.from_list("numbers", ["#A84300", "white", "#0B5CAD"])


def show(pictures):
    _, places = plt.subplots(1, len(pictures), figsize=(2.9 * len(pictures), 3), dpi=110, layout="constrained")
    for axes, (title, picture) in zip(places, pictures.items(), strict=True):
        if picture.min() < 0:
            axes.imshow(picture, cmap=colours, vmin=-abs(picture).max(), vmax=abs(picture).max())
        else:
            axes.imshow(picture, cmap="gray_r")
        axes.set(title=title, xticks=[], yticks=[])
    plt.show()


downwards, sideways = numbers(feature_map[0]), numbers(upright(image)[0])
show({"image": digit, "more ink below": downwards, "more ink to the right": sideways})

# %% [markdown]
# Blue is above 0, orange below. The right map comes from the same kernel, turned. Where the digit has an edge in its
# direction, a kernel sees it, **wherever that is**. A layer of ordinary neurons with as many outputs would need one
# weight for each pixel and output, and would have to learn what an edge is at every place anew:

# %%
print(f"ordinary layer: {28 * 28 * 26 * 26:,} weights; convolution: {3 * 3}")

# %% [markdown]
# ## Shared, so the gradients add up
#
# Each weight is now used 676 times. Lesson 3 says what that means: its gradient is a **sum over all its uses**. Take
# some loss, here the mean of the squared outputs. Each place contributes (the gradient of its output) x (the pixel that
# lay under the weight there).

# %%
loss = mean([value**2 for row in feature_map[0] for value in row])
conv.zero_grad()
loss.backward()

weight = conv.weight[0][0][2][1]  # of the only kernel, the only channel: the lower row's middle
gradients = numpy.array([[value.grad for value in row] for row in feature_map[0]])
below = digit[2 : 2 + 26, 1 : 1 + 26]  # what lies under this weight, place by place
contributions = gradients * below
print(f"at our patch: {gradients[top, left]:+.6f} x {below[top, left]:.4f} = {contributions[top, left]:+.6f}")
print(f"summed over {contributions.size} places:    {contributions.sum():+.6f}")
print(f"after backward(), weight.grad:{weight.grad:+.6f}")

# %%
show({"gradient of each output": gradients, "x the pixel under the weight": below, "= contribution": contributions})

# %% [markdown]
# So one image already teaches a kernel 676 times. No code in `Conv2d` says so: the weights stand in the graph once, and
# `+=` does the rest.
#
# ## Pooling
#
# For telling digits apart it matters *that* there is an edge, and roughly where, not at which pixel. `MaxPool2d(2)`
# keeps the largest of each 2 x 2 outputs. A relu before it drops what is below 0.

# %%
kept = [[[relu(value) for value in row] for row in feature_map[0]]]
pooled = MaxPool2d(2)(kept)
show({"image": digit, "feature map, relu": numbers(kept[0]), "pooled": numbers(pooled[0])})

# %% [markdown]
# A quarter of the numbers is left, and the edges are still there. **Predict:** of the four values below, which ones get
# a gradient, and how much?

# %%
four = [Value(number, name) for number, name in zip((0.2, 1.7, 0.9, 0.0), "abcd", strict=True)]
(((largest,),),) = MaxPool2d(2)([[four[:2], four[2:]]])
largest.label = "largest"
largest.backward()
draw(largest, title="Only the largest of a window learns")

# %% [markdown]
# ## A network of them
#
# A real layer has several kernels, each with a feature map of its own, and the next layer's kernels look at all of
# these maps at once: 3 x 3 places in 8 maps are 72 weights. Here is a network for the small digits of 8 x 8 pixels. An
# image is `[channels, rows, columns]`, and `padding=1` puts a frame of zeros around it, so that the map is as large as
# the image. **Predict** the sizes before you read the table.

# %%
train, test = images.reshape(-1, 1, 8, 8), test_images.reshape(-1, 1, 8, 8)
model = Sequential(
    Conv2d(1, 8, 3, padding=1, init="he", rng=0),
    relu,
    MaxPool2d(2),
    Conv2d(8, 16, 3, padding=1, init="he", rng=1),
    relu,
    MaxPool2d(2),
    Flatten(),
    Layer(64, 10, activation="linear", init="xavier", rng=2),
)
print(model.summary(train[0]))

# %% [markdown]
# The first layer has 80 parameters, the last one 650. But the 80 do seven times as much work: weights that are shared
# are few, and busy.
#
# ## What the compiler sees
#
# The compiler of lesson 9 knows nothing of convolutions. It gets 676 dots with one kernel, notices that all of them do
# the same, and rolls them up:

# %%
program = scalargrad.compile(lambda image: conv(image))
program(digit.reshape(1, 1, 28, 28))
print(program)

# %% [markdown]
# One `contract`: 1 kernel of 9 weights with 676 patches of 9 pixels. A matrix product again, though the patches overlap
# and nobody wrote them side by side: the program knows which pixel goes where. And the whole network, without its loss:

# %%
scores = scalargrad.compile(lambda image: model(image))
scores(train[:1])
print(scores)

# %% [markdown]
# Line by line it is the table above; the `broadcast` is the zero of the frames. More kernels, or a larger image, would
# make longer arrays, not more lines.
#
# `scalargrad.demos.networks` has a serious network for MNIST: eight convolutions with batch norm between them, 13,808
# parameters. Forward and backward, it is about 190,000 scalars, and fewer than 400 instructions. (Tracing and compiling
# it takes some seconds; `scalargrad mnist --model conv` trains it.)
#
# ## Training
#
# The same call as for any other model. Beside it learns a network of ordinary layers with about as many parameters.

# %%
settings = {"loss": "cross_entropy", "epochs": 15, "batch_size": 64, "validation": 0.1}
history = model.fit(train, labels, optimizer=Adam(lr=0.01), **settings)
ordinary = MLP(64, [25, 10], init="he", rng=0)
ordinary.fit(images, labels, optimizer=Adam(lr=0.01), **settings)
history.plot(f"The convolutional network, {len(model.parameters()):,} parameters")

# %% [markdown]
# Now the test images, as they are, and moved to the right by one pixel or two. **Predict:** which of the two networks
# suffers more?

# %%
print("moved by   ordinary   convolutional")
for pixels in (0, 1, 2):
    right = numpy.full(len(test), pixels)
    moved = shifted(test, right, numpy.zeros_like(right))
    flat = ordinary.evaluate(moved.reshape(-1, 64), test_labels).accuracy
    print(f"{pixels:>8}   {flat:>8.1%}   {model.evaluate(moved, test_labels).accuracy:>13.1%}")

# %% [markdown]
# Both are trained on digits in the middle, and both get worse. The convolution keeps more: its kernels find the same
# edges one pixel further, pooling forgives part of the move, and only the last layer still knows places by heart.
#
# ## What it learned to look for
#
# Eight kernels of 3 x 3, which nobody made by hand, and below each what it sees in the first test image.

# %%
kernels = [numbers(kernel[0]) for kernel in model.layers[0].weight]
maps = scalargrad.compile(lambda image: model.layers[0](image))(test[:1])[0]
figure, places = plt.subplots(2, 9, figsize=(9, 2.4), dpi=110, layout="constrained")
for axes in places.flat:
    axes.set(xticks=[], yticks=[])
places[0, 0].set_axis_off()
places[1, 0].imshow(test[0, 0], cmap="gray_r")
places[1, 0].set(xlabel="image")
for (above, below), kernel, seen in zip(places.T[1:], kernels, maps, strict=True):
    for axes, picture in ((above, kernel), (below, seen)):
        axes.imshow(picture, cmap=colours, vmin=-abs(picture).max(), vmax=abs(picture).max())
    below.set(xlabel="its map")
plt.show()

# %% [markdown]
# Some are edge detectors, in one direction or another. Others look for strokes, and some for nothing that has a name:
# the next layer needs them, not we.

# %% [markdown]
# ## Try it
#
# - Blur: a kernel of nine times 1/9. And what does `[[0, -1, 0], [-1, 5, -1], [0, -1, 0]]` do to the digit?
# - Let a kernel *learn* to be ours: begin with nine zeros, take the mean squared difference from `feature_map` as the
#   loss, and let `Adam(lr=0.1)` take 100 steps. One image is enough. Why?
# - Train both networks with `augment=Shift(1)` of `scalargrad.datasets.augmentation`. What becomes of the last table?
#
# Next: [recurrence](12_recurrence.ipynb), where the same weights are used again not in space, but in time.
