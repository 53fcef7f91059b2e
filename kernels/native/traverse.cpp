// Body of a Warp native function: one ray against the two-level tree of `row`.
// In:  geometry (kernels/geometry.py), row, origin, direction, t_max, only_any (1: stop at the first hit).
// Out: (t, placement, triangle, barycentric weights as two 16-bit fixed-point numbers), integers as bits; t < 0: nothing.
// With OMM_AFTER there is also `after`, a hit (kernels/trace.py): only what lies strictly after it counts, in the order of
// (t, placement, triangle). Asked again with what it found, it walks through all triangles along a ray, none twice.
//
// Nodes hold LANES children, struct-of-arrays: low x, y, z, high x, y, z, child code, padding; 8 * LANES floats.
// Code >= 0: inner node. Top level: ~placement. Bottom level: ~(block << 3 | blocks - 1), a block being four triangles:
// corner 0 x[4] y[4] z[4], corner 1, corner 2, triangle[4]; 40 floats.
//
// Triangles: Woop, Benthin, Wald, "Watertight ray/triangle intersection", JCGT 2(1), 2013. The edge functions are
// computed without fused multiply-add, so that two triangles see their common edge with opposite signs, exactly.
// Boxes: the far side is widened by three roundings (Ize, "Robust BVH ray traversal", JCGT 2(2), 2013). Where a ray grazes
// a surface the t of a triangle differs from that of its flat box by more; SLACK keeps such a box, or ties would be lost.
// One loop and one stack for both levels: a SENTINEL below a mesh's entries says when to return to the world's ray.

#if defined(__CUDA_ARCH__)
#define OMM_LANES 4
#define OMM_SUB(a, b) __fsub_rn(a, b)
#define OMM_MUL(a, b) __fmul_rn(a, b)
#else
#define OMM_LANES 8
#endif

    const int LANES = OMM_LANES, STACK = 192, SENTINEL = 0x7fffffff;
    const float WIDEN = 1.0000005f, HUGE_SLOPE = 1.0e36f;
    const float SLACK = 1.0e-4f;  // of t
#if defined(OMM_AFTER)
    const float first_t = after.t, first_box_t = first_t * (1.0f - SLACK);
#else
    const float first_box_t = 0.0f;
#endif
    struct Entry { int code; float t; };
    Entry stack[STACK];
    int depth = 0;
    float best = t_max, last_box_t = only_any ? t_max : t_max * (1.0f + SLACK), hit_v = 0.0f, hit_w = 0.0f;
    int hit_placement = -1, hit_triangle = -1, placement = -1;
    const float* top = trees.top_node.data + (size_t)row * trees.top_stride;
    const float* nodes = top;
    const float* blocks = nullptr;
    float o[3], d[3], r[3], sx, sy, sz;
    int near_side[3], kx = 0, ky = 1, kz = 2;

    auto set_ray = [&](const float* origin_, const float* direction_) {
        for (int a = 0; a < 3; ++a) {
            o[a] = origin_[a];
            d[a] = direction_[a];
            const float size = d[a] < 0.0f ? -d[a] : d[a];
            r[a] = size > 1.0f / HUGE_SLOPE ? 1.0f / d[a] : (d[a] < 0.0f ? -HUGE_SLOPE : HUGE_SLOPE);
            near_side[a] = r[a] >= 0.0f ? a * LANES : (a + 3) * LANES;
        }
    };
    auto set_shear = [&]() {
        const float x = d[0] < 0 ? -d[0] : d[0], y = d[1] < 0 ? -d[1] : d[1], z = d[2] < 0 ? -d[2] : d[2];
        kz = x > y ? (x > z ? 0 : 2) : (y > z ? 1 : 2);
        kx = kz == 2 ? 0 : kz + 1;
        ky = kx == 2 ? 0 : kx + 1;
        sz = 1.0f / d[kz];
        sx = d[kx] * sz;
        sy = d[ky] * sz;
    };
    auto closer = [&](float t, int triangle) {
#if defined(OMM_AFTER)
        if (t < first_t || (t == first_t && (placement < after.placement || (placement == after.placement && triangle <= after.triangle))))
            return false;
#endif
        return t < best || (t == best && (placement < hit_placement || (placement == hit_placement && triangle < hit_triangle)));
    };

