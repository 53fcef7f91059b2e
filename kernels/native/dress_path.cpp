// Patterns on the points that rays under way have met (kernels/path_pattern.py). Needs path.cpp and dress.cpp.
// In: geometry, patterns, bounce, hit, thread. In and out: out_point.

    const auto& paths = bounce.paths;
    const int end = paths.count.data[0], run = bounce.run;
    for (int i = thread * run; i < (thread + 1) * run && i < end; i += OMM_WIDTH) {
        const Path path = load_path(paths, i);
        decltype(hit.data + 0) hits[OMM_WIDTH];
        Rows rows = rows_of_paths(path);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int k = i + l < end ? l : 0;  // lanes beyond the last path follow the first
            hits[l] = hit.data + i + k;
            if (k != l) omm::set_int(rows.each, l, omm::get_int(rows.each, 0));
        }
        const Met met = met_by(geometry, hits, rows);
        if (!omm::any(met.is_hit)) continue;
        const Triangle tri = triangle_of(geometry, met, false);
        Point point = load_point(out_point.value.data, i);
        dress(met, tri, path.width + path.spread * met.t, point);
        mark(met, path.width + path.spread * met.t, point);
        settle(point);
        store_point(out_point.value.data, i, point);
    }
