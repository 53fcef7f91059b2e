// Rays of a word's column together, on the CPU (kernels/canvas.py). Needs traverse_group.cpp and canvas.cpp.
// `bundle_may_meet(trees, row, placement, origin, direction)`: whether a ray between two, of lanes 0 and 1, may meet a
// placement's mesh. All rays lie between them in origin and direction; boxes are asked with intervals that hold them.
#if !defined(__CUDA_ARCH__)

    const float LOOSE = 4.0e-6f;  // of the longest vector: clears the rounding of rays between the two
    auto bundle_may_meet = [&](const auto& trees, int row, int placement, V3 origin, V3 direction) {
        const float* m = trees.record.data + ((size_t)row * trees.placement_count + placement) * 16;
        int stack[OMM_STACK], depth = 0, code = ((const int*)m)[11];
        if (code < 0) return true;
        const F o[3] = {origin.x, origin.y, origin.z}, d[3] = {direction.x, direction.y, direction.z};
        float low_o[3], high_o[3], low_r[3], high_r[3], from[3][2], to[3][2], size_o = 0.0f, size_d = 0.0f;
        auto larger = [](float a, float b) { return a > b ? a : b; };
        auto smaller = [](float a, float b) { return a < b ? a : b; };
        auto size_of = [](float a) { return a < 0.0f ? -a : a; };
        for (int a = 0; a < 3; ++a)
            for (int l = 0; l < 2; ++l) {
                const float turned = m[a] * o[0][l] + m[4 + a] * o[1][l] + m[8 + a] * o[2][l];
                from[a][l] = turned + m[12 + a];
                to[a][l] = m[a] * d[0][l] + m[4 + a] * d[1][l] + m[8 + a] * d[2][l];
                size_o = larger(size_o, larger(size_of(turned), size_of(m[12 + a])));
                size_d = larger(size_d, size_of(to[a][l]));
            }
        for (int a = 0; a < 3; ++a) {
            low_o[a] = smaller(from[a][0], from[a][1]) - LOOSE * size_o;
            high_o[a] = larger(from[a][0], from[a][1]) + LOOSE * size_o;
            const float low = smaller(to[a][0], to[a][1]) - LOOSE * size_d, high = larger(to[a][0], to[a][1]) + LOOSE * size_d;
            if (!(low > 0.0f || high < 0.0f)) return true;  // on both sides, or no number
            low_r[a] = 1.0f / high;
            high_r[a] = 1.0f / low;
        }
        const float* nodes = trees.node.data + (size_t)64 * ((const int*)m)[3];
        for (;;) {
            const float* n = nodes + (size_t)64 * code;
            F t0 = omm::splat(0.0f), t1 = omm::splat(FAR_M);
            for (int a = 0; a < 3; ++a) {
                const bool is_up = low_r[a] > 0.0f;
                const F low = omm::load(n + 8 * a), high = omm::load(n + 8 * a + 24);
                const F near = (is_up ? low : high) - (is_up ? high_o[a] : low_o[a]);
                const F far = (is_up ? high : low) - (is_up ? low_o[a] : high_o[a]);
                const F e = omm::min(near * low_r[a], near * high_r[a]);
                const F l = omm::max(far * (low_r[a] * OMM_WIDEN), far * (high_r[a] * OMM_WIDEN));
                t0 = omm::select(e > t0, e, t0);
                t1 = omm::select(l < t1, l, t1);
            }
            int met = bits_of((t0 <= t1) & (omm::bits(omm::load(n + 48)) != 0));
            for (; met; met &= met - 1) {
                const int next = ((const int*)(n + 48))[__builtin_ctz(met)];
                if (next < 0) return true;
                stack[depth++] = next;
            }
            if (depth == 0) return false;
            code = stack[--depth];
        }
    };
    // Rays of pixels between two lie between theirs, at the same moment.
    auto is_straight = [&](int view) {
        Pixels p;
        p.one_view = view;
        if (omm::get_int(lens_of(views, p), 0) > ORTHOGRAPHIC) return false;
        return !has_blur(views) || omm::get(of_view(views.blur, READOUT_S, p), 0) == 0.0f;
    };
    // A word's column of 32 pixels, eight of them first: where two neighbours meet one triangle, those between do as well.
    // Sets bits, and in `missed` those of the row's first 64 jobs that no ray of the word meets.
    const float WELL_INSIDE = 1.0e-4f;  // of barycentric weights: so far from an edge float32 knows its side
    const int SAMPLE_Y[8] = {0, 31, 4, 9, 13, 18, 22, 27}, IN_ORDER[8] = {0, 2, 3, 4, 5, 6, 7, 1};
    auto sample_word = [&](const CanvasRow& c, int x, int y0, unsigned int& bits, unsigned long long& missed) {
        Pixels p;
        p.view = omm::splat_int(c.view);
        p.x = omm::splat_int(x);
        p.y = p.x;
        for (int l = 0; l < 8; ++l) omm::set_int(p.y, l, y0 + SAMPLE_Y[l]);
        p.one_view = c.view;
        p.is_row = false;
        const Ray ray = center_ray(views, p);
        const int world = omm::get_int(label_rows(views, p, omm::to_float(p.y) + 0.5f).each, 0);
        for (int job = c.job; job < c.job_end && job - c.job < 64 && __builtin_popcount(bits) < 24; ++job) {
            const int* box = canvases.box.data + 4 * (size_t)job;
            const int placement = canvases.placement.data[job];
            if (x < box[0] || x >= box[2] || y0 >= box[3] || y0 + 32 <= box[1]) continue;
            if (canvases.is_open.shape[0] > 0 && canvases.is_open.data[job]) continue;
            if (!bundle_may_meet(trees, world, placement, ray.origin, ray.direction)) {
                missed |= 1ull << (job - c.job);
                continue;
            }
            if (y0 < box[1] || y0 + 32 > box[3]) continue;
            const Bests best = walk_group(trees, world, ray.origin, ray.direction, OMM_ALL, omm::splat(FAR_M), true, ~placement);
            const F v = best.v / best.det, w = best.w / best.det;
            const M is_hit = best.placement >= 0;
            const int hits = bits_of(is_hit);
            const int safe = bits_of(is_hit & (v > WELL_INSIDE) & (w > WELL_INSIDE) & (v + w < 1.0f - WELL_INSIDE));
            for (int k = 0; k < 8; ++k) {
                const int l = IN_ORDER[k], next = IN_ORDER[k < 7 ? k + 1 : 7];
                if (hits >> l & 1) bits |= 1u << SAMPLE_Y[l];
                if (next != l && (safe >> l & 1) && (safe >> next & 1) && best.triangle[l] == best.triangle[next])
                    bits |= (2u << SAMPLE_Y[next]) - (1u << SAMPLE_Y[l]);
            }
        }
    };
#endif