#if defined(__CUDA_ARCH__)
    auto lowest = [](int mask) { return __ffs(mask) - 1; };
    auto meet_boxes = [&](const float* n, float* enter) {
        int mask = 0;
        for (int i = 0; i < LANES; ++i) {
            float t0 = first_box_t, t1 = last_box_t;
            for (int a = 0; a < 3; ++a) {
                const int far_side = (2 * a + 3) * LANES - near_side[a];
                t0 = fmaxf(t0, (n[near_side[a] + i] - o[a]) * r[a]);
                t1 = fminf(t1, (n[far_side + i] - o[a]) * r[a] * WIDEN);
            }
            enter[i] = t0;
            mask |= (t0 <= t1) << i;
        }
        return mask;
    };
    auto meet_triangles = [&](const float* b) {
        const int* name = (const int*)(b + 36);
        bool found = false;
        for (int i = 0; i < 4; ++i) {
            float px[3], py[3], pz[3];
            for (int c = 0; c < 3; ++c) {
                const float* p = b + 12 * c + i;
                const float z = OMM_SUB(p[4 * kz], o[kz]);
                px[c] = OMM_SUB(OMM_SUB(p[4 * kx], o[kx]), OMM_MUL(sx, z));
                py[c] = OMM_SUB(OMM_SUB(p[4 * ky], o[ky]), OMM_MUL(sy, z));
                pz[c] = OMM_MUL(sz, z);
            }
            const float u = OMM_SUB(OMM_MUL(px[2], py[1]), OMM_MUL(py[2], px[1]));
            const float v = OMM_SUB(OMM_MUL(px[0], py[2]), OMM_MUL(py[0], px[2]));
            const float w = OMM_SUB(OMM_MUL(px[1], py[0]), OMM_MUL(py[1], px[0]));
            if ((u < 0.0f || v < 0.0f || w < 0.0f) && (u > 0.0f || v > 0.0f || w > 0.0f)) continue;
            const float det = u + v + w;
            if (det == 0.0f) continue;
            const float t = (u * pz[0] + v * pz[1] + w * pz[2]) / det;
            if (t > 0.0f && closer(t, name[i])) {
                best = t;
                last_box_t = t * (1.0f + SLACK);
                hit_v = v / det;
                hit_w = w / det;
                hit_placement = placement;
                hit_triangle = name[i];
                found = true;
            }
        }
        return found;
    };
#else
    typedef float f8 __attribute__((vector_size(32), aligned(4)));
    typedef float f4 __attribute__((vector_size(16), aligned(4)));
    typedef int i4 __attribute__((vector_size(16), aligned(4)));
    typedef bool b8 __attribute__((ext_vector_type(8)));
    typedef bool b4 __attribute__((ext_vector_type(4)));
    auto lowest = [](int mask) { return __builtin_ctz(mask); };
    auto meet_boxes = [&](const float* n, float* enter) {
        f8 t0 = first_box_t - f8{}, t1 = last_box_t - f8{};
        for (int a = 0; a < 3; ++a) {
            const int far_side = (2 * a + 3) * LANES - near_side[a];
            const f8 e = (*(const f8*)(n + near_side[a]) - o[a]) * r[a];
            const f8 l = (*(const f8*)(n + far_side) - o[a]) * (r[a] * WIDEN);
            t0 = e > t0 ? e : t0;
            t1 = l < t1 ? l : t1;
        }
        *(f8*)enter = t0;
        return (int)__builtin_bit_cast(unsigned char, __builtin_convertvector(t0 <= t1, b8));
    };
    auto meet_triangles = [&](const float* b) {
#pragma clang fp contract(off)
        f4 px[3], py[3], pz[3];
        for (int c = 0; c < 3; ++c) {
            const float* p = b + 12 * c;
            const f4 z = *(const f4*)(p + 4 * kz) - o[kz];
            px[c] = (*(const f4*)(p + 4 * kx) - o[kx]) - sx * z;
            py[c] = (*(const f4*)(p + 4 * ky) - o[ky]) - sy * z;
            pz[c] = sz * z;
        }
        const f4 u = px[2] * py[1] - py[2] * px[1];
        const f4 v = px[0] * py[2] - py[0] * px[2];
        const f4 w = px[1] * py[0] - py[1] * px[0];
        const f4 det = u + v + w;
        const f4 t = (u * pz[0] + v * pz[1] + w * pz[2]) / det;
        const i4 inside = ((u >= 0.0f) & (v >= 0.0f) & (w >= 0.0f)) | ((u <= 0.0f) & (v <= 0.0f) & (w <= 0.0f));
        const i4 ok = inside & (det != 0.0f) & (t > 0.0f) & (t <= best);
        int mask = (int)(__builtin_bit_cast(unsigned char, __builtin_convertvector(ok, b4)) & 15);
        bool found = false;
        const int* name = (const int*)(b + 36);
        while (mask) {
            const int i = lowest(mask);
            mask &= mask - 1;
            if (closer(t[i], name[i])) {
                best = t[i];
                last_box_t = t[i] * (1.0f + SLACK);
                hit_v = v[i] / det[i];
                hit_w = w[i] / det[i];
                hit_placement = placement;
                hit_triangle = name[i];
                found = true;
            }
        }
        return found;
    };
