// The shading points of rays under way (kernels/path_point.py). Needs find.cpp and path.cpp.
// In:  geometry, materials, bounce, hit, thread. Out: out_point.

    const auto& paths = bounce.paths;
    const int end = paths.count.data[0], run = bounce.run;
    for (int i = thread * run; i < (thread + 1) * run && i < end; i += OMM_WIDTH) {
        const Path path = load_path(paths, i);
        decltype(hit.data + 0) hits[OMM_WIDTH];
        Rows rows = rows_of_paths(path);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int k = i + l < end ? l : 0;  // lanes beyond the last path have what memory held: they follow the first
            hits[l] = hit.data + i + k;
            if (k != l) omm::set_int(rows.each, l, omm::get_int(rows.each, 0));
        }
        const Ray ray = {path.origin, path.direction};
        const Met met = met_by(geometry, hits, rows);
        Point p = Point{};
        if (omm::any(met.is_hit)) p = point_at(rows, ray, met, path.width + path.spread * met.t);
        p.placement = omm::select_int(met.is_hit, p.placement, omm::splat_int(-1));
        p.to_viewer = omm::select3(met.is_hit, p.to_viewer, omm::negative(path.direction));
        p.bsdf.emission = omm::select3(met.is_hit, p.bsdf.emission, omm::vec3(0.0f, 0.0f, 0.0f));
        p.row = rows.each;
        p.is_edge = omm::splat_int(1);
        store_point(out_point.value.data, i, p);
    }
