// A pixel of an instance's silhouette, counted (kernels/silhouette.py); each instance at most once a ray.
// In: geometry, views, seen, thread, out_table.value. Integer atomics: sums and extremes do not depend on their order.

#if defined(__CUDA_ARCH__)
#define OMM_DEVICE __device__
#else
#define OMM_DEVICE
#endif

    struct Visitor {
        const int* instance;  // [placement]
        size_t instance_stride;
        const int* bit;  // [placement], of `word`; below 0: the instance has no other placement
        unsigned int* word;  // set bits: instances that the ray has met
        int word_count;
        int* table;  // [instance, 6] of the view
        int y, x;
        bool is_inside;  // the frame

#if defined(__CUDA_ARCH__)
        OMM_DEVICE static void add(int* p, int value) { atomicAdd(p, value); }
        OMM_DEVICE static void lower(int* p, int value) { if (value < *p) atomicMin(p, value); }
        OMM_DEVICE static void raise(int* p, int value) { if (value > *p) atomicMax(p, value); }
#else
        static void add(int* p, int value) { __atomic_fetch_add(p, value, __ATOMIC_RELAXED); }
        static void lower(int* p, int value) {
            int old = __atomic_load_n(p, __ATOMIC_RELAXED);
            while (value < old && !__atomic_compare_exchange_n(p, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
        }
        static void raise(int* p, int value) {
            int old = __atomic_load_n(p, __ATOMIC_RELAXED);
            while (value > old && !__atomic_compare_exchange_n(p, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
        }
#endif
        OMM_DEVICE bool wants(int placement) const {
            const int b = bit[placement];
            return b < 0 || !(word[b >> 5] >> (b & 31) & 1u);
        }
        OMM_DEVICE void meet(int placement) const {
            const int b = bit[placement];
            if (b >= 0) word[b >> 5] |= 1u << (b & 31);
            int* at = table + 6 * *(const int*)((const char*)instance + placement * instance_stride);
            add(at, 1);
            if (is_inside) add(at + 1, 1);
            lower(at + 2, x);
            lower(at + 3, y);
            raise(at + 4, x + 1);
            raise(at + 5, y + 1);
        }
        OMM_DEVICE void forget() const {
            for (int k = 0; k < word_count; ++k) word[k] = 0u;
        }
    };
    auto visitor_at = [&](int view, int y, int x) {
        const bool is_inside = x >= 0 && y >= 0 && x < views.width && y < views.height;
        return Visitor{geometry.instance.data, (size_t)geometry.instance.strides[0], out_seen.bit.data,
                       out_seen.word.data + (size_t)thread * out_seen.word.shape[1], (int)out_seen.word.shape[1],
                       out_table.value.data + (size_t)view * out_table.value.shape[1] * 6, y, x, is_inside};
    };
