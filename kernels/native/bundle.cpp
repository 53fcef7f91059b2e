// Rays of a word's column together, on the CPU (kernels/canvas.py). Needs traverse_group.cpp and canvas.cpp.
// `bundle_may_meet(trees, row, placement, origin, direction, count)`: whether a ray between those of the first `count`
// lanes may meet a placement's mesh. In origin and direction it lies between theirs; boxes are asked with intervals.
#if !defined(__CUDA_ARCH__)

    const float LOOSE = 4.0e-6f;  // of the longest vector: clears the rounding of rays between the two
    auto bundle_may_meet = [&](const auto& trees, int row, int placement, V3 origin, V3 direction, int count) {
        const float* m = trees.record.data + ((size_t)row * trees.placement_count + placement) * 16;
        int stack[OMM_STACK], depth = 0, code = ((const int*)m)[11];
        if (code < 0) return true;
        const F o[3] = {origin.x, origin.y, origin.z}, d[3] = {direction.x, direction.y, direction.z};
        float low_o[3], high_o[3], low_r[3], high_r[3], low_d[3], high_d[3], size_o = 0.0f, size_d = 0.0f;
        auto larger = [](float a, float b) { return a > b ? a : b; };
        auto smaller = [](float a, float b) { return a < b ? a : b; };
        auto size_of = [](float a) { return a < 0.0f ? -a : a; };
        for (int a = 0; a < 3; ++a)
            for (int l = 0; l < count; ++l) {
                const float turned = m[a] * o[0][l] + m[4 + a] * o[1][l] + m[8 + a] * o[2][l];
                const float from = turned + m[12 + a];
                const float to = m[a] * d[0][l] + m[4 + a] * d[1][l] + m[8 + a] * d[2][l];
                low_o[a] = l == 0 ? from : smaller(low_o[a], from);
                high_o[a] = l == 0 ? from : larger(high_o[a], from);
                low_d[a] = l == 0 ? to : smaller(low_d[a], to);
                high_d[a] = l == 0 ? to : larger(high_d[a], to);
                size_o = larger(size_o, larger(size_of(turned), size_of(m[12 + a])));
                size_d = larger(size_d, size_of(to));
            }
        for (int a = 0; a < 3; ++a) {
            low_o[a] -= LOOSE * size_o;
            high_o[a] += LOOSE * size_o;
            const float low = low_d[a] - LOOSE * size_d, high = high_d[a] + LOOSE * size_d;
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
            if (missed >> (job - c.job) & 1) continue;
            if (canvases.is_open.shape[0] > 0 && canvases.is_open.data[job]) continue;
            if (!bundle_may_meet(trees, world, placement, ray.origin, ray.direction, 2)) {
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
    // Words of eight columns side by side, by the rays of their four corners: whether these meet one triangle, as then all
    // between do. Sets in `missed` the bits of the row's first 64 jobs that no ray of the block meets.
    const int BLOCK_X = 8;
    auto covers_block = [&](const CanvasRow& c, int x, int y0, unsigned long long& missed) {
        Pixels p;
        p.view = omm::splat_int(c.view);
        p.x = omm::splat_int(x);
        p.y = omm::splat_int(y0);
        for (int l = 0; l < 8; ++l) {
            if (l & 1) omm::set_int(p.x, l, x + BLOCK_X - 1);
            if (l & 2) omm::set_int(p.y, l, y0 + 31);
        }
        p.one_view = c.view;
        p.is_row = false;
        const Ray ray = center_ray(views, p);
        const int world = omm::get_int(label_rows(views, p, omm::to_float(p.y) + 0.5f).each, 0);
        for (int job = c.job; job < c.job_end && job - c.job < 64; ++job) {
            const int* box = canvases.box.data + 4 * (size_t)job;
            const int placement = canvases.placement.data[job];
            if (x + BLOCK_X <= box[0] || x >= box[2] || y0 >= box[3] || y0 + 32 <= box[1]) continue;
            if (canvases.is_open.shape[0] > 0 && canvases.is_open.data[job]) continue;
            if (!bundle_may_meet(trees, world, placement, ray.origin, ray.direction, 4)) {
                missed |= 1ull << (job - c.job);
                continue;
            }
            if (x < box[0] || x + BLOCK_X > box[2] || y0 < box[1] || y0 + 32 > box[3]) continue;
            const Bests best = walk_group(trees, world, ray.origin, ray.direction, OMM_ALL, omm::splat(FAR_M), true, ~placement);
            const F v = best.v / best.det, w = best.w / best.det;
            const M is_safe = (best.placement >= 0) & (v > WELL_INSIDE) & (w > WELL_INSIDE) & (v + w < 1.0f - WELL_INSIDE);
            if (bits_of(is_safe) == OMM_ALL && bits_of(best.triangle == omm::splat_int(best.triangle[0])) == OMM_ALL) return true;
        }
        return false;
    };
#endif
