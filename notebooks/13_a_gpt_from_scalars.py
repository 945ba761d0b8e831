# %% [markdown]
# # 13. A GPT from scalars
#
# The network of lesson 12 reads a name letter by letter, and all that it remembers has to fit into a few numbers. A GPT
# forgets nothing: it keeps a list of all that it has read, and looks back. The large ones that talk with people are
# built like the one below. Ours has 4,192 numbers, all of them Values, and its whole program is 120 lines of loops and
# lists: `scalargrad/demos/gpt.py`. This lesson reads it with you.

# %%
import inspect
import random
from collections import Counter
from math import log
from time import perf_counter

import scalargrad
from scalargrad import Value, dot, draw, topological_order
from scalargrad.datasets.names import probability
from scalargrad.datasets.texts import decode
from scalargrad.demos import gpt
from scalargrad.demos.gpt import GPT, train
from scalargrad.demos.names import batches, data_from, looks
from scalargrad.plots import plot_attention, plot_steps

# %% [markdown]
# ## Tokens
#
# The names are those of lesson 12, from the same small grammar. Each letter is a **token**, a number from 1 to 26. A 0
# stands before a name and ends it, and fills up the row behind a short one.

# %%
data = data_from(None)
rows = data.tokens(longest=16)
print(" ".join(data.texts[:12]))
print(data.texts[2], rows[2].astype(int).tolist())

# %% [markdown]
# A network cannot multiply a letter. So each token has a row of 16 numbers in a table, and `take` picks one out of each
# column; the row of its place, first, second ..., is added. What these numbers mean nobody decides: they are learned
# like all the others. This is what happens to a token:

# %%
print(inspect.getsource(GPT.read))

# %% [markdown]
# Three additions: the token and its place; what it finds when it looks **back**; what a small network of 64 neurons
# makes of that. The last line gives a score for each of the 27 tokens that may come next. `times` is a sum of products
# for each row of a table, and `normalised` divides numbers by the root of their mean square, so that none runs away.
#
# ## Looking back
#
# From each token come three rows of numbers. Its **query** says what it is looking for, its **key** what it has to
# offer, its **value** what it tells whoever asks. The fit of a query to a key is their product, and `shares` makes
# weights of the fits that add up to 1. So looking back is a mean of all values so far, and mostly of those that fit.
#
# With one number for each, and two tokens to look at. **Predict:** which of the two values gets the larger gradient?

# %%
query, keys, values = Value(2.0, "query"), [Value(0.5, "k1"), Value(-0.5, "k2")], [Value(3.0, "v1"), Value(1.0, "v2")]
weights = gpt.shares([query * key for key in keys])
found = dot(weights, values)
found.label = "found"
found.backward()
print("weights", [round(weight.data, 3) for weight in weights], "gradients", [round(v.grad, 3) for v in values])
draw(found, title="A query, two keys, two values")

# %% [markdown]
# The gradient of a value *is* its weight. And there is a path to the query and the keys, too: they learn what to look
# for. (`maximum` is there to keep `exp` small. Whatever is taken from both fits changes no weight, so its gradient is
# 0, up to the last digit.)
#
# In the network it is the same with four numbers for each of four **heads**, which look back by themselves. The memory
# is a plain list: of each token its key, its value, and for us to look at later, its weights.

# %%
print(inspect.getsource(GPT.look_back))

# %% [markdown]
# What comes later is not in the list yet, so no token can look ahead. And how far back a token is makes no difference.
# In lesson 12 the way from the last letter to the first was as long as the name, and gradients vanished on it. Here it
# is one step.
#
# ## A loss, and its graph
#
# The loss of a name is the mean of $-\log$(probability given to the letter that did come), its end included.
# **Predict** the loss of the untrained network. And how many Values does it take to compute it?

# %%
model = GPT(vocabulary=27, rng=0)
name = rows[2][: len(data.texts[2]) + 2]
loss = model.loss(name)
print(model)
print(f"{data.texts[2]}: loss {loss.data:.2f}; 27 equal chances: {log(27):.2f}")
print(f"{len(topological_order(loss)):,} Values in its graph")

# %% [markdown]
# ## One curve, twice
#
# Everything is Values, so `loss.backward()` is all there is to say, and a step of Adam follows, at a rate that falls
# along a line to 0. `train` is this loop; or it compiles `model.loss`, and the program does the step. Ten names, one
# after another, each way:

