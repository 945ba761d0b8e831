# %% [markdown]
# # 4. A network by hand
#
# Two inputs, two hidden neurons, two outputs, eight weights, no biases: small enough to compute every number with pen
# and paper, large enough that people get it wrong. A spreadsheet of this very network has gone from hand to hand with
# two wrong gradients in it. At the end of this lesson you will have found the mistake.
#
# ![Inputs i1, i2; hidden neurons h1, h2; outputs o1, o2; and the weight on each edge](figures/network.png)

# %%
import matplotlib.pyplot as plt

from scalargrad import SGD, Parameter, Value, draw, explain, sigmoid

# %% [markdown]
# ## Forward
#
# Every neuron adds up its weighted inputs and bends the sum with the sigmoid $\sigma(x) = 1 / (1 + e^{-x})$, which
# leads from 0 to 1. Its slope has a short form: $\sigma' = \sigma (1 - \sigma)$.
#
# The error is half the squared distance of each output from its target, summed up: $E = \sum \frac12 (a - t)^2$. The
# half is there to cancel the 2 of the derivative.

# %%
i1, i2 = Value(0.05, "i1"), Value(0.10, "i2")
t1, t2 = 0.5, 0.5
w1, w2, w3, w4 = Parameter(0.15), Parameter(0.20), Parameter(0.25), Parameter(0.30)
w5, w6, w7, w8 = Parameter(0.40), Parameter(0.45), Parameter(0.50), Parameter(0.55)
weights = [w1, w2, w3, w4, w5, w6, w7, w8]
for number, weight in enumerate(weights, 1):
    weight.label = f"w{number}"

h1 = w1 * i1 + w2 * i2
h2 = w3 * i1 + w4 * i2
a_h1, a_h2 = sigmoid(h1), sigmoid(h2)
o1 = w5 * a_h1 + w6 * a_h2
o2 = w7 * a_h1 + w8 * a_h2
a_o1, a_o2 = sigmoid(o1), sigmoid(o2)
E1, E2 = (a_o1 - t1) ** 2 / 2, (a_o2 - t2) ** 2 / 2
E = E1 + E2

for name in ("h1", "h2", "a_h1", "a_h2", "o1", "o2", "a_o1", "a_o2", "E1", "E2", "E"):
    print(f"{name:<5}{globals()[name].data:.10f}")

# %% [markdown]
# Check at least `h1` with pen and paper: 0.15 · 0.05 + 0.20 · 0.10.
#
# ## Backward
#
# **Predict** before you look: which gradients will be larger, those of the first layer (w1 to w4) or those of the
# second (w5 to w8)? By roughly what factor? (What stands between `w1` and the error that does not stand between
# `w5` and it?)

# %%
E.backward()
first_gradients = [weight.grad for weight in weights]
for weight in weights:
    print(f"dE/d{weight.label} = {weight.grad:.10f}")

# %% [markdown]
# About forty times smaller in the first layer: each of its weights must pass one more sigmoid, whose slope is at most
# 1/4, one more weight of about 1/2, and it sits on a small input in place of an activation of about 1/2.
#
# `w2` has exactly twice the gradient of `w1`, and `w4` twice that of `w3`. Why?
#
# The next picture is wide; open it on its own to read the numbers. Each Σ is two products and their sum on one card.

# %%
draw(E, names=locals(), detail="folded", title="The whole network and its error, after E.backward()")

# %% [markdown]
# ## The spreadsheet's mistake
#
# A widely shared spreadsheet computes the gradients of `w3` and `w4` by this formula:
#
# $$\frac{\partial E}{\partial w_3} = \Big[ (a_{o1} - t_1)\, a_{o1} (1 - a_{o1})\, w_6
#   + (a_{o2} - t_2)\, a_{o2} (1 - a_{o2})\, w_8 \Big] \cdot a_{h1} (1 - a_{h1}) \cdot i_1$$
#
# and the one of `w4` with $i_2$ at the end. Here is what it gives, beside ours.

