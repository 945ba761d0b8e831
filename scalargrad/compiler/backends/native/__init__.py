"""Native code: an array program as a table of records, each a call of a kernel compiled for the processor at hand.

In the order of reading, in which each file imports only what stands above it:

code                    LLVM's language, written line by line
functions/              exp, tanh and the rest as vectors: pairs floating exponentials logarithms powers quarter_turns
                        circular inverse_circular error_functions lengths inverse_hyperbolic remainders
kernels/kernel_code     what kernels share: records, contexts, memory, loops, lanes
kernels/elementwise     the table of operations as vector code
kernels/operands        where operands lie, and the code that loads them
kernels/body            fused operations on a row in registers: a kernel's body, a product's epilogue
kernels/loops           loops over panels of lanes, and over the chunks of threads
kernels/maps            loops over rows
kernels/folds           many operands of a row become one
kernels/sums            sums over lanes
kernels/outer           outer products summed over lanes: gradients of weights
kernels/products        contractions: tiles, packing, depth blocks
kernels/packing         samples into lanes, lanes into results
kernels/driver          the one loop that walks the records, stage after stage, and the barrier of its threads
running/target          features of the processor; text into machine code, through llvmlite
planning/schedule       instructions as tasks in stages
planning/accumulation   products that take over the sums of their rows
planning/fusion         which tasks one kernel does in one go
planning/memory         liveness, and where rows lie in memory
planning/table          records, kernels by content, index tables
planning/writers/       records of each kind of group: operands tiles maps sums products folds
planning/lower          the passes in their order: a program becomes a table
running/threads         a job in several threads, which Ctrl-C may end
running/buffers         aligned memory
running/executable      the table in memory, with the numbers of its uniform rows
running/job             an executable on batches of so many rows; it always gives the same bits
running/report          where the time goes
running/backend         NativeBackend: what a compiled function and a trainer ask for
"""
