// The shading points of a run of pixels (kernels/point.py). Needs find.cpp.
// In:  geometry, views, materials, sampling, hits, thread. Out: out_point.

    const auto span = sampling.span;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i, end = span.first + span.count;
        I is_edge = omm::splat_int(hits.layer > 0);
        decltype(hits.center.data + 0) hit[OMM_WIDTH];
        F x_offset = omm::splat(0.5f), y_offset = x_offset;
        Shot own = {x_offset, x_offset, x_offset};
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int k = index + l < end ? l : end - 1 - index;
            if (hits.edge.data[index + k]) omm::set_int(is_edge, l, 1);
            const bool crosses = omm::get_int(is_edge, l) != 0;
            hit[l] = crosses ? hits.sample.data + i + k : hits.center.data + index + k;
            if (!crosses) continue;
            omm::set(x_offset, l, hits.offset_px.data[i + k][0]);
            omm::set(y_offset, l, hits.offset_px.data[i + k][1]);
            if (!has_blur(views)) continue;
            omm::set(own.lens_x, l, hits.shot.data[i + k][0]);
            omm::set(own.lens_y, l, hits.shot.data[i + k][1]);
            omm::set(own.time_s, l, hits.shot.data[i + k][2]);
        }
        bool is_gone = hits.layer > 0;
        for (int l = 0; l < OMM_WIDTH && is_gone; ++l) is_gone = hit[l]->placement == GONE;
        if (is_gone) {  // rays that ended before this surface
            Point none = Point{};
            none.placement = omm::splat_int(GONE);
            store_point(out_point.value.data, i, none);
            continue;
        }
        if (sampling.sample > 0 && !omm::any(is_edge != 0)) continue;  // the points of the first sample serve again
        const Pixels pixels = pixels_of(views, index, end);
        const F x_px = omm::to_float(pixels.x) + x_offset, y_px = omm::to_float(pixels.y) + y_offset;
        Shot shot = label_shot(views, pixels, y_px);
        if (has_blur(views)) {
            const M crosses = is_edge != 0;
            shot = {omm::select(crosses, own.lens_x, shot.lens_x), omm::select(crosses, own.lens_y, shot.lens_y), omm::select(crosses, own.time_s, shot.time_s)};
        }
        const Rows rows = rows_at(views, pixels, shot.time_s);
        const Ray ray = sample_ray(views, pixels, x_px, y_px, shot);
        const Met met = met_by(geometry, hit, rows);
        Point p = Point{};
        if (omm::any(met.is_hit)) p = point_at(rows, ray, met, met.t * spread_at(views, pixels, ray, met.t));
        if (!omm::all(met.is_hit)) {
            I placement = omm::splat_int(0);
            for (int l = 0; l < OMM_WIDTH; ++l) omm::set_int(placement, l, hit[l]->placement);
            const M is_none = omm::dot(ray.direction, ray.direction) == 0.0f;  // the lens sends no ray: not even a dome is seen
            p.placement = omm::select_int(met.is_hit, p.placement, omm::select_int(is_none, omm::splat_int(GONE), placement));
            p.to_viewer = omm::select3(met.is_hit, p.to_viewer, omm::negative(omm::unit(ray.direction)));
            p.bsdf.emission = omm::select3(met.is_hit, p.bsdf.emission, omm::vec3(0.0f, 0.0f, 0.0f));
            p.row = rows.each;
        }
        p.is_edge = is_edge;
        store_point(out_point.value.data, i, p);
    }