# %%
back_to_h2 = (a_o1.data - t1) * a_o1.data * (1 - a_o1.data) * w6.data + (a_o2.data - t2) * a_o2.data * (
    1 - a_o2.data
) * w8.data
for weight, number in ((w3, i1), (w4, i2)):
    theirs = back_to_h2 * a_h1.data * (1 - a_h1.data) * number.data
    print(f"{weight.label}: spreadsheet {theirs:.6e}, scalargrad {weight.grad:.6e}")

# %% [markdown]
# They agree in three digits, near enough to be overlooked, and training still works. But they cannot both be right.
# **Find the mistake:** here is the chain rule with its numbers. Compare it with the formula, factor by factor. Which
# factor of the formula is on no path from `w3` to `E`?

# %%
explanation = explain(E, w3, names=locals())
print(explanation)

# %% [markdown]
# Both paths lead through `h2` and `a_h2`: `w3` is a weight of the *second* hidden neuron. The formula takes the
# slope of the *first* one, $a_{h1}(1 - a_{h1})$. At these weights the two slopes are nearly the same:

# %%
for step in explanation.paths[0].steps:
    if step.target == "a_h2":
        print(f"on the path:    ∂{step.target}/∂{step.source}         = {step.derivative:.7f}")
print(f"in the formula: a_h1 · (1 − a_h1) = {a_h1.data * (1 - a_h1.data):.7f}")

# %% [markdown]
# A wrong gradient that is nearly right is the worst kind: the loss falls all the same. Only a comparison finds it.
#
# ## Learning: 63 steps
#
# With learning rate 1, each weight moves against its gradient, and E is computed anew. `train` is the loop of
# lesson 2: forward, backward, step.


# %%
def error():
    hidden1 = sigmoid(w1 * i1 + w2 * i2)
    hidden2 = sigmoid(w3 * i1 + w4 * i2)
    output1 = sigmoid(w5 * hidden1 + w6 * hidden2)
    output2 = sigmoid(w7 * hidden1 + w8 * hidden2)
    return (output1 - t1) ** 2 / 2 + (output2 - t2) ** 2 / 2


def train(rate, updates=63):
    optimizer, errors = SGD(lr=rate), []
    for _ in range(updates):
        now = error()
        errors.append(now.data)
        for weight in weights:
            weight.grad = 0.0
        now.backward()
        optimizer.step(weights)
    return [*errors, error().data]


start = [weight.data for weight in weights]
errors = train(rate=1.0)
for step in (0, 1, 2, 10, 63):
    print(f"after {step:>2} updates: E = {errors[step]:.14f}")

# %% [markdown]
# ## The learning rate
#
# The same start, six rates. **Predict:** is the largest one the best? Does any of them diverge?

# %%
rates = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)
curves = {}
for rate in rates:
    for weight, number in zip(weights, start, strict=True):
        weight.data = number
    curves[rate] = train(rate)

figure, axes = plt.subplots(figsize=(7, 4.2), dpi=110, layout="constrained")
colours = ["#F0A05A", "#D9772B", "#A84300", "#7DB4E8", "#0B5CAD", "#6D28D9"]
for (rate, curve), colour in zip(curves.items(), colours, strict=True):
    axes.plot(curve, color=colour, linewidth=2)
    axes.annotate(f"rate {rate:g}", (63, curve[-1]), (5, -4), textcoords="offset points", color=colour)
axes.set(yscale="log", xlim=(0, 63), xlabel="updates", ylabel="E")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# On the logarithmic axis the curves are nearly straight: each update multiplies the error by nearly the same
# factor, and a larger rate means a smaller factor. On this gentle slope even rate 2 is not too large.
#
# ## Try it
#
# - Push the rate up: 10, 50, 200. Where does the curve stop falling steadily?
# - Train with the spreadsheet's gradients for `w3` and `w4`. How much does E after 63 updates differ?
# - Add a bias of 0 to each neuron. Which gradients of the first step stay the same, and of the second?
#
# Next: [two moons](5_two_moons.ipynb).
