// One ray against the two-level tree of a row (kernels/geometry.py): the function `walk` for native bodies, and with
// traverse_one.cpp the body of a Warp native function.
// `walk(trees, row, origin, direction, after, t_max, only_any, begin)`, only_any: stop at the first hit; begin: 0, or
// ~placement for that placement alone.
// Out: Found; placement -1: nothing.
// With OMM_AFTER only what lies strictly after the hit `after` (kernels/trace.py) counts, in the order of
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
// A ray with a slope of 0 in the plane of a side is inside: 0 times an infinite reciprocal is no number, and every minimum
// and maximum keeps the other operand then.
// Record of a placement in a row, 16 floats: the columns of the world-to-mesh matrix, of which each is followed by an
// integer as bits: where the mesh's nodes and its blocks begin, the code of its root (0, or a leaf if the mesh is one), 0.
// One loop and one stack for both levels: a SENTINEL below a mesh's entries says when to return to the world's ray.

#if defined(__CUDA_ARCH__)
#define OMM_LANES 4
#define OMM_SUB(a, b) __fsub_rn(a, b)
#define OMM_MUL(a, b) __fmul_rn(a, b)
#else
#define OMM_LANES 8
#endif


    const int OMM_STACK = 192, OMM_SENTINEL = 0x7fffffff;
    const float OMM_WIDEN = 1.0000005f;
    const float OMM_LEAST_SLOPE = 1.2e-38f;  // the least float with all its digits and a reciprocal; anything less is 0
    const float OMM_SLACK = 1.0e-4f;  // of t

    struct Found {
        float t;
        int placement, triangle;
        unsigned int weights;  // barycentric, of corners 1 and 2, as 16-bit fixed-point numbers
    };
    struct Line { float o[4], d[4], r[4]; int near_side[3]; };  // origin, direction, its reciprocal, and where a near side is

    auto store_hit = [](auto& hit, const Found& found) {
        hit.t = found.placement >= 0 ? found.t : -1.0f;
        hit.placement = found.placement;
        hit.triangle = found.triangle;
        hit.uv = found.weights;
    };
    auto walk = [&](const auto& trees, int row, const float* world_o, const float* world_d, const auto& after, float t_max, bool only_any, int begin = 0) {
        const int LANES = OMM_LANES;
#if defined(OMM_AFTER)
        const float first_t = after.t, first_box_t = first_t * (1.0f - OMM_SLACK);
#else
        const float first_box_t = 0.0f;
#endif
        struct Entry { int code; float t; };
        Entry stack[OMM_STACK];
        Line world, mesh;
        const Line* ray = &world;
        int depth = 0, kx = 0, ky = 1, kz = 2;
        float best = t_max, last_box_t = only_any ? t_max : t_max * (1.0f + OMM_SLACK), sx = 0.0f, sy = 0.0f, sz = 0.0f;
        float hit_v = 0.0f, hit_w = 0.0f, hit_det = 1.0f;
        int hit_placement = -1, hit_triangle = -1, placement = -1;
        const float* top = trees.top_node.data + (size_t)row * trees.top_stride;
        const float* nodes = top;
        const float* blocks = nullptr;

        auto closer = [&](float t, int triangle) {
#if defined(OMM_AFTER)
            if (t < first_t || (t == first_t && (placement < after.placement || (placement == after.placement && triangle <= after.triangle))))
                return false;
#endif
            return t < best || (t == best && (placement < hit_placement || (placement == hit_placement && triangle < hit_triangle)));
        };
        auto take = [&](float t, float v, float w, float det, int triangle) {
            best = t;
            last_box_t = t * (1.0f + OMM_SLACK);
            hit_v = v;
            hit_w = w;
            hit_det = det;
            hit_placement = placement;
            hit_triangle = triangle;
        };

#if defined(__CUDA_ARCH__)
        auto lowest = [](int mask) { return __ffs(mask) - 1; };
        auto prepare = [&](Line& line) {
            for (int a = 0; a < 3; ++a) line.r[a] = 1.0f / line.d[a];
        };
        auto enter_mesh = [&](const float* m) {
            for (int a = 0; a < 3; ++a) {
                mesh.o[a] = m[a] * world.o[0] + m[4 + a] * world.o[1] + m[8 + a] * world.o[2] + m[12 + a];
                const float d = m[a] * world.d[0] + m[4 + a] * world.d[1] + m[8 + a] * world.d[2];
                mesh.d[a] = fabsf(d) > OMM_LEAST_SLOPE ? d : 0.0f;
            }
        };
        auto meet_boxes = [&](const float* n, float* enter) {
            int mask = 0;
            for (int i = 0; i < LANES; ++i) {
                float t0 = first_box_t, t1 = last_box_t;
                for (int a = 0; a < 3; ++a) {
                    const int far_side = (2 * a + 3) * LANES - ray->near_side[a];
                    t0 = fmaxf(t0, (n[ray->near_side[a] + i] - ray->o[a]) * ray->r[a]);
                    t1 = fminf(t1, (n[far_side + i] - ray->o[a]) * ray->r[a] * OMM_WIDEN);
                }
                enter[i] = t0;
                mask |= (t0 <= t1 && ((const int*)(n + 6 * LANES))[i] != 0) << i;  // 0: no child; a ray of NaN meets every box
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
                    const float z = OMM_SUB(p[4 * kz], mesh.o[kz]);
                    px[c] = OMM_SUB(OMM_SUB(p[4 * kx], mesh.o[kx]), OMM_MUL(sx, z));
                    py[c] = OMM_SUB(OMM_SUB(p[4 * ky], mesh.o[ky]), OMM_MUL(sy, z));
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
                    take(t, v, w, det, name[i]);
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
        auto prepare = [&](Line& line) { *(f4*)line.r = 1.0f / *(const f4*)line.d; };
        auto enter_mesh = [&](const float* m) {
#pragma clang fp contract(off)
            const i4 xyz = {-1, -1, -1, 0};  // the integers beside the columns are no floats: denormals would be slow
            const f4 c0 = (f4)(*(const i4*)m & xyz), c1 = (f4)(*(const i4*)(m + 4) & xyz);
            const f4 c2 = (f4)(*(const i4*)(m + 8) & xyz), c3 = (f4)(*(const i4*)(m + 12) & xyz);
            *(f4*)mesh.o = c0 * world.o[0] + c1 * world.o[1] + c2 * world.o[2] + c3;
            const i4 d = (i4)(c0 * world.d[0] + c1 * world.d[1] + c2 * world.d[2]);
            *(i4*)mesh.d = d & ((f4)(d & 0x7fffffff) > OMM_LEAST_SLOPE);
        };
        auto meet_boxes = [&](const float* n, float* enter) {
            f8 t0 = first_box_t - f8{}, t1 = last_box_t - f8{};
            for (int a = 0; a < 3; ++a) {
                const int near_side = ray->near_side[a], far_side = (2 * a + 3) * LANES - near_side;
                const f8 e = (*(const f8*)(n + near_side) - ray->o[a]) * ray->r[a];
                const f8 l = (*(const f8*)(n + far_side) - ray->o[a]) * (ray->r[a] * OMM_WIDEN);
                t0 = e > t0 ? e : t0;
                t1 = l < t1 ? l : t1;
            }
            *(f8*)enter = t0;
            typedef int i8 __attribute__((vector_size(32), aligned(4)));
            const i8 met = (t0 <= t1) & (*(const i8*)(n + 6 * LANES) != 0);  // 0: no child; a ray of NaN meets every box
            return (int)__builtin_bit_cast(unsigned char, __builtin_convertvector(met, b8));
        };
        auto meet_triangles = [&](const float* b) {
#pragma clang fp contract(off)
            f4 px[3], py[3], pz[3];
            for (int c = 0; c < 3; ++c) {
                const float* p = b + 12 * c;
                const f4 z = *(const f4*)(p + 4 * kz) - mesh.o[kz];
                px[c] = (*(const f4*)(p + 4 * kx) - mesh.o[kx]) - sx * z;
                py[c] = (*(const f4*)(p + 4 * ky) - mesh.o[ky]) - sy * z;
                pz[c] = sz * z;
            }
            const f4 u = px[2] * py[1] - py[2] * px[1];
            const f4 v = px[0] * py[2] - py[0] * px[2];
            const f4 w = px[1] * py[0] - py[1] * px[0];
            const i4 inside = ((u >= 0.0f) & (v >= 0.0f) & (w >= 0.0f)) | ((u <= 0.0f) & (v <= 0.0f) & (w <= 0.0f));
            if (!(__builtin_bit_cast(unsigned char, __builtin_convertvector(inside, b4)) & 15)) return false;
            const f4 det = u + v + w;
            const f4 t = (u * pz[0] + v * pz[1] + w * pz[2]) / det;
            const i4 ok = inside & (det != 0.0f) & (t > 0.0f) & (t <= best);
            int mask = (int)(__builtin_bit_cast(unsigned char, __builtin_convertvector(ok, b4)) & 15);
            bool found = false;
            const int* name = (const int*)(b + 36);
            for (; mask; mask &= mask - 1) {
                const int i = lowest(mask);
                if (!closer(t[i], name[i])) continue;
                take(t[i], v[i], w[i], det[i], name[i]);
                found = true;
            }
            return found;
        };
#endif
        auto face_sides = [&](Line& line) {
            for (int a = 0; a < 3; ++a) line.near_side[a] = line.r[a] >= 0.0f ? a * LANES : (a + 3) * LANES;
        };

        for (int a = 0; a < 3; ++a) {
            world.o[a] = world_o[a];
            world.d[a] = world_d[a];
        }
        world.d[3] = mesh.d[3] = 1.0f;
        prepare(world);
        face_sides(world);
        int code = begin;
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
                const float* m = trees.record.data + ((size_t)row * trees.placement_count + p) * 16;
                const int* name = (const int*)m;
                enter_mesh(m);
                prepare(mesh);
                face_sides(mesh);
                ray = &mesh;
                const float x = mesh.d[0] < 0 ? -mesh.d[0] : mesh.d[0], y = mesh.d[1] < 0 ? -mesh.d[1] : mesh.d[1], z = mesh.d[2] < 0 ? -mesh.d[2] : mesh.d[2];
                kz = x > y ? (x > z ? 0 : 2) : (y > z ? 1 : 2);
                kx = kz == 2 ? 0 : kz + 1;
                ky = kx == 2 ? 0 : kx + 1;
                sz = mesh.r[kz];
                sx = mesh.d[kx] * sz;
                sy = mesh.d[ky] * sz;
                placement = p;
                nodes = trees.node.data + (size_t)(8 * LANES) * name[3];
                blocks = trees.block.data + (size_t)40 * name[7];
                stack[depth++].code = OMM_SENTINEL;
                code = name[11];
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
                if (entry.code == OMM_SENTINEL) {
                    placement = -1;
                    nodes = top;
                    ray = &world;
                } else if (only_any || entry.t <= last_box_t) {
                    code = entry.code;
                    break;
                }
            }
        }
        auto fixed = [](float x) { x = x < 0.0f ? 0.0f : (x > 1.0f ? 1.0f : x); return (unsigned int)(x * 65535.0f + 0.5f); };
        return Found{best, hit_placement, hit_triangle, fixed(hit_v / hit_det) | fixed(hit_w / hit_det) << 16};
    };
