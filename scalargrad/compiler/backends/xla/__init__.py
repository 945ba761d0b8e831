"""The JAX backend: a program as operations of JAX, which XLA compiles for processors, accelerators and many devices.

primitives   each operation in JAX
derivatives  the table's partials, for those who let JAX differentiate a program once more
windows      tables of rows that are a regular pattern, read by slices
lower        all that together: a program becomes a function of arrays
devices      which of JAX's devices share the work, and how arrays come to lie on them
processes    that train together walk in step
backend      runs of that function: a batch, or many steps of training at once
export       that function for a user's own JAX code
"""
