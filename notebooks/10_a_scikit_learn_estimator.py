# %% [markdown]
# # 10. A scikit-learn estimator
#
# scikit-learn has a rule: whatever has `fit` and `predict` works with all of its tools. The networks of this package
# can follow it. So they can be scaled, cross-validated and searched like any other estimator, and afterwards be opened
# unlike any other: inside are the Values that lesson 1 began with.

# %%
import matplotlib.pyplot as plt
import numpy
from matplotlib.colors import LinearSegmentedColormap
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scalargrad import Value, binary_cross_entropy_with_logits, draw, explain, grad
from scalargrad.datasets import load_moons
from scalargrad.sklearn import MLPClassifier, MLPRegressor

# %% [markdown]
# ## Three lines
#
# The two moons of lesson 5, with more noise, so that no network gets all of them right. The parameters have the names
# of scikit-learn's own network. Networks like inputs of about the size 1 (lesson 6), so a scaler comes first, and the
# **pipeline** of the two is an estimator again.

# %%
points, labels = load_moons(samples=300, noise=0.25, seed=0)
network = MLPClassifier(hidden_layer_sizes=(2,), learning_rate_init=0.02, tol=0.001, max_iter=1000, random_state=0)
pipeline = make_pipeline(StandardScaler(), network)
pipeline.fit(points, labels)
print(f"{pipeline.score(points, labels):.0%} of the points are right")

# %% [markdown]
# It has two hidden relu neurons. **Predict:** what shape will the boundary have?


# %%
colours = LinearSegmentedColormap.from_list("probability", ["#8FBDEB", "white", "#F0A05A"])


def show(estimator, title):
    _, axes = plt.subplots(figsize=(6, 3.6), dpi=110, layout="constrained")
    DecisionBoundaryDisplay.from_estimator(
        estimator, points, response_method="predict_proba", class_of_interest=1, cmap=colours, vmin=0, vmax=1, ax=axes
    )
    for wanted, colour, marker in ((0, "#0B5CAD", "o"), (1, "#A84300", "D")):
        x1, x2 = points[labels == wanted].T
        axes.scatter(x1, x2, c=colour, marker=marker, edgecolors="white", linewidths=0.8, label=f"class {wanted}")
    axes.set(xlabel="x1", ylabel="x2", title=title)
    axes.legend(frameon=False)
    plt.show()


show(pipeline, "Two hidden neurons")

# %% [markdown]
# The deeper the colour, the surer the network is; where it is white, it cannot tell. That line is almost straight: a
# relu neuron has one crease, and with two of them there is no way around both moons.
#
# ## How good is it, honestly?
#
# The score above was taken on the points that the network had learned from. `cross_val_score` cuts the points into five
# parts, and five times it learns from four and is tested on the other one. **Predict:** higher or lower?

# %%
scores = cross_val_score(pipeline, points, labels, cv=5)
print("the five scores:", ", ".join(f"{score:.0%}" for score in scores))
print(f"on average {scores.mean():.0%}")

# %% [markdown]
# ## Which network?
#
# `GridSearchCV` does the same for every combination of settings and keeps the best: here the neurons of the hidden
# layers, and `alpha`, which holds the weights small. In a pipeline, a parameter is called by its step, two underscores,
# and its name.

# %%
grid = {
    "mlpclassifier__hidden_layer_sizes": [(2,), (8,), (8, 8)],
    "mlpclassifier__alpha": [0.0001, 10.0],
}
search = GridSearchCV(pipeline, grid, cv=5).fit(points, labels)
for settings, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    print(f"{score:.0%}", *(f"{name.removeprefix('mlpclassifier__')}={value}" for name, value in settings.items()))

# %%
show(search, f"The best one: {search.best_score_:.0%} in cross-validation")

# %% [markdown]
# ## Open it
#
# Up to here, any classifier of scikit-learn would have done. Now what only this one has: `module_`, the network itself.
# Its parameters are Values, so it can be run, drawn and asked.

# %%
best = search.best_estimator_[-1]
print(best.module_)

# %% [markdown]
# Take the point of class 1 that the network gets most wrong. The drawing shows the way of this one sample through the
# trained network, and the gradient of its loss at each weight. A dashed card is a neuron that is off.

# %%
probabilities = search.predict_proba(points)[:, 1]
worst = numpy.where(labels == 1, probabilities, 1.0).argmin()
print(f"point {worst} is of class 1, and the network gives that {probabilities[worst]:.1%}")