#endif

    const float world_o[3] = {origin[0], origin[1], origin[2]};
    const float world_d[3] = {direction[0], direction[1], direction[2]};
    set_ray(world_o, world_d);
    int code = 0;
    bool done = false;
    while (!done) {
        if (code >= 0) {  // inner node: go to the nearest child, push the others, nearest on top
            const float* n = nodes + (size_t)(8 * LANES) * code;
            const int* child = (const int*)(n + 6 * LANES);
            float enter[LANES];
            int mask = meet_boxes(n, enter);
            if (mask) {
                const int i = lowest(mask);
                mask &= mask - 1;
                code = child[i];
                if (!mask) continue;
                if (only_any) {  // order does not matter
                    for (; mask; mask &= mask - 1) stack[depth++].code = child[lowest(mask)];
                    continue;
                }
                Entry first = {code, enter[i]};
                const int base = depth;
                for (; mask; mask &= mask - 1) {
                    const int j = lowest(mask);
                    Entry entry = {child[j], enter[j]};
                    if (entry.t < first.t) { const Entry swap = entry; entry = first; first = swap; }
                    int k = depth++;
                    for (; k > base && stack[k - 1].t < entry.t; --k) stack[k] = stack[k - 1];
                    stack[k] = entry;
                }
                code = first.code;
                continue;
            }
        } else if (placement < 0) {  // leaf of the top level: enter the mesh
            const int p = ~code;
            const float* m = (const float*)(trees.mesh_from_world.data + ((size_t)row * trees.placement_count + p));
            float mesh_o[3], mesh_d[3];
            for (int a = 0; a < 3; ++a) {
                mesh_o[a] = m[4 * a] * world_o[0] + m[4 * a + 1] * world_o[1] + m[4 * a + 2] * world_o[2] + m[4 * a + 3];
                mesh_d[a] = m[4 * a] * world_d[0] + m[4 * a + 1] * world_d[1] + m[4 * a + 2] * world_d[2];
            }
            placement = p;
            nodes = trees.node.data + (size_t)(8 * LANES) * trees.first_node.data[p];
            blocks = trees.block.data + (size_t)40 * trees.first_block.data[p];
            set_ray(mesh_o, mesh_d);
            set_shear();
            stack[depth++].code = SENTINEL;
            code = 0;
            continue;
        } else {  // leaf of a mesh
            const int run = ~code;
            const float* b = blocks + (size_t)40 * (run >> 3);
            bool found = false;
            for (int k = 0; k <= (run & 7); ++k, b += 40) found = meet_triangles(b) || found;
            if (found && only_any) break;
        }
        for (;;) {  // pop
            if (depth == 0) { done = true; break; }
            const Entry entry = stack[--depth];
            if (entry.code == SENTINEL) {
                placement = -1;
                nodes = top;
                set_ray(world_o, world_d);
            } else if (only_any || entry.t <= last_box_t) {
                code = entry.code;
                break;
            }
        }
    }
    auto fixed = [](float x) { x = x < 0.0f ? 0.0f : (x > 1.0f ? 1.0f : x); return (unsigned int)(x * 65535.0f + 0.5f); };
    const unsigned int packed = fixed(hit_v) | fixed(hit_w) << 16;
    union Bits { int i; unsigned int u; float f; };
    Bits placement_bits, triangle_bits, weight_bits;
    placement_bits.i = hit_placement;
    triangle_bits.i = hit_triangle;
    weight_bits.u = packed;
    return wp::vec4(hit_placement >= 0 ? best : -1.0f, placement_bits.f, triangle_bits.f, weight_bits.f);
