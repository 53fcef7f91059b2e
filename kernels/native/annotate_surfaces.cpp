// Ids and coordinates of the surfaces that a run of pixels sees (kernels/annotate.py). Needs camera.cpp and surface.cpp.
// In:  geometry, views, span, hit, objects, thread. Out: the images of out_images; empty ones were not asked for.

    const int end = span.first + span.count;
    const bool wants_material = out_images.material.shape[0] > 0, wants_uv = out_images.uv.shape[0] > 0, wants_nocs = out_images.nocs.shape[0] > 0;
    const F unknown = omm::from_bits(omm::splat_int(0x7fc00000));
    // Texture coordinates at a point of a triangle, from which the hit's stored weights differ by rounding only. Where it
    // is so small or thin that its points are known worse than by 16 bits of it, the weights move by no more than those.
    auto uv_at = [&](const Met& met, const Triangle& triangle, V3 point) {
        F r[8];
        record(geometry.triangle.data, 32, met.triangle, 0, r);
        const V3 beside = omm::sub(point, {r[0], r[1], r[2]}), across = omm::cross(triangle.edge_1, triangle.edge_2);
        const F area2 = omm::dot(across, across), one = omm::splat(1.0f);
        const F share = omm::select(area2 > 0.0f, one / omm::select(area2 > 0.0f, area2, one), omm::splat(0.0f));
        const F u = omm::dot(omm::cross(beside, triangle.edge_2), across) * share - met.weight_1;
        const F v = omm::dot(omm::cross(triangle.edge_1, beside), across) * share - met.weight_2;
        const F more_1 = omm::select(area2 > 0.0f, omm::clamp(u, -WEIGHT_STEP, WEIGHT_STEP), omm::splat(0.0f));
        const F more_2 = omm::select(area2 > 0.0f, omm::clamp(v, -WEIGHT_STEP, WEIGHT_STEP), omm::splat(0.0f));
        return V2{triangle.uv[0].x + triangle.along_1[0].x * more_1 + triangle.along_2[0].x * more_2,
                  triangle.uv[0].y + triangle.along_1[0].y * more_1 + triangle.along_2[0].y * more_2};
    };
    // A point of an instance's frame in its box: centred at 1/2, with the box's diagonal as the unit. The frame's axes are
    // taken as long as the row makes them, so that one similarity leads from here to the world. Wang et al., "Normalized
    // Object Coordinate Space for Category-Level 6D Object Pose and Size Estimation", CVPR 2019, section 3.
    auto object_coordinates = [&](const Met& met, V3 point) {
        const float* p[OMM_WIDTH];
        F m[12], last[8], low[3], high[3], at[3];
        for (int l = 0; l < OMM_WIDTH; ++l)
            p[l] = (const float*)((const char*)objects.world_from_instance.data + (size_t)omm::get_int(met.row, l) * objects.world_from_instance.strides[0]
                                  + (size_t)omm::get_int(met.instance, l) * objects.world_from_instance.strides[1]);
        omm::records(p, m);
        for (int l = 0; l < OMM_WIDTH; ++l) p[l] += 4;
        omm::records(p, last);
        for (int k = 4; k < 8; ++k) m[k + 4] = last[k];
        const F from[3] = {point.x, point.y, point.z};
        F diagonal2 = omm::splat(0.0f);
        for (int k = 0; k < 3; ++k) {
            const F scale = omm::length(V3{m[k], m[4 + k], m[8 + k]});
            low[k] = omm::gather((const float*)objects.low_m.data, met.instance * 3 + k);
            high[k] = omm::gather((const float*)objects.high_m.data, met.instance * 3 + k);
            const F size = scale * (high[k] - low[k]);
            diagonal2 = diagonal2 + size * size;
            at[k] = scale * (from[k] - 0.5f * (low[k] + high[k]));
        }
        const M is_flat = omm::invert(diagonal2 > 0.0f);
        const F diagonal = omm::sqrt(omm::select(is_flat, omm::splat(1.0f), diagonal2));
        for (int k = 0; k < 3; ++k) at[k] = omm::select(is_flat, omm::splat(0.5f), omm::clamp(0.5f + at[k] / diagonal, 0.0f, 1.0f));
        return V3{at[0], at[1], at[2]};
    };
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i, count = end - index;
        const Pixels pixels = pixels_of(views, index, end);
        decltype(hit.data + 0) hits[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l) hits[l] = hit.data + (l < count ? index + l : end - 1);
        const Met met = met_by(geometry, hits, label_rows(views, pixels, omm::to_float(pixels.y) + 0.5f));
        I material = omm::splat_int(-1);
        V2 uv = {unknown, unknown};
        V3 nocs = omm::same(unknown);
        if (omm::any(met.is_hit) && (wants_material || wants_uv || wants_nocs)) {
            V3 point = omm::vec3(0.0f, 0.0f, 0.0f);  // in the mesh's frame; first, little is in registers while a lens is inverted
            if (wants_uv || wants_nocs) {
                const Ray ray = center_ray(views, pixels);
                F m[12];
                inverse_of(geometry.trees, met, m);
                const V3 along = omm::scale(transform_vector(m, ray.direction), met.t), from = transform_vector(m, ray.origin);
                point = omm::add(omm::add(from, V3{m[3], m[7], m[11]}), along);
            }
            if (wants_nocs) {
                F m[8], last[8];
                record((const float*)geometry.instance_from_mesh.data, 12, met.placement, 0, m);
                record((const float*)geometry.instance_from_mesh.data, 12, met.placement, 4, last);
                const V3 at = {m[0] * point.x + m[1] * point.y + m[2] * point.z + m[3], m[4] * point.x + m[5] * point.y + m[6] * point.z + m[7],
                               last[4] * point.x + last[5] * point.y + last[6] * point.z + last[7]};
                nocs = omm::select3(met.is_hit, object_coordinates(met, at), nocs);
            }
            if (wants_material || wants_uv) {
                const Triangle triangle = triangle_of(geometry, met, wants_uv);
                if (wants_material) {
                    const I own = own_material(geometry, met, triangle);
                    for (int l = 0; l < OMM_WIDTH; ++l) {
                        const char* row = (const char*)objects.override.data + (size_t)omm::get_int(met.row, l) * objects.override.strides[0];
                        const int forced = *(const int*)(row + (size_t)omm::get_int(met.instance, l) * objects.override.strides[1]);
                        if (omm::get_bool(met.is_hit, l)) omm::set_int(material, l, forced >= 0 ? forced : omm::get_int(own, l));
                    }
                }
                if (wants_uv) {
                    I has_uv = omm::splat_int(0);
                    for (int l = 0; l < OMM_WIDTH; ++l) omm::set_int(has_uv, l, objects.has_uv.data[omm::get_int(met.placement, l)]);
                    const M is_known = met.is_hit & (has_uv != 0);
                    const V2 at = uv_at(met, triangle, point);
                    uv = {omm::select(is_known, at.x, unknown), omm::select(is_known, at.y, unknown)};
                }
            }
        }
        for (int l = 0; l < OMM_WIDTH && l < count; ++l) {
            const size_t at = image_index(views, pixels, l);
            if (out_images.part.shape[0] > 0) out_images.part.data[at] = omm::get_bool(met.is_hit, l) ? omm::get_int(met.placement, l) : -1;
            if (wants_material) out_images.material.data[at] = omm::get_int(material, l);
            if (wants_uv) out_images.uv.data[2 * at] = omm::get(uv.x, l), out_images.uv.data[2 * at + 1] = omm::get(uv.y, l);
            if (wants_nocs) out_images.nocs.data[3 * at] = omm::get(nocs.x, l), out_images.nocs.data[3 * at + 1] = omm::get(nocs.y, l), out_images.nocs.data[3 * at + 2] = omm::get(nocs.z, l);
        }
    }
