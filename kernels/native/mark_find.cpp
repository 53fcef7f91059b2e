// The defects at a point that a ray met (kernels/defect.py). Needs defect_kinds.cpp and surface.cpp. In: geometry, defects.

    const float LEAST_FACING = 0.3f;  // cosine of a surface to the defect's own normal: what faces elsewhere does not have it
    const float EVERY_FACE = -2.0f;  // unless it takes material away, which all faces show

    struct Spot {  // a point in the metric frame of its mesh
        V3 p, view, normal;
        F width;  // of the pixel's cone [m]
        V3 axes[3];  // of that frame, in the world
    };
    auto spot_of = [&](const Met& met, V3 position_m, V3 face_normal, V3 to_viewer, F width_m) {
        F m[12], at[3];
        inverse_of(geometry.trees, met, m);
        Spot out;
        for (int k = 0; k < 3; ++k) {
            const V3 row = {m[4 * k], m[4 * k + 1], m[4 * k + 2]};
            const F size = 1.0f / omm::max(omm::length(row), omm::splat(1.0e-20f));
            out.axes[k] = omm::scale(row, size);
            at[k] = (omm::dot(row, position_m) + m[4 * k + 3]) * size;
        }
        out.p = {at[0], at[1], at[2]};
        out.view = {omm::dot(out.axes[0], to_viewer), omm::dot(out.axes[1], to_viewer), omm::dot(out.axes[2], to_viewer)};
        out.normal = {omm::dot(out.axes[0], face_normal), omm::dot(out.axes[1], face_normal), omm::dot(out.axes[2], face_normal)};
        out.width = width_m;
        return out;
    };
    // Where in `order` the defects of the instance of every lane begin and end.
    auto bounds_of = [&](const Met& met, I& from, I& until) {
        from = until = omm::splat_int(0);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            if (!omm::get_bool(met.is_hit, l)) continue;
            const int* first = (const int*)((const char*)defects.first.data + (size_t)omm::get_int(met.row, l) * defects.first.strides[0]) + omm::get_int(met.instance, l);
            omm::set_int(from, l, first[0]);
            omm::set_int(until, l, first[1]);
        }
    };
    // Call `lay(slot, kind, who, record, trace, along, across, normal)` for the defects that may touch a point.
    auto over_defects = [&](const Met& met, const Spot& spot, I from, I until, auto&& lay) {
        const F facing = omm::max(omm::abs(omm::dot(spot.normal, spot.view)), omm::splat(MIN_COS));
        for (int j = 0; omm::any(from + j < until); ++j) {
            const M has = from + j < until;
            F near_to[8], r[32];
            const float* base[OMM_WIDTH];
            for (int l = 0; l < OMM_WIDTH; ++l)
                base[l] = (const float*)((const char*)defects.near_to.data + (size_t)omm::get_int(met.row, l) * defects.near_to.strides[0])
                          + 8 * (omm::get_bool(has, l) ? omm::get_int(from, l) + j : 0);
            omm::records(base, near_to);
            const V3 beside = omm::sub(spot.p, {near_to[0], near_to[1], near_to[2]});
            const F reach = near_to[3] + spot.width / facing;
            const M who = has & (omm::dot(beside, beside) < reach * reach) & (omm::bits(near_to[5]) == met.placement);
            if (!omm::any(who)) continue;
            const I slot = omm::bits(near_to[4]);
            for (int l = 0; l < OMM_WIDTH; ++l)
                base[l] = (const float*)((const char*)defects.record.data + (size_t)omm::get_int(met.row, l) * defects.record.strides[0])
                          + 32 * (omm::get_bool(who, l) ? omm::get_int(slot, l) : 0);
            for (int k = 0; k < 32; k += 8) {
                omm::records(base, r + k);
                for (int l = 0; l < OMM_WIDTH; ++l) base[l] += 8;
            }
            const V3 along = {r[4], r[5], r[6]}, normal = {r[7], r[8], r[9]}, across = omm::cross(normal, along);
            const I kind = omm::bits(r[0]);
            const M breaks = (kind == DEFECT_CHIP) | (kind == DEFECT_FRAY);
            const F least = omm::select(breaks, omm::splat(EVERY_FACE), omm::splat(LEAST_FACING));
            const M shown = who & (omm::dot(normal, spot.normal) > least);
            if (!omm::any(shown)) continue;
            Local at;
            at.u = omm::dot(along, beside);
            at.v = omm::dot(across, beside);
            at.w = omm::dot(normal, beside);
            at.slant_u = omm::dot(along, spot.view) / facing;
            at.slant_v = omm::dot(across, spot.view) / facing;
            at.width = spot.width;
            at.seed = (U)omm::bits(r[23]);
            const Shape shape = {omm::max(r[10], omm::splat(1.0e-6f)), omm::max(r[11], omm::splat(1.0e-6f)), r[12] * r[13], r[20], r[21], r[22], r[25]};
            const Trace trace = trace_of(kind, shown, at, shape, r[12]);
            lay(slot, kind, shown, r, trace, along, across, normal);
        }
    };
