# %% [markdown]
# # 3. Step through backprop
#
# `backward()` is two ideas: **add**, where a value was used more than once, and **wait**, until everything that
# uses a value has had its say. This lesson takes each idea away in turn and looks at the wreck. Then you hunt a
# bug.

# %%
from scalargrad import SGD, Parameter, Value, diagnose, draw, explain, explore, step_through, topological_order
from scalargrad.engine import local_derivatives

# %% [markdown]
# ## Used twice: why `+=`
#
# Here `a` is used twice, as both factors of a product.

# %%
a = Value(3.0, "a")
y = a * a
y.label = "y"
y.backward()
draw(y, title="One value, two edges")

# %% [markdown]
# The rule for `×` gives each factor the other one, so 3 flows back along each edge. Nudge `a` by a little: *both*
# factors move, and `y` moves by both effects together. So `a.grad` must be 3 **plus** 3. An engine that writes
# `a.grad = 3` for each edge, in place of `a.grad += 3`, would keep only the last one, and find 3 where 6 is right.
#
# That is the second half of the chain rule: rates **multiply along** a path, and **add up over** paths.

# %%
print(explain(y, a))

# %% [markdown]
# And here the same graph moves. **Predict** before you drag: for which `a` is its gradient 0, and for which is it
# twice what it is now? Then move the slider, or type a number: data, gradients and the widths of both edges follow.
# (The page computes by itself, in a running notebook or a browser: `explore(y).save("page.html")` writes it to a file.)

# %%
explore(y)

# %% [markdown]
# ## One term at a time
#
# Step through a slightly richer graph. First the data appears, from the leaves to the output; then the seed, a
# gradient of 1 at the output; then **one step for each term of the chain rule**. Watch the gradients of `a` and `b`
# grow in several steps. (Arrow keys work. The buttons at the top turn the same page into one to explore, and into a
# quiz: there *you* are `backward()`, from the output to the leaves, and a wrong number is told what it is.)

# %%
a, b = Value(2.0, "a"), Value(3.0, "b")
c = a + b
d = a * b
s = c + d
p = c * d
y = s + p
for value, label in ((c, "c"), (d, "d"), (s, "s"), (p, "p"), (y, "y")):
    value.label = label

step_through(y)

# %% [markdown]
# Here is its last step as a still picture.

# %%
y.backward()
draw(y, title="y = (c + d) + c·d with c = a + b and d = a·b")

# %% [markdown]
# ## Why the order matters
#
# The most obvious program for the chain rule is a recursion: give each operand its share, then do the same for that
# operand at once. **Predict:** will it get `a.grad` right? Four paths lead from `a` to `y`; add up their products.


# %%
def backward_by_recursion(value):
    for operand, slope in local_derivatives(value):
        operand.grad += slope * value.grad
        backward_by_recursion(operand)


for value in topological_order(y):
    value.grad = 0.0
y.grad = 1.0
backward_by_recursion(y)
print("recursion:", a.grad)

for value in topological_order(y):
    value.grad = 0.0
y.backward()
print("backward():", a.grad)

# %% [markdown]
# 29 in place of 25. The paths say which one is right:

# %%
print(explain(y, a))

# %% [markdown]
# What went wrong? The recursion reaches `c` by way of `s` first, when `c.grad` is 1, and hands that 1 down to `a`.
# Then it reaches `c` again by way of `p`; now `c.grad` is 1 + 6 = 7, and it hands down all of the 7: the first 1 is
# counted twice. The same happens to `d`, whose 1 reaches `a` times 3. That makes 4 too much.
#
# So a value must **wait** until its gradient is complete. `topological_order` puts operands before results; walked
# from the back, every value comes after everything that uses it.

# %%
print("computed:  ", " ".join(value.label for value in topological_order(y)))
print("backward:  ", " ".join(value.label for value in reversed(topological_order(y))))

# %% [markdown]
# Where does the recursion fail? Wherever a *result* is used more than once, as `c` and `d` are here. In a chain or
# a tree it is right, and so it is where only leaves are reused, because a leaf has nothing to hand on: the mistake
# can sleep for a long time. In a network every neuron feeds all neurons of the next layer, and there it is wrong
# everywhere. It is slow as well: it walks every *path*, and their number multiplies from layer to layer.
#
# ## A bug hunt
#
# Here is the loop of lesson 2 again: a neuron without a bend is to give 10 for the input 2. The rate is small, so the
# loss should creep towards 0. **Find the bug** before you scroll on. What is the first number that looks wrong?

# %%
x, target = 2.0, 10.0
w, b = Parameter(2.0, "w"), Parameter(3.0, "b")
optimizer = SGD(lr=0.02)
for step in range(8):
    loss = (target - (x * w + b)) ** 2
    loss.backward()
    print(f"step {step}: loss = {loss.data:7.4f}   dL/dw = {w.grad:+8.4f}   f(2) = {(x * w + b).data:.4f}")
    optimizer.step([w, b])

# %% [markdown]
# Up to step 1 all looks well. But in step 1 the loss has fallen, and the gradient has *grown*; and soon f(2) shoots
# past 10 and swings. Let the gradient doctor look at the same loop.

# %%
w, b = Parameter(2.0, "w"), Parameter(3.0, "b")
with diagnose([w, b]) as report:
    for _ in range(8):
        loss = (target - (x * w + b)) ** 2
        loss.backward()
        optimizer.step([w, b])
for finding in report.findings:
    print(f"{finding.kind.upper()} at `{finding.code}`\n{finding.what}\n{finding.remedy}")

# %% [markdown]
# There it is: nobody set the gradients back to 0. `backward()` **adds** to the grad of a leaf, by the very `+=`
# that made `a * a` right, and it cannot know that a new step has begun. So every step also moves by all gradients
# before it.
#
# One line repairs it.

# %%
w, b = Parameter(2.0, "w"), Parameter(3.0, "b")
with diagnose([w, b]) as report:
    for step in range(8):
        w.grad = b.grad = 0.0
        loss = (target - (x * w + b)) ** 2
        loss.backward()
        print(f"step {step}: loss = {loss.data:7.4f}   dL/dw = {w.grad:+8.4f}   f(2) = {(x * w + b).data:.4f}")
        optimizer.step([w, b])
print(report)

# %% [markdown]
# Why does `backward()` not set them to 0 itself? Because adding up over calls is useful: the gradient of a sum of
# losses is the sum of their gradients, so a large batch can be taken sample by sample, one `backward()` each, and
# one step at the end. The gradients of *results*, on the other hand, are set afresh in each call: they belong to
# that call alone.
#
# ## Try it
#
# - Take a third use: `y = a * a * a`. How many paths are there, and what does each contribute?
# - Find a smaller graph on which the recursion fails. (Two operations are enough.)
# - Put `c.backward()` before `y.backward()` in the graph of the lesson. What should `a.grad` be afterwards?
# - Write `w = w - 0.02 * w.grad` in the loop, in place of the optimizer's step, and ask `diagnose` what it thinks
#   of it.
#
# Next: [a network by hand](4_a_network_by_hand.ipynb).
