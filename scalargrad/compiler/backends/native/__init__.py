"""Native code: an array program as a table of kernels, written for the processor at hand. In the order of reading:

code            LLVM's language, written line by line
kernel_code     what kernels share: records, contexts, memory, loops, lanes
vector_math     exp, tanh and the rest as vector code; its files from `exponentials` to `powers`
elementwise     the table of operations as vector code
kernels         loops over rows, folds
sums            sums over lanes: gradients
products        products of matrices
transfers       samples into lanes, lanes into results
driver          the one loop that walks the table, stage after stage, and the barrier of its threads
machine         what the processor can do; text into machine code, through llvmlite
tasks, groups   instructions in stages, and which of them one kernel does in one go
layout          where rows lie in memory
adding_up       products that take over the sums of their rows
lower           all that together: a program becomes a table
memory, job, team, backend   the table runs, in one thread or several, and always gives the same bits
report          where the time goes
"""
