// Which defect and which near-miss cover the centres of a run of pixels (kernels/annotate_defect.py). Needs mark_find.cpp and
// camera.cpp. In: geometry, views, defects, span, hit, thread. Out: the images of out_images; empty ones were not asked for.

    const int end = span.first + span.count;
    const bool wants_defect = out_images.defect.shape[0] > 0, wants_near_miss = out_images.near_miss.shape[0] > 0;
    const bool has_defects = defects.first.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i;
        const Pixels pixels = pixels_of(views, index, end);
        decltype(hit.data + 0) hits[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l) hits[l] = hit.data + (index + l < end ? index + l : end - 1);
        I found = omm::splat_int(-1), missed = omm::splat_int(-1), from = omm::splat_int(0), until = from;
        const Met met = met_by(geometry, hits, label_rows(views, pixels, omm::to_float(pixels.y) + 0.5f));
        if (has_defects && omm::any(met.is_hit)) bounds_of(met, from, until);
        if (omm::any(until > from)) {
            const Triangle tri = triangle_of(geometry, met, false);
            const Ray ray = center_ray(views, pixels);
            F m[12];
            inverse_of(geometry.trees, met, m);
            const F det = m[0] * (m[5] * m[10] - m[6] * m[9]) - m[1] * (m[4] * m[10] - m[6] * m[8]) + m[2] * (m[4] * m[9] - m[5] * m[8]);
            const V3 face = omm::unit(omm::scale(transform_normal(m, omm::cross(tri.edge_1, tri.edge_2)), 1.0f / det));
            const V3 towards = omm::select3(omm::dot(face, ray.direction) > 0.0f, omm::negative(face), face);
            const V3 position_m = omm::add(ray.origin, omm::scale(ray.direction, met.t));
            const F width_m = met.t * spread_at(views, pixels, ray, met.t) * omm::length(ray.direction);
            const Spot spot = spot_of(met, position_m, towards, omm::negative(omm::unit(ray.direction)), width_m);
            over_defects(met, spot, from, until, [&](I slot, I kind, M who, const F*, const Trace& t, V3, V3, V3) {
                const M covers = who & (t.seen >= 0.5f), is_near_miss = kind >= FIRST_NEAR_MISS;
                found = omm::select_int(covers & omm::invert(is_near_miss), slot, found);
                missed = omm::select_int(covers & is_near_miss, slot, missed);
            });
        }
        for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) {
            const size_t at = image_index(views, pixels, l);
            if (wants_defect) out_images.defect.data[at] = omm::get_int(found, l);
            if (wants_near_miss) out_images.near_miss.data[at] = omm::get_int(missed, l);
        }
    }
