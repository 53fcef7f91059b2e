// What rays met (kernels/surface.py, kernels/geometry.py): triangles, normals, texture coordinates. Needs camera.cpp.
// Records of floats, integers as bits. Placement, 8: first triangle, first slot, instance, -, colour and opacity.
// Triangle, 32: corners 0, 1, 2 [m] and their normals (0: the face's own), slot, texture coordinates of the first and the
// second set, -. Matrices are rows of three axes and the origin.

    struct Met {  // of a hit; lanes without one hold the first placement and triangle, which no result depends on
        M is_hit;
        F t, weight_1, weight_2;  // of corners 1 and 2
        I row, placement, triangle;  // through all meshes
        I first_slot, instance;
        V3 color;  // of the placement
    };
    struct Triangle {
        V3 edge_1, edge_2, smooth;  // mesh frame; interpolated normal, 0: faceted
        I slot;
        V2 uv[2], along_1[2], along_2[2];  // of both sets: at the hit, and what corners 1 and 2 add
    };

    auto record = [&](const float* base, int stride, I index, int offset, F* out) {
        const float* p[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l) p[l] = base + (size_t)stride * omm::get_int(index, l) + offset;
        omm::records(p, out);
    };
    // `hit[l]` is the hit of lane l (kernels/trace.py); placement below 0: nothing.
    auto met_by = [&](const auto& geometry, auto* const* hit, const Rows& rows) {
        Met met;
        I placement = omm::splat_int(0), triangle = omm::splat_int(0), packed = omm::splat_int(0);
        met.t = omm::splat(0.0f);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            omm::set(met.t, l, hit[l]->t);
            omm::set_int(placement, l, hit[l]->placement);
            omm::set_int(triangle, l, hit[l]->triangle);
            omm::set_int(packed, l, (int)hit[l]->uv);
        }
        met.is_hit = placement >= 0;
        met.row = rows.each;
        met.placement = omm::select_int(met.is_hit, placement, omm::splat_int(0));
        met.weight_1 = omm::to_float(packed & 0xffff) * (1.0f / 65535.0f);
        met.weight_2 = omm::to_float((packed >> 16) & 0xffff) * (1.0f / 65535.0f);
        if (!omm::any(met.is_hit)) return met;
        F r[8];
        record(geometry.placement.data, 8, met.placement, 0, r);
        met.triangle = omm::bits(r[0]) + omm::select_int(met.is_hit, triangle, omm::splat_int(0));
        met.first_slot = omm::bits(r[1]);
        met.instance = omm::bits(r[2]);
        met.color = {r[4], r[5], r[6]};
        return met;
    };
    auto mixed = [&](F a, F b, F c, const Met& met) { return a * (1.0f - met.weight_1 - met.weight_2) + b * met.weight_1 + c * met.weight_2; };
    auto triangle_of = [&](const auto& geometry, const Met& met, bool with_uv) {
        Triangle out;
        F r[32];
        for (int k = 0; k < (with_uv ? 32 : 24); k += 8) record(geometry.triangle.data, 32, met.triangle, k, r + k);
        const V3 corner = {r[0], r[1], r[2]};
        out.edge_1 = omm::sub({r[3], r[4], r[5]}, corner);
        out.edge_2 = omm::sub({r[6], r[7], r[8]}, corner);
        out.smooth = {mixed(r[9], r[12], r[15], met), mixed(r[10], r[13], r[16], met), mixed(r[11], r[14], r[17], met)};
        out.slot = omm::bits(r[18]);
        for (int set = 0; with_uv && set < 2; ++set) {
            const F* c = r + 19 + 6 * set;
            const V2 origin = {c[0], c[1]};
            out.along_1[set] = {c[2] - origin.x, c[3] - origin.y};
            out.along_2[set] = {c[4] - origin.x, c[5] - origin.y};
            out.uv[set] = {origin.x + out.along_1[set].x * met.weight_1 + out.along_2[set].x * met.weight_2,
                           origin.y + out.along_1[set].y * met.weight_1 + out.along_2[set].y * met.weight_2};
        }
        return out;
    };
    auto own_material = [&](const auto& geometry, const Met& met, const Triangle& triangle) {
        return omm::gather_int(geometry.slot_material.data, met.first_slot + triangle.slot);
    };
    // The matrix of every lane's row and placement, 12 floats.
    auto matrix_of = [&](const auto& matrices, const Met& met, F* m) {
        const float* p[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l)
            p[l] = (const float*)((const char*)matrices.data + (size_t)omm::get_int(met.row, l) * matrices.strides[0]
                                  + (size_t)omm::get_int(met.placement, l) * matrices.strides[1]);
        F last[8];
        omm::records(p, m);
        for (int l = 0; l < OMM_WIDTH; ++l) p[l] += 4;
        omm::records(p, last);
        for (int k = 4; k < 8; ++k) m[k + 4] = last[k];
    };
    // World to mesh, in the same order.
    auto inverse_of = [&](const auto& trees, const Met& met, F* m) {
        const float* p[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l)
            p[l] = trees.record.data + 16 * ((size_t)omm::get_int(met.row, l) * trees.placement_count + omm::get_int(met.placement, l));
        F columns[16];
        omm::records(p, columns);
        for (int l = 0; l < OMM_WIDTH; ++l) p[l] += 8;
        omm::records(p, columns + 8);
        for (int k = 0; k < 12; ++k) m[k] = columns[4 * (k % 4) + k / 4];
    };
    auto transform_vector = [&](const F* m, V3 v) {
        return V3{m[0] * v.x + m[1] * v.y + m[2] * v.z, m[4] * v.x + m[5] * v.y + m[6] * v.z, m[8] * v.x + m[9] * v.y + m[10] * v.z};
    };
    // A normal in the target frame, given the map's inverse: the inverse transpose, also when mirrored. Not unit.
    auto transform_normal = [&](const F* inverse, V3 n) {
        return V3{inverse[0] * n.x + inverse[4] * n.y + inverse[8] * n.z, inverse[1] * n.x + inverse[5] * n.y + inverse[9] * n.z,
                  inverse[2] * n.x + inverse[6] * n.y + inverse[10] * n.z};
    };
    auto is_faceted = [&](V3 smooth) { return omm::dot(smooth, smooth) == 0.0f; };
