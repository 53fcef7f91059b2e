// Add what arrived at the ends of rays under way to their pixels, and let them go on (kernels/path.py). Needs
// path_scatter.cpp. In: views, sampling, bounce, ends, thread. Out: out_paths, out_radiance.

    const auto& paths = bounce.paths;
    const int end = paths.count.data[0], run = bounce.run;
    for (int i = thread * run; i < (thread + 1) * run && i < end; i += OMM_WIDTH) {
        Path path = load_path(paths, i);
        for (int l = 0; l < OMM_WIDTH && i + l < end; ++l) {
            const wp::vec3 light = ends.arrived.data[i + l];
            float sent[3] = {omm::get(path.throughput.x, l) * light[0], omm::get(path.throughput.y, l) * light[1], omm::get(path.throughput.z, l) * light[2]};
            const float most = sent[0] > sent[1] ? (sent[0] > sent[2] ? sent[0] : sent[2]) : (sent[1] > sent[2] ? sent[1] : sent[2]);
            const float scale = bounce.clamp_radiance > 0.0f && most > bounce.clamp_radiance ? bounce.clamp_radiance / most : 1.0f;
            wp::vec3& sum = out_radiance.data[omm::get_int(path.pixel, l)];
            for (int c = 0; c < 3; ++c) sum[c] += sent[c] * scale;
        }
        if (bounce.is_last) continue;
        const Point p = load_point(ends.point.value.data, i);
        for (int l = end - i; l < OMM_WIDTH; ++l) omm::set_int(path.view, l, omm::get_int(path.view, 0));
        M alive = (p.lit != 0) & (omm::lanes() < omm::splat_int(end - i));
        if (!omm::any(alive)) continue;
        alive = scatter(p, path, ends.glass, alive, i, bounce.depth);
        for (int l = 0; l < OMM_WIDTH; ++l)
            if (omm::get_bool(alive, l)) keep_path(out_paths, path, l);
    }
