"""Device maths and its launches: Warp kernels for CUDA and the CPU. Reached through `engine.gpu` only."""
