// Philox4x32-10 (kernels/random.py), one counter at a time: `c` becomes four random words.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    auto philox = [](unsigned int* c, unsigned int k0, unsigned int k1) {
        for (int round = 0; round < ROUNDS; ++round) {
            const unsigned long long p0 = (unsigned long long)MULTIPLIER_0 * c[0], p1 = (unsigned long long)MULTIPLIER_1 * c[2];
            const unsigned int high_0 = (unsigned int)(p0 >> 32), high_1 = (unsigned int)(p1 >> 32);
            const unsigned int c1 = c[1], c3 = c[3];
            c[0] = high_1 ^ c1 ^ k0;
            c[1] = (unsigned int)p1;
            c[2] = high_0 ^ c3 ^ k1;
            c[3] = (unsigned int)p0;
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
    };
    auto unit_float = [](unsigned int word) { return (float)(word >> 8) * (1.0f / 16777216.0f); };  // exact
