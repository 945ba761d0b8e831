"""Kernels: loops over rows in LLVM's language."""
