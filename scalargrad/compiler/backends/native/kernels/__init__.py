"""Kernels: loops over rows in LLVM's language; each has its loop nest in a few lines above its code."""