scaled = search.best_estimator_[:-1].transform(points[[worst]])[0]
inputs = [Value(number, name) for number, name in zip(scaled, ("x1", "x2"), strict=True)]
output = best.module_(inputs)
loss = binary_cross_entropy_with_logits(output, 1)
output.label, loss.label = "output", "loss"
best.module_.zero_grad()
loss.backward()
draw(loss, detail="units", title=f"Point {worst} in the trained network")

# %% [markdown]
# And why is the gradient of a weight what it is? `explain` writes it as a sum over all ways from the weight to the
# loss. We ask about the weight of the output neuron that has the largest gradient. The loss is
# $\text{softplus}(\text{output}) - \text{output}$ for class 1, at an output below 0. **Predict:** how many ways are
# there?

# %%
weight = max(best.module_.layers[-1].neurons[0].weights, key=lambda weight: abs(weight.grad))
print(explain(loss, weight))

# %% [markdown]
# Two, since the loss reads the output twice. The slope of softplus is the sigmoid, so the sum of the two is (guess -
# truth) x (what the neuron below says): a weight moves most where the network is wrong and the neuron is loud.
#
# ## Data that keep arriving
#
# `fit` begins anew each time. `partial_fit` goes on: one pass over the points that have just come. It must be told all
# classes at its first call, since the first points may be of one class only. Here 20 points arrive at a time, and are
# then forgotten.

# %%
stream, stream_labels = load_moons(samples=4000, noise=0.25, seed=1)
learner = MLPClassifier(hidden_layer_sizes=(16, 16), learning_rate_init=0.05, random_state=0)
scores = []
for start in range(0, len(stream), 20):
    arrived = slice(start, start + 20)
    learner.partial_fit(stream[arrived], stream_labels[arrived], classes=[0, 1])
    scores.append(learner.score(points, labels))

figure, axes = plt.subplots(figsize=(7, 3), dpi=110, layout="constrained")
axes.plot(range(20, len(stream) + 1, 20), scores, color="#0B5CAD", linewidth=2)
axes.set(xlabel="points that have arrived", ylabel="score on our 300 points", ylim=(0.4, 1.0))
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## A curve, and its slope
#
# `MLPRegressor` predicts numbers. Here it learns a wave from 80 noisy measurements. And because its inside is made of
# Values, `grad` gives the **slope** of what it has learned at any place, exactly: the derivative of the prediction with
# respect to its input, by the same chain rule that trained it.

# %%
rng = numpy.random.default_rng(0)
x = numpy.sort(rng.uniform(-3.0, 3.0, 80))
y = numpy.sin(2.0 * x) + rng.normal(0.0, 0.2, 80)
settings = {"learning_rate_init": 0.02, "tol": 1e-5, "n_iter_no_change": 50, "max_iter": 5000, "random_state": 0}
curve = MLPRegressor((16, 16), "tanh", **settings)
curve.fit(x.reshape(-1, 1), y)
print(f"R squared: {curve.score(x.reshape(-1, 1), y):.2f}")

places = numpy.linspace(-3.0, 3.0, 121)
slope = grad(lambda place: curve.module_([place]))
slopes = [float(slope(place)) for place in places.tolist()]

# %%
figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5), dpi=110, sharex=True, layout="constrained")
above.scatter(x, y, color="#94A3B8", s=16, label="measured")
above.plot(places, numpy.sin(2.0 * places), color="#64748B", linestyle=":", label="true")
above.plot(places, curve.predict(places.reshape(-1, 1)), color="#0B5CAD", linewidth=2, label="predicted")
above.set(ylabel="y")
below.plot(places, 2.0 * numpy.cos(2.0 * places), color="#64748B", linestyle=":")
below.plot(places, slopes, color="#0B5CAD", linewidth=2)
below.set(xlabel="x", ylabel="slope")
for axes in (above, below):
    axes.spines[["top", "right"]].set_visible(False)
figure.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# The curve goes through the middle of the points. Its slope is a harder test: nobody has measured it, and it shows
# every small bend that the noise has put into the curve, and the ends, beyond which there are no points.
#
# ## Try it
#
# - Add `"tanh"` to the grid, as `mlpclassifier__activation`. Does the boundary look different?
# - Let the stream change: after 2,000 points, swap the two labels. How long does the learner take to notice?
# - Let the regressor go on for longer, with `tol=1e-6`. R squared rises. Does the slope get better, too?
#
# Next: [a convolution is a dot that moves](11_a_convolution_is_a_dot_that_moves.ipynb).
