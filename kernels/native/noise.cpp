// Noise in space, over lanes (kernels/noise.py). Needs lanes.cpp. Coordinates are in cells: a lattice point every 1.
//
// Every noise has mean 0 and variance 1 and knows its own footprint: what a pixel `footprint` cells wide cannot show is
// taken away, as much as a box filter of that width would take on average, and its variance is handed on as `hidden`, so
// that a threshold on noise keeps its mean at any distance. Coefficients were measured on random slices; see
// tests/kernels/noise_reference.py.
// Sources: Perlin, "Improving noise", SIGGRAPH 2002; Worley, "A cellular texture basis function", SIGGRAPH 1996;
// Musgrave in Ebert et al., "Texturing & modeling", 2003, chapter 16 (ridges); Wellons, "Prospecting for hash functions",
// 2018 (the mixer).

    const float GRADIENT_SCALE = 1.0f / 0.1911f, VALUE_SCALE = 1.0f / 0.4003f;  // to variance 1
    const float GRADIENT_BLUR = 1.5f, VALUE_BLUR = 0.65f, CELL_BLUR = 2.0f;  // variance left: 1 / (1 + blur footprint^2)
    const float LEAST_LEFT = 0.1f;  // of the amplitude; less is taken for nothing and costs nothing
    const float GRADIENT_SLOPE2 = 6.81f;  // variance of an axis of the gradient, at variance 1
    const float FOLD_MEAN = 0.8037f, FOLD_SCALE = 1.0f / 0.5951f;  // of the magnitude of gradient noise
    const float NEAREST_MEAN = 0.5199f, NEAREST_SCALE = 1.0f / 0.1723f;  // of the distance to the nearest point,
    const float SECOND_MEAN = 0.7162f, SECOND_SCALE = 1.0f / 0.1426f;  // and to the one after it

    struct Wave {
        F v;
        V3 d;  // gradient, per unit of the coordinates
        F hidden;  // variance that the footprint hides
        F rough;  // and that of an axis of the gradient
    };
    struct Cells {  // distances to the nearest points of a lattice, one a cell
        F nearest, second;
        V3 from;  // of the nearest to here
        U id;
    };

    auto flat_wave = [&](F v) { return Wave{v, omm::vec3(0.0f, 0.0f, 0.0f), omm::splat(0.0f), omm::splat(0.0f)}; };
    auto scrambled = [&](U h) {
        h = h ^ (h >> 16);
        h = h * 0x21f0aaadu;
        h = h ^ (h >> 15);
        h = h * 0x735a2d97u;
        return h ^ (h >> 15);
    };
    auto along_x = [&](I x) { return (U)x * 0x9e3779b1u; };
    auto along_y = [&](I y) { return (U)y * 0x85ebca77u; };
    auto along_z = [&](I z) { return (U)z * 0xc2b2ae3du; };
    // Ten bits of a word in [-1, 1], and in (0, 1).
    auto signed_bits = [&](U h, int shift) { return omm::to_float((I)((h >> shift) & 1023u)) * (2.0f / 1023.0f) - 1.0f; };
    auto unit_bits = [&](U h, int shift) { return (omm::to_float((I)((h >> shift) & 1023u)) + 0.5f) * (1.0f / 1024.0f); };
    // Share of the amplitude that is left in a footprint that covers some cells across and some along.
    auto resolved = [&](F across, F along, float blur) {
        const F left = 1.0f / omm::sqrt(omm::sqrt((1.0f + across * across * blur) * (1.0f + along * along * blur)));
        return omm::max((left - LEAST_LEFT) * (1.0f / (1.0f - LEAST_LEFT)), omm::splat(0.0f));
    };
    // Value noise and gradient noise share the eight corners of a cell and their weights, which are quintic.
    auto corner_noise = [&](V3 p, U seed, bool is_value) {
        const V3 low = {omm::floor(p.x), omm::floor(p.y), omm::floor(p.z)};
        const V3 r = omm::sub(p, low);
        const U at_x = along_x(omm::to_int(low.x)) + seed, at_y = along_y(omm::to_int(low.y)), at_z = along_z(omm::to_int(low.z));
        F s[3], ds[3];
        const F rs[3] = {r.x, r.y, r.z};
        for (int a = 0; a < 3; ++a) {
            s[a] = rs[a] * rs[a] * rs[a] * (rs[a] * (rs[a] * 6.0f - 15.0f) + 10.0f);
            ds[a] = 30.0f * rs[a] * rs[a] * (rs[a] - 1.0f) * (rs[a] - 1.0f);
        }
        Wave out = flat_wave(omm::splat(0.0f));
        for (int c = 0; c < 8; ++c) {
            const int cx = c & 1, cy = c >> 1 & 1, cz = c >> 2;
            const U h = scrambled(at_x + at_y + at_z + (cx * 0x9e3779b1u + cy * 0x85ebca77u + cz * 0xc2b2ae3du));
            const F wx = cx ? s[0] : 1.0f - s[0], wy = cy ? s[1] : 1.0f - s[1], wz = cz ? s[2] : 1.0f - s[2];
            const F dx = cx ? ds[0] : -ds[0], dy = cy ? ds[1] : -ds[1], dz = cz ? ds[2] : -ds[2];
            const F w = wx * wy * wz;
            V3 g = omm::vec3(0.0f, 0.0f, 0.0f);
            F v;
            if (is_value) {
                v = omm::to_float((I)(h >> 8)) * (1.0f / 8388608.0f) - 1.0f;
            } else {
                g = {signed_bits(h, 0), signed_bits(h, 10), signed_bits(h, 20)};
                v = g.x * (r.x - (float)cx) + g.y * (r.y - (float)cy) + g.z * (r.z - (float)cz);
            }
            out.v = out.v + w * v;
            out.d = omm::add(out.d, {w * g.x + dx * wy * wz * v, w * g.y + wx * dy * wz * v, w * g.z + wx * wy * dz * v});
        }
        const float scale = is_value ? VALUE_SCALE : GRADIENT_SCALE;
        out.v = out.v * scale;
        out.d = omm::scale(out.d, omm::splat(scale));
        return out;
    };
    // Octaves of gradient noise, each at twice the frequency and `gain` times the amplitude of the one before, as it is,
    // or folded at zero: valleys (turbulence, fold 1) or ridges (fold -1). `stretch`: of what was stretched along an axis, so
    // that a pixel averages over its width only.
    auto octaves = [&](V3 p, F footprint, U seed, int count, float gain, float fold, float stretch) {
        Wave out = flat_wave(omm::splat(0.0f));
        float amplitude = 1.0f, frequency = 1.0f, total = 0.0f;
        for (int octave = 0; octave < count; ++octave) {
            const F left = resolved(footprint * frequency, footprint * (frequency / stretch), GRADIENT_BLUR) * amplitude;
            total += amplitude * amplitude;
            out.hidden = out.hidden + (amplitude * amplitude - left * left);
            out.rough = out.rough + (amplitude * amplitude - left * left) * (GRADIENT_SLOPE2 * frequency * frequency);
            if (omm::any(left > 0.0f)) {
                const float shift = 0.37f * (float)octave;  // no point lies on the lattices of two octaves
                const Wave n = corner_noise(omm::add(omm::scale(p, omm::splat(frequency)), omm::vec3(shift, shift, shift)),
                                            seed + octave * 0x632be5abu, false);
                F v = n.v, slope = left * frequency;
                if (fold != 0.0f) {
                    slope = omm::with_sign(slope * FOLD_SCALE, n.v) * fold;
                    v = (omm::abs(n.v) - FOLD_MEAN) * (FOLD_SCALE * fold);
                }
                out.v = out.v + left * v;
                out.d = omm::add(out.d, omm::scale(n.d, slope));
            }
            amplitude *= gain;
            frequency *= 2.0f;
        }
        const F norm = 1.0f / omm::sqrt(omm::splat(total));
        out.v = out.v * norm;
        out.d = omm::scale(out.d, norm);
        out.hidden = out.hidden * norm * norm;
        out.rough = out.rough * norm * norm;
        return out;
    };
    auto fbm = [&](V3 p, F footprint, U seed, int count) { return octaves(p, footprint, seed, count, 0.5f, 0.0f, 1.0f); };
    // fBm stretched along a unit axis.
    auto streaks = [&](V3 p, V3 axis, float stretch, F footprint, U seed, int count) {
        const F short_of = omm::splat(1.0f / stretch - 1.0f);
        Wave out = octaves(omm::add(p, omm::scale(axis, omm::dot(axis, p) * short_of)), footprint, seed, count, 0.6f, 0.0f, stretch);
        out.d = omm::add(out.d, omm::scale(axis, omm::dot(axis, out.d) * short_of));
        return out;
    };
    auto cells = [&](V3 p, U seed) {
        const V3 low = {omm::floor(p.x), omm::floor(p.y), omm::floor(p.z)};
        const V3 r = omm::sub(p, low);
        const U at = along_x(omm::to_int(low.x)) + along_y(omm::to_int(low.y)) + along_z(omm::to_int(low.z)) + seed;
        F first2 = omm::splat(16.0f), second2 = first2;
        Cells out;
        out.from = omm::vec3(0.0f, 0.0f, 0.0f);
        I id = omm::splat_int(0);
        for (int k = 0; k < 27; ++k) {
            const int x = k % 3 - 1, y = k / 3 % 3 - 1, z = k / 9 - 1;
            const U h = scrambled(at + ((unsigned)x * 0x9e3779b1u + (unsigned)y * 0x85ebca77u + (unsigned)z * 0xc2b2ae3du));
            const V3 from = {r.x - (float)x - unit_bits(h, 0), r.y - (float)y - unit_bits(h, 10), r.z - (float)z - unit_bits(h, 20)};
            const F d2 = omm::dot(from, from);
            const M nearer = d2 < first2;
            second2 = omm::select(nearer, first2, omm::min(second2, d2));
            first2 = omm::select(nearer, d2, first2);
            out.from = omm::select3(nearer, from, out.from);
            id = omm::select_int(nearer, (I)h, id);
        }
        out.nearest = omm::sqrt(first2);
        out.second = omm::sqrt(second2);
        out.id = scrambled((U)id + 0x9e3779b1u);
        return out;
    };
    // Smooth step with the first two moments of a normal distribution: the share of `wave`, its hidden part included, that
    // lies above a threshold. `softness` is a standard deviation of its own.
    auto above = [&](const Wave& wave, F threshold, F softness) {
        const F half = 2.236f * omm::sqrt(wave.hidden + softness * softness + 1.0e-8f);  // a smooth step's deviations
        const F t = omm::clamp((wave.v - threshold) / half * 0.5f + 0.5f, 0.0f, 1.0f);
        const F slope = 3.0f * t * (1.0f - t) / half;
        return Wave{t * t * (3.0f - 2.0f * t), omm::scale(wave.d, slope), t * (1.0f - t) * 0.25f * omm::min(wave.hidden, omm::splat(1.0f)), wave.rough * slope * slope};
    };
    // Sums of waves that know nothing of each other, and what becomes of one under a factor.
    auto sum = [&](const Wave& a, const Wave& b) { return Wave{a.v + b.v, omm::add(a.d, b.d), a.hidden + b.hidden, a.rough + b.rough}; };
    auto times = [&](const Wave& a, F k) { return Wave{a.v * k, omm::scale(a.d, k), a.hidden * k * k, a.rough * k * k}; };
    auto complement = [&](const Wave& a) { return Wave{1.0f - a.v, omm::negative(a.d), a.hidden, a.rough}; };
    auto product = [&](const Wave& a, const Wave& b) {
        return Wave{a.v * b.v, omm::add(omm::scale(a.d, b.v), omm::scale(b.d, a.v)), a.hidden * b.v * b.v + b.hidden * a.v * a.v,
                    a.rough * b.v * b.v + b.rough * a.v * a.v};
    };
