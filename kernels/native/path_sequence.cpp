// The random numbers of rays under way (kernels/path.py): those of sequence.cpp, in an order of their own for every vertex
// of a path. A pixel's samples are one aligned block of indices, which scrambling shuffles, so that every vertex has a
// whole set of well spread points. Needs sequence.cpp.

    auto salted = [&](U seed, int salt) {  // Wang's mixing of 32 bits
        U x = seed + (unsigned int)salt * 0x9e3779b9u;
        x = (x ^ 61u) ^ (x >> 16);
        x = x * 9u;
        x = x ^ (x >> 4);
        x = x * 0x27d4eb2du;
        return x ^ (x >> 15);
    };
    auto path_index = [&](const auto& views, const Pixels& p, I curve, int sample_count, int sample, int salt) {
        int bits = 0;
        while ((1 << bits) < sample_count) ++bits;
        const U along = ((U)curve << bits) | (unsigned int)sample;
        return scrambled(along, salted((U)omm::bits(of_view(views.light_shift, 3, p)), salt));
    };
    auto path_number = [&](U n, const auto& shift, const Pixels& p, int k, int salt) {
        const unsigned int step = k == 0 ? 3518319155u : (k == 1 ? 2882110345u : 2360945575u);
        const U word = salted((U)omm::bits(of_view(shift, k, p)), salt) + n * step;
        return omm::to_float((I)(word >> 8)) * (1.0f / 16777216.0f);
    };
