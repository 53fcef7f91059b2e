// The first bounce of the pixels of a run (kernels/path.py). Needs path_scatter.cpp.
// In:  views, sampling, point, glass, thread. Out: out_paths.

    const auto span = sampling.span;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Point p = load_point(point.value.data, i);
        M alive = (p.lit != 0) & (omm::lanes() < omm::splat_int(span.count - i));
        if (!omm::any(alive)) continue;
        const Pixels pixels = pixels_of(views, span.first + i, span.first + span.count);
        Path path;
        path.throughput = omm::vec3(1.0f, 1.0f, 1.0f);
        path.origin = {of_view(views.world_from_camera, 3, pixels), of_view(views.world_from_camera, 7, pixels), of_view(views.world_from_camera, 11, pixels)};
        const F distance_m = omm::length(omm::sub(p.position_m, path.origin));
        path.spread = spread_at(views, pixels, center_ray(views, pixels), distance_m);
        path.width = omm::splat(0.0f);
        path.sees_lights = omm::splat_int(0);
        path.pixel = i + omm::lanes();
        path.row = p.row;
        path.view = pixels.view;
        path.curve = (I)(spread_bits((U)pixels.x) | (spread_bits((U)pixels.y) << 1));
        alive = scatter(p, path, glass, alive, i, 0);
        for (int l = 0; l < OMM_WIDTH; ++l)
            if (omm::get_bool(alive, l)) keep_path(out_paths, path, l);
    }
