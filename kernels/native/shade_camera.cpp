// Light on the points of a run of pixels (kernels/shade.py). Needs shade.cpp.
// In:  views, lights, sampling, point, thread. Out: out_rays, out_radiance (added to).

    const auto span = sampling.span;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Point p = load_point(point.value.data, i);
        const M lit = p.lit != 0;
        const Pixels pixels = pixels_of(views, span.first + i, span.first + span.count);
        const Rows rows = view_rows(views, pixels);
        V3 added = p.bsdf.emission;
        const M is_open = omm::invert(lit) & (p.placement == MISS);
        if (lights.dome_count > 0 && omm::any(is_open)) {
            const F footprint = center_ray(views, pixels).spread * (1.0f / TURN);
            added = omm::select3(is_open, background(lights, rows, omm::negative(p.to_viewer), footprint, is_open), added);
        }
        if (!omm::any(lit)) {
            for (int slot = 0; slot <= out_rays.light_slots; ++slot) store_no_ray(out_rays, slot, i);
        } else {
            const U n = sequence_index(views, pixels, sampling.sample_count, sampling.sample);
            const V3 u = {sequence_number(n, views.light_shift, pixels, 0), sequence_number(n, views.light_shift, pixels, 1),
                          sequence_number(n, views.light_shift, pixels, 2)};
            const M is_edge = p.is_edge != 0;
            const F stride = omm::select(is_edge, omm::splat(1.0f), omm::splat((float)out_rays.light_stride));
            V3 certain = black;
            for (int slot = 0; slot <= out_rays.light_slots; ++slot) {
                const bool is_turn = (slot + sampling.sample) % out_rays.light_stride == 0;
                const M asked = is_turn ? lit : lit & is_edge;
                if (slot == out_rays.light_slots) certain = omm::add(certain, ambient_slot(i, p, pixels, rows, asked, lit, stride, n));
                else if (omm::any(asked)) certain = omm::add(certain, light_slot(slot, i, p, rows, asked, stride, u));
                else store_no_ray(out_rays, slot, i);
            }
            added = omm::add(added, omm::select3(lit, certain, black));
        }
        float* radiance = (float*)(out_radiance.data + i);
        omm::store3(radiance, omm::add(omm::load3(radiance), added));
    }
