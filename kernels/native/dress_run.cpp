// Patterns on the points of a run of pixels (kernels/pattern.py). Needs camera.cpp and dress.cpp.
// In: geometry, views, patterns, sampling, hits, thread. In and out: out_point.

    const auto span = sampling.span;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i, end = span.first + span.count;
        I is_edge = omm::splat_int(hits.layer > 0);
        decltype(hits.center.data + 0) hit[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int k = index + l < end ? l : end - 1 - index;
            if (hits.edge.data[index + k]) omm::set_int(is_edge, l, 1);
            hit[l] = omm::get_int(is_edge, l) ? hits.sample.data + i + k : hits.center.data + index + k;
        }
        if (sampling.sample > 0 && !omm::any(is_edge != 0)) continue;  // dressed already
        const Pixels pixels = pixels_of(views, index, end);
        Point point = load_point(out_point.value.data, i);
        const Met met = met_by(geometry, hit, Rows{point.row, omm::is_same(point.row) ? omm::get_int(point.row, 0) : -1});
        if (!omm::any(met.is_hit)) continue;
        const Triangle tri = triangle_of(geometry, met, false);
        const Ray ray = camera_ray(views, pixels, omm::to_float(pixels.x) + 0.5f, omm::to_float(pixels.y) + 0.5f);
        dress(met, tri, met.t * spread_at(views, pixels, ray, met.t) * omm::length(ray.direction), point);
        mark(met, met.t * spread_at(views, pixels, ray, met.t) * omm::length(ray.direction), point);
        settle(point);
        store_point(out_point.value.data, i, point);
    }
