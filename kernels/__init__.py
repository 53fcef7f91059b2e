"""Device maths and its launches: Warp kernels for CUDA and the CPU. Reached through `engine.gpu` only."""

if __name__ != "engine.kernels":
    raise ImportError("reach the kernels through engine.gpu: two copies of a wp.struct are two types")
