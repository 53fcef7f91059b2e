// Eight rays at once against the tree of a row, on the CPU: neighbours mostly meet the same boxes. Needs traverse.cpp and
// lanes.cpp. `walk_group(trees, row, origin, direction, lanes, t_max, only_any, begin)`; `lanes`: a bit for each ray there
// is; begin: as in `walk`.
// Out: what `walk` finds for each of them, to the bit: a hit is computed by the same operations, and of two the same wins.
//
// An entry of the stack has the rays that meet its box. The children of a node are culled by one interval that holds all
// rays (Boulos et al., "Geometric and arithmetic culling methods for entire ray packets", 2006), then by each ray of the
// entry; a ray that is left alone is tested against all children at once, as in traverse.cpp. What is pushed is
// prefetched: while one ray's box is on its way from memory, others are at work.
#if !defined(__CUDA_ARCH__)

    const int OMM_ALL = 255;
    struct Bundle {  // the rays on a level of the tree
        F o[3], d[3], r[3], far_r[3];  // reciprocals of d, widened for far sides
        float low_o[3], high_o[3], low_r[3], high_r[3];  // over all lanes; set for inner nodes only, as the next two
        bool is_aligned;  // directions have the same signs
        int near_side[3];
    };
    struct Bests { F t, v, w, det; I placement, triangle; };

    auto bits_of = [](M m) {
        typedef bool b8 __attribute__((ext_vector_type(8)));
        return (int)__builtin_bit_cast(unsigned char, __builtin_convertvector(m, b8));
    };
    auto mask_of = [](int bits) { return (bits >> omm::lanes() & 1) != 0; };
    auto least = [](F x) {  // of the lanes; the built-in reduction is a chain of single comparisons
        x = omm::min(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3));
        x = omm::min(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5));
        return omm::min(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6))[0];
    };
    auto most = [&](F x) { return -least(-x); };
    auto walk_group = [&](const auto& trees, int row, V3 origin, V3 direction, int lanes, F t_max, bool only_any, int begin = 0) {
        struct Entry { int code, lanes; float t; };
        typedef float f4 __attribute__((vector_size(16), aligned(4)));
        typedef int i4 __attribute__((vector_size(16), aligned(4)));
        typedef bool b4 __attribute__((ext_vector_type(4)));
        Entry stack[OMM_STACK];
        Bests best = {t_max, omm::splat(0.0f), omm::splat(0.0f), omm::splat(1.0f), omm::splat_int(-1), omm::splat_int(-1)};
        F last_box_t = only_any ? t_max : t_max * (1.0f + OMM_SLACK);
        Bundle world, mesh;
        const Bundle* rays = &world;
        const float* top = trees.top_node.data + (size_t)row * trees.top_stride;
        const float *nodes = top, *blocks = nullptr;
        int placement = -1, depth = 0, kx = 0, ky = 1, kz = 2, done = 0;
        F sx, sy, sz;

        auto lane = [](const F& value, int l) { return ((const float*)&value)[l]; };  // in memory, where bundles are
        auto set_lines = [&](Bundle& out, V3 o, V3 d) {
            const F from[3] = {o.x, o.y, o.z}, to[3] = {d.x, d.y, d.z};
            for (int a = 0; a < 3; ++a) {
                out.o[a] = from[a];
                out.d[a] = to[a];
                out.r[a] = 1.0f / to[a];
                out.far_r[a] = out.r[a] * OMM_WIDEN;
            }
        };
        auto set_interval = [&](Bundle& out) {
            out.is_aligned = true;
            for (int a = 0; a < 3; ++a) {
                out.low_o[a] = least(out.o[a]);
                out.high_o[a] = most(out.o[a]);
                out.low_r[a] = least(out.r[a]);
                out.high_r[a] = most(out.r[a]);
                const bool is_up = out.low_r[a] >= 0.0f;
                if (!is_up && out.high_r[a] >= 0.0f) out.is_aligned = false;
                const bool is_flat = out.high_r[a] > 3.4e38f || out.low_r[a] < -3.4e38f;  // for some: 0 times infinity
                if (is_flat && out.low_r[a] != out.high_r[a]) out.is_aligned = false;
                if (!omm::all((out.o[a] == out.o[a]) & (out.r[a] == out.r[a]))) out.is_aligned = false;  // no number
                out.near_side[a] = is_up ? a * 8 : (a + 3) * 8;
            }
        };
        // Children that some of the rays may meet, as bits, and where at the earliest.
        auto meet_any = [&](const float* n, float* enter) {
            omm::store(enter, omm::splat(0.0f));
            if (!rays->is_aligned) return OMM_ALL;
            F t0 = omm::splat(0.0f), t1 = omm::splat(most(last_box_t));
            for (int a = 0; a < 3; ++a) {
                const int near_side = rays->near_side[a], far_side = (2 * a + 3) * 8 - near_side;
                const bool is_up = near_side == a * 8;
                const F near = omm::load(n + near_side) - (is_up ? rays->high_o[a] : rays->low_o[a]);
                const F far = omm::load(n + far_side) - (is_up ? rays->low_o[a] : rays->high_o[a]);
                const F e = omm::min(near * rays->low_r[a], near * rays->high_r[a]);
                const F l = omm::max(far * (rays->low_r[a] * OMM_WIDEN), far * (rays->high_r[a] * OMM_WIDEN));
                t0 = omm::select(e > t0, e, t0);
                t1 = omm::select(l < t1, l, t1);
            }
            omm::store(enter, t0);
            return bits_of(t0 <= t1);
        };
        // Rays of an entry that meet a child, as bits.
        auto meet_box = [&](const float* n, int i, int candidates) {
            F t0 = omm::splat(0.0f), t1 = last_box_t;
            for (int a = 0; a < 3; ++a) {
                const F low = n[8 * a + i] - rays->o[a], high = n[8 * a + 24 + i] - rays->o[a];
                F near = low, far = high;
                if (!rays->is_aligned) {
                    near = omm::select(rays->r[a] >= 0.0f, low, high);
                    far = omm::select(rays->r[a] >= 0.0f, high, low);
                } else if (rays->near_side[a] != 8 * a) {
                    near = high;
                    far = low;
                }
                const F e = near * rays->r[a], l = far * rays->far_r[a];
                t0 = omm::select(e > t0, e, t0);
                t1 = omm::select(l < t1, l, t1);
            }
            return bits_of(t0 <= t1) & candidates;
        };
        // Children that one ray meets, as bits, and where.
        auto meet_boxes = [&](const float* n, int l, float* enter) {
            F t0 = omm::splat(0.0f), t1 = omm::splat(last_box_t[l]);
            for (int a = 0; a < 3; ++a) {
                const float o = lane(rays->o[a], l), r = lane(rays->r[a], l);
                const int near_side = r >= 0.0f ? a * 8 : (a + 3) * 8, far_side = (2 * a + 3) * 8 - near_side;
                const F e = (omm::load(n + near_side) - o) * r, x = (omm::load(n + far_side) - o) * lane(rays->far_r[a], l);
                t0 = omm::select(e > t0, e, t0);
                t1 = omm::select(x < t1, x, t1);
            }
            omm::store(enter, t0);
            return bits_of(t0 <= t1);
        };
        auto children_of = [&](const float* n) { return bits_of(omm::bits(omm::load(n + 48)) != 0); };
        auto prefetch = [&](const float* p, int bytes) {
            for (int k = 0; k < bytes; k += 64) __builtin_prefetch((const char*)p + k);
        };
        auto push = [&](int base, Entry entry) {  // nearest on top
            if (entry.code >= 0) prefetch(nodes + (size_t)64 * entry.code, 256);
            else if (placement >= 0) prefetch(blocks + (size_t)40 * (~entry.code >> 3), 160);
            else prefetch(trees.record.data + ((size_t)row * trees.placement_count + ~entry.code) * 16, 64);
            int k = depth++;
            for (; !only_any && k > base && stack[k - 1].t < entry.t; --k) stack[k] = stack[k - 1];
            stack[k] = entry;
        };
        auto record_of = [&](int p) { return trees.record.data + ((size_t)row * trees.placement_count + p) * 16; };
        // Go on in the mesh of a placement with those rays that are steepest along the same axis; return them.
        auto enter_mesh = [&](int p, int candidates) {
#pragma clang fp contract(off)
            const float* m = record_of(p);
            const V3 o = {world.o[0], world.o[1], world.o[2]}, d = {world.d[0], world.d[1], world.d[2]};
            const V3 from = {m[0] * o.x + m[4] * o.y + m[8] * o.z + m[12], m[1] * o.x + m[5] * o.y + m[9] * o.z + m[13],
                             m[2] * o.x + m[6] * o.y + m[10] * o.z + m[14]};
            auto steep = [&](F slope) { return omm::from_bits(omm::bits(slope) & (omm::abs(slope) > OMM_LEAST_SLOPE)); };
            const V3 to = {steep(m[0] * d.x + m[4] * d.y + m[8] * d.z), steep(m[1] * d.x + m[5] * d.y + m[9] * d.z),
                           steep(m[2] * d.x + m[6] * d.y + m[10] * d.z)};
            set_lines(mesh, from, to);
            const F x = omm::abs(to.x), y = omm::abs(to.y), z = omm::abs(to.z);
            const I axis = omm::select_int(x > y, omm::select_int(x > z, omm::splat_int(0), omm::splat_int(2)),
                                           omm::select_int(y > z, omm::splat_int(1), omm::splat_int(2)));
            kz = axis[__builtin_ctz(candidates)];
            kx = kz == 2 ? 0 : kz + 1;
            ky = kx == 2 ? 0 : kx + 1;
            sz = mesh.r[kz];
            sx = mesh.d[kx] * sz;
            sy = mesh.d[ky] * sz;
            placement = p;
            rays = &mesh;
            nodes = trees.node.data + (size_t)64 * ((const int*)m)[3];
            blocks = trees.block.data + (size_t)40 * ((const int*)m)[7];
            const int together = bits_of(axis == kz) & candidates;
            if (((const int*)m)[11] >= 0 && (together & (together - 1))) set_interval(mesh);
            return together;
        };
        auto take = [&](M closer, F t, F v, F w, F det, int name) {
            best.t = omm::select(closer, t, best.t);
            best.v = omm::select(closer, v, best.v);
            best.w = omm::select(closer, w, best.w);
            best.det = omm::select(closer, det, best.det);
            best.placement = omm::select_int(closer, omm::splat_int(placement), best.placement);
            best.triangle = omm::select_int(closer, omm::splat_int(name), best.triangle);
            if (only_any) done |= bits_of(closer);
            else last_box_t = best.t * (1.0f + OMM_SLACK);
        };
        auto wins = [&](F t, int name) {
            return (t < best.t) | ((t == best.t) & ((placement < best.placement) | ((placement == best.placement) & (name < best.triangle))));
        };
        auto meet_triangles = [&](const float* b, int candidates) {
#pragma clang fp contract(off)
            const F ox = mesh.o[kx], oy = mesh.o[ky], oz = mesh.o[kz];
            for (int i = 0; i < 4; ++i) {
                const int name = ((const int*)(b + 36))[i];
                if (name < 0) continue;
                F px[3], py[3], pz[3];
                for (int c = 0; c < 3; ++c) {
                    const float* p = b + 12 * c + i;
                    const F z = p[4 * kz] - oz;
                    px[c] = (p[4 * kx] - ox) - sx * z;
                    py[c] = (p[4 * ky] - oy) - sy * z;
                    pz[c] = sz * z;
                }
                const F u = px[2] * py[1] - py[2] * px[1];
                const F v = px[0] * py[2] - py[0] * px[2];
                const F w = px[1] * py[0] - py[1] * px[0];
                const M inside = mask_of(candidates) & (((u >= 0.0f) & (v >= 0.0f) & (w >= 0.0f)) | ((u <= 0.0f) & (v <= 0.0f) & (w <= 0.0f)));
                if (!omm::any(inside)) continue;
                const F det = u + v + w;
                const F t = (u * pz[0] + v * pz[1] + w * pz[2]) / det;
                const M closer = inside & (det != 0.0f) & (t > 0.0f) & wins(t, name);
                if (omm::any(closer)) take(closer, t, v, w, det, name);
            }
        };
        // The four triangles of a block at once, for one ray.
        auto meet_block = [&](const float* b, int l) {
#pragma clang fp contract(off)
            const float ox = lane(mesh.o[kx], l), oy = lane(mesh.o[ky], l), oz = lane(mesh.o[kz], l);
            const float slope_x = lane(sx, l), slope_y = lane(sy, l), slope_z = lane(sz, l);
            f4 px[3], py[3], pz[3];
            for (int c = 0; c < 3; ++c) {
                const float* p = b + 12 * c;
                const f4 z = *(const f4*)(p + 4 * kz) - oz;
                px[c] = (*(const f4*)(p + 4 * kx) - ox) - slope_x * z;
                py[c] = (*(const f4*)(p + 4 * ky) - oy) - slope_y * z;
                pz[c] = slope_z * z;
            }
            const f4 u = px[2] * py[1] - py[2] * px[1];
            const f4 v = px[0] * py[2] - py[0] * px[2];
            const f4 w = px[1] * py[0] - py[1] * px[0];
            const i4 inside = ((u >= 0.0f) & (v >= 0.0f) & (w >= 0.0f)) | ((u <= 0.0f) & (v <= 0.0f) & (w <= 0.0f));
            if (!(__builtin_bit_cast(unsigned char, __builtin_convertvector(inside, b4)) & 15)) return;
            const f4 det = u + v + w;
            const f4 t = (u * pz[0] + v * pz[1] + w * pz[2]) / det;
            const i4 ok = inside & (det != 0.0f) & (t > 0.0f) & (t <= best.t[l]);
            for (int mask = __builtin_bit_cast(unsigned char, __builtin_convertvector(ok, b4)) & 15; mask; mask &= mask - 1) {
                const int i = __builtin_ctz(mask), name = ((const int*)(b + 36))[i];
                const M closer = mask_of(1 << l) & wins(omm::splat(t[i]), name);
                if (omm::any(closer)) take(closer, omm::splat(t[i]), omm::splat(v[i]), omm::splat(w[i]), omm::splat(det[i]), name);
            }
        };

        set_lines(world, origin, direction);
        if (begin == 0) set_interval(world);
        Entry at = {begin, lanes, 0.0f};
        for (;;) {
            const bool is_alone = (at.lanes & (at.lanes - 1)) == 0;
            const int base = depth;
            if (at.code >= 0) {
                const float* n = nodes + (size_t)64 * at.code;
                const int* child = (const int*)(n + 48);
                float enter[8];
                int met = is_alone ? meet_boxes(n, __builtin_ctz(at.lanes), enter) : meet_any(n, enter);
                for (met &= children_of(n); met; met &= met - 1) {  // a ray of NaN meets every box, also of no child
                    const int i = __builtin_ctz(met);
                    Entry entry = {child[i], at.lanes, enter[i]};
                    if (!is_alone) entry.lanes = meet_box(n, i, at.lanes);
                    if (entry.lanes) push(base, entry);
                }
            } else if (placement < 0) {
                const int p = ~at.code;
                const int together = enter_mesh(p, at.lanes), rest = at.lanes & ~together;
                if (rest) stack[depth++] = {at.code, rest, at.t};
                stack[depth++].code = OMM_SENTINEL;
                at = {((const int*)record_of(p))[11], together, at.t};
                continue;
            } else {
                const int run = ~at.code;
                const float* b = blocks + (size_t)40 * (run >> 3);
                for (int k = 0; k <= (run & 7); ++k, b += 40) {
                    if (is_alone) meet_block(b, __builtin_ctz(at.lanes));
                    else meet_triangles(b, at.lanes);
                }
            }
            for (;;) {  // pop
                if (depth == 0) return best;
                at = stack[--depth];
                if (at.code == OMM_SENTINEL) {
                    placement = -1;
                    nodes = top;
                    rays = &world;
                    continue;
                }
                at.lanes &= ~done;
                if (only_any ? at.lanes != 0 : (bool)(bits_of(last_box_t >= at.t) & at.lanes)) break;
            }
        }
    };
    // Write the hits of those lanes whose bits are set; the first lane's goes to `out`.
    auto store_hits = [&](auto* out, const Bests& best, int lanes) {
        auto fixed = [&](F x) { return omm::to_int(omm::clamp(x, 0.0f, 1.0f) * 65535.0f + 0.5f); };
        const I weights = fixed(best.v / best.det) | (fixed(best.w / best.det) << 16);
        const F t = omm::select(best.placement >= 0, best.t, omm::splat(-1.0f));
        for (; lanes; lanes &= lanes - 1) {
            const int l = __builtin_ctz(lanes);
            out[l].t = t[l];
            out[l].placement = best.placement[l];
            out[l].triangle = best.triangle[l];
            out[l].uv = (unsigned int)weights[l];
        }
    };
    // Vectors with a twin of a lane that is asked in the place of each one that is not: an interval over all stays narrow.
    auto with_twins = [&](V3 v, int lanes) {
        const int l = __builtin_ctz(lanes);
        return omm::select3(mask_of(lanes), v, omm::vec3(v.x[l], v.y[l], v.z[l]));
    };
#endif
