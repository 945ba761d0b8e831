"""Settings of XLA for processes that tests start."""

# What the processor's code is like is no matter here: it is made as fast as can be, where XLA knows these flags.
IN_HASTE = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false"
)
