// Lowers an entry of a table that other threads may lower at the same moment (kernels/masks.py): Warp's own atomic_min
// is an ordinary load and store on the CPU. In: row, column, value. Out: out_least.

    int* at = (int*)((char*)out_least.data + (size_t)row * out_least.strides[0]) + column;
#if defined(__CUDA_ARCH__)
    if (value < *(volatile int*)at) atomicMin(at, value);
#else
    int old = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (value < old && !__atomic_compare_exchange_n(at, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
#endif
