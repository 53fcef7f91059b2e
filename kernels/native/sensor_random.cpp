// Random numbers of several pixels at once (kernels/sensor_expose.py). Needs lanes.cpp; the constants of philox.cpp.

    // Philox4x32-10 as in philox.cpp, a counter (first, second, pixel, dimension) a lane.
    auto philox_lanes = [](unsigned int first, unsigned int second, I pixel, unsigned int dimension, const auto& key, I* out) {
        U c0 = (U)omm::splat_int((int)first), c1 = (U)omm::splat_int((int)second), c2 = (U)pixel, c3 = (U)omm::splat_int((int)dimension);
        unsigned int k0 = key.low, k1 = key.high;
        for (int round = 0; round < ROUNDS; ++round) {
#if defined(__CUDA_ARCH__)
            const U high_0 = __umulhi(MULTIPLIER_0, c0), high_1 = __umulhi(MULTIPLIER_1, c2);
#else
            typedef unsigned long long Wide __attribute__((vector_size(64)));
            const Wide p0 = __builtin_convertvector(c0, Wide) * (unsigned long long)MULTIPLIER_0;
            const Wide p1 = __builtin_convertvector(c2, Wide) * (unsigned long long)MULTIPLIER_1;
            const U high_0 = __builtin_convertvector(p0 >> 32, U), high_1 = __builtin_convertvector(p1 >> 32, U);
#endif
            const U low_0 = c0 * MULTIPLIER_0, low_1 = c2 * MULTIPLIER_1;
            c0 = high_1 ^ c1 ^ k0;
            c1 = low_1;
            c2 = high_0 ^ c3 ^ k1;
            c3 = low_0;
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
        out[0] = (I)c0; out[1] = (I)c1; out[2] = (I)c2; out[3] = (I)c3;
    };
    // In (0, 1): the middle of one of 2^24 steps, so that a logarithm is finite.
    auto unit_lanes = [](I word) { return (omm::to_float((I)((U)word >> 8)) + 0.5f) * (1.0f / 16777216.0f); };
    // Two independent standard normal numbers, |z| < 5.9. Source: Box, Muller, Ann. Math. Statist. 29(2), 1958.
    auto normal_pair = [&](I word_0, I word_1, F& a, F& b) {
        const F radius = omm::sqrt(omm::log2(unit_lanes(word_0)) * -1.3862943611198906f);  // sqrt(-2 ln u)
        F sine, cosine;
        omm::sincos(unit_lanes(word_1), sine, cosine);
        a = radius * cosine;
        b = radius * sine;
    };
    // A Poisson number: below EXACT_MEAN by inversion of its distribution function at `u`, exact up to the 2^-24 of u;
    // above from a normal number `z` with the mean, variance and, by the Cornish-Fisher term, skewness of Poisson's.
    auto poisson = [&](F mean, F u, F z) {
        const M few = mean < EXACT_MEAN;
        F count = omm::max(mean + omm::sqrt(omm::max(mean - 0.05555556f, omm::splat(0.0f))) * z + (z * z - 1.0f) * 0.16666667f, omm::splat(0.0f));
        if (omm::any(few)) {
            F k = omm::splat(0.0f), share = omm::exp2(omm::select(few, mean, omm::splat(0.0f)) * -1.4426950408889634f), sum = share;
            for (int i = 0; i < MOST_STEPS; ++i) {
                const M on = few & (u >= sum);
                if (!omm::any(on)) break;
                k = omm::select(on, k + 1.0f, k);
                share = omm::select(on, share * mean / omm::max(k, omm::splat(1.0f)), share);
                sum = omm::select(on, sum + share, sum);
            }
            count = omm::select(few, k, count);
        }
        return count;
    };