# %%
ten = [rows[place : place + 1] for place in range(10)]
curves, times = {}, {}
for backend in ("eager", "native"):
    learner = GPT(vocabulary=27, rng=0)
    begin = perf_counter()
    curves[backend] = list(train(learner, ten, len(ten), 0.02, backend))
    times[backend] = (perf_counter() - begin) / len(ten)
for step, (by_values, compiled) in enumerate(zip(*curves.values(), strict=True), 1):
    print(f"step {step:>2}   Values {by_values:.12f}   compiled {compiled:.12f}")
largest = max(abs(a - b) for a, b in zip(*curves.values(), strict=True))
print("the same to twelve digits:", largest < 1e-12)

# %% [markdown]
# ## What the compiler makes of it
#
# The scores after a single token. Find the three additions. Where are the queries, and where are the keys?

# %%
first = scalargrad.compile(lambda tokens: model.read(tokens[0], []))
first([[3.0]])
print(first)

# %% [markdown]
# `contract` is many sums of products at once. Nobody wrote a matrix; it was found in the loops. And it was found across
# them: queries, keys and values are three tables here, but one `contract` of 48 rows, because all of them read the same
# 16 numbers.
#
# Now the whole loss, twelve tokens, with its gradients. **Predict:** twelve times as many instructions?

# %%
program = scalargrad.compile(model.loss)
program(rows[:1])
print(str(program).splitlines()[0])
counted, part = Counter(), ""
for line in str(program).splitlines()[1:]:
    if line.startswith(" "):
        counted[part] += 1
    else:
        part = line.partition(".")[0]
for part, count in counted.items():
    print(f"{part:<10} {count:>4} instructions")

# %% [markdown]
# Each table meets all twelve tokens at once, in one instruction. What grows with the name is looking back: every token
# has one more to look at than the one before, so there is something small to do for each length and each head. Array
# libraries let all tokens look at all others, and throw away what looks ahead; here nobody computed it.
#
# ## Training
#
# 1,000 steps of 32 names each. The loss leaves out the places behind the end of a name, by `where`: one program serves
# names of all lengths.

# %%
steps, size = 1000, 32
model = GPT(vocabulary=27, rng=0)
begin = perf_counter()
losses = list(train(model, batches(rows, size, steps, seed=0), steps, 0.02))
a_name = (perf_counter() - begin) / (steps * size)
print(f"a name by Values {times['eager'] * 1e6:,.0f} µs, compiled {a_name * 1e6:.0f} µs, all of compiling included")
plot_steps(losses, f"{steps:,} steps of {size} names", {"the grammar itself": data.floor})

# %% [markdown]
# The dashed line is the loss of one who knows the grammar: lesson 12 told what it means to come that near. Batches
# differ, and so the pale line is rough.
#
# ## Making up names
#
# The scores become probabilities, one token is drawn, and read as the next one. Values alone will do: the list
# remembers what was read, so that each new letter costs one `read`. A dot marks what the grammar could not have made.


# %%
def show_names(model, count=100):
    source = random.Random(0)
    drawn = [decode(model.write(source), data.letters) for _ in range(count)]
    possible = [name for name in drawn if probability(name) > 0]
    print(" ".join(name if name in possible else f"{name}." for name in drawn[:16]))
    print(f"{len(possible) / count:.0%} of {count} are possible names", end=", ")
    print(f"{sum(name not in data.texts for name in possible) / count:.0%} are possible and were not in the data")


show_names(GPT(vocabulary=27, rng=0))
show_names(model)

# %% [markdown]
# ## Where it looks
#
# The weights lie in the memory, too. A row is a token that was read; its dark cells are those it looked back at; what
# it could not know yet is grey. **Predict:** what does a letter want to know of those before it? Will all heads look at
# the same ones?

# %%
word = data.texts[0]
tokens = [0, *map(data.letters.index, word)]
plot_attention(looks(model, tokens), ["▸", *word], f"Reading {word}")

# %% [markdown]
# Each head has found something else to look for, and nobody asked for any of it. Some stay with the letter just read,
# as if the others did not matter here; others go back to a consonant, or to the beginning. With another seed, another
# head does it.

# %% [markdown]
# ## Try it
#
# - `scalargrad gpt --data names.txt` learns any file with a short text a line: names of towns, of stars, of dishes.
# - Make up names with `model.write(source, temperature=0.5)`, and with 2.0. What is gained, what lost?
# - Leave the row of the place out of `GPT.read`. What can the network not know any more, and what becomes of the loss?
# - One block is all there is here. Give `GPT` a second one, with tables of its own. Is it worth its 3,072 numbers?
#
# This was the last lesson: now it is your own data's turn.
