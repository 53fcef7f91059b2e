// The numbers with which a pixel samples lights (kernels/sample.py). Needs camera.cpp.

    auto spread_bits = [&](U x) {  // the lower 16 bits with a zero between neighbours
        x = x & 0x0000ffffu;
        x = (x | (x << 8)) & 0x00ff00ffu;
        x = (x | (x << 4)) & 0x0f0f0f0fu;
        x = (x | (x << 2)) & 0x33333333u;
        return (x | (x << 1)) & 0x55555555u;
    };
    auto reverse_bits = [&](U x) {
        x = (x >> 16) | (x << 16);
        x = ((x & 0xff00ff00u) >> 8) | ((x & 0x00ff00ffu) << 8);
        x = ((x & 0xf0f0f0f0u) >> 4) | ((x & 0x0f0f0f0fu) << 4);
        x = ((x & 0xccccccccu) >> 2) | ((x & 0x33333333u) << 2);
        return ((x & 0xaaaaaaaau) >> 1) | ((x & 0x55555555u) << 1);
    };
    // An index shuffled so that aligned blocks of 2^k indices stay together (Owen scrambling in base 2). Source: Burley,
    // "Practical hash-based Owen scrambling", JCGT 9(4), 2020; the hash is Laine and Karras', EGSR 2011, with Vegdahl's
    // constants.
    auto scrambled = [&](U x, U seed) {
        U h = reverse_bits(x);
        h = h ^ (h * 0x3d20adeau);
        h = h + seed;
        h = h * ((seed >> 16) | 1u);
        h = h ^ (h * 0x05526c56u);
        h = h ^ (h * 0x53a22864u);
        return reverse_bits(h);
    };
    // The place of a pixel's sample in the sequence that runs through the image along a Morton curve.
    auto sequence_index = [&](const auto& views, const Pixels& p, int sample_count, int sample) {
        const U along_curve = spread_bits((U)p.x) | (spread_bits((U)p.y) << 1);
        const U seed = (U)omm::bits(of_view(views.light_shift, 3, p));
        return scrambled(along_curve, seed) * (unsigned int)sample_count + (unsigned int)sample;
    };
    // Number `k` in [0, 1) of point `n` of Roberts' R_3 sequence, shifted on the torus.
    auto sequence_number = [&](U n, const auto& shift, const Pixels& p, int k) {
        const unsigned int step = k == 0 ? 3518319155u : (k == 1 ? 2882110345u : 2360945575u);
        const U word = (U)omm::bits(of_view(shift, k, p)) + n * step;
        return omm::to_float((I)(word >> 8)) * (1.0f / 16777216.0f);
    };
