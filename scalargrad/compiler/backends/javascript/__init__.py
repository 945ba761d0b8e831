"""The JavaScript backend: programs as loops over typed arrays, in float64, without dependencies.

kernels   a function for each form of instruction
lower     a program as tables of row numbers and a list of calls
runtime   (JavaScript) memory for a program, its runs, and whole steps of training
module    what `program.javascript()` gives: one ES module
process   the process of node in which the backend runs, with server.js
backend   runs of a program there, for the suite of backends and for whoever asks for backend="javascript"

A module of `compile(loss).javascript(X, y, optimizer=SGD(lr=0.1))` exports

    PARAMETERS, NUMBERS   names and numbers of the parameters, in the order of `model.parameters()`
    BUFFERS, BUFFER_NUMBERS   likewise of buffers, such as running averages and the step that dropout counts
    INPUTS, OUTPUT        the shapes of one sample of each argument, [[2], []], and of one result, []
    forward(parameters, inputs, rows = null)    Float64Array [samples, numbers of one result], flat
    backward(parameters, inputs, rows = null)   {mean, gradient: Float64Array}; if a result is one number
    start()               a state: {parameters, buffers, memory: Float64Array, steps, lr, weight_decay}, as it begins
    step(state, inputs, rows = null)            one step of the optimizer; the loss before it. The state moves in place
    order(count, seed, epoch)                   Int32Array: the rows in the order in which Python's trainer takes them

`inputs` has the rows of each argument: flat numbers, nested arrays, or one row. `rows` are the numbers of those
rows that count, such as a piece of `order(...)`, an Int32Array; null for all. random(), such as dropout, draws by these
numbers. Where `parameters` are asked for, a state will do: its buffers then count, too. Between steps a page may change
`lr`, `weight_decay` and all numbers of a state. take() of an index that is none throws a RangeError.
"""
