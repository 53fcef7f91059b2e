// Labels of the pixels of a run from the hits of the rays through their centres (kernels/resolve.py).
// In:  geometry, views, span, hit, thread. Out: the images of out_labels; empty ones were not asked for.

    const int end = span.first + span.count;
    const bool wants_normal = out_labels.normal.shape[0] > 0, wants_material = out_labels.material.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i;
        const Pixels pixels = pixels_of(views, index, end);
        decltype(hit.data + 0) hits[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l) hits[l] = hit.data + (index + l < end ? index + l : end - 1);
        const Met met = met_by(geometry, hits, label_rows(views, pixels, omm::to_float(pixels.y) + 0.5f));
        V3 normal = omm::vec3(0.0f, 0.0f, 0.0f);
        I instance = omm::splat_int(0), material = omm::splat_int(0);
        if (omm::any(met.is_hit)) {
            instance = omm::select_int(met.is_hit, met.instance, instance);
            if (wants_normal || wants_material) {
                V3 direction = normal;  // first: little is in registers while a lens is inverted
                if (wants_normal) direction = center_ray(views, pixels).direction;
                const Triangle triangle = triangle_of(geometry, met, false);
                if (wants_material) material = own_material(geometry, met, triangle);
                if (wants_normal) {
                    F m[12];
                    inverse_of(geometry.trees, met, m);
                    const V3 face = transform_normal(m, omm::cross(triangle.edge_1, triangle.edge_2));
                    const V3 n = omm::select3(is_faceted(triangle.smooth), face, transform_normal(m, triangle.smooth));
                    const F side = omm::select(omm::dot(face, direction) > 0.0f, omm::splat(-1.0f), omm::splat(1.0f));
                    normal = omm::select3(met.is_hit, omm::scale(omm::unit(n), side), normal);
                }
            }
        }
        const F depth = omm::select(met.is_hit, met.t, omm::from_bits(omm::splat_int(0x7f800000)));  // infinite: nothing
        if (pixels.is_row) {
            const size_t at = image_index(views, pixels, 0);
            omm::store(out_labels.depth_m.data + at, depth);
            omm::store((float*)(out_labels.instance.data + at), omm::from_bits(instance));
            if (wants_material) omm::store((float*)(out_labels.material.data + at), omm::from_bits(material));
        }
        for (int l = 0; l < OMM_WIDTH && index + l < end && (wants_normal || !pixels.is_row); ++l) {
            const size_t at = image_index(views, pixels, l);
            if (wants_normal) out_labels.normal.data[at] = wp::vec3(omm::get(normal.x, l), omm::get(normal.y, l), omm::get(normal.z, l));
            if (pixels.is_row) continue;
            out_labels.depth_m.data[at] = omm::get(depth, l);
            out_labels.instance.data[at] = omm::get_int(instance, l);
            if (wants_material) out_labels.material.data[at] = omm::get_int(material, l);
        }
    }
