// The nearest hits of the present sub-pixel sample, for pixels of a run that lie across an edge (kernels/sample.py). Needs
// camera.cpp, traverse.cpp, traverse_group.cpp and offset.cpp. In: trees, views, sampling, thread. Out: out_hits.sample, offset_px, shot.

    const auto span = sampling.span;
    const int end = span.first + span.count;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i;
        bool is_any = false;
        for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) is_any = is_any || out_hits.edge.data[index + l];
        if (!is_any) continue;
        const Pixels pixels = pixels_of(views, index, end);
        F x = omm::to_float(pixels.x), y = omm::to_float(pixels.y);
        Shot shot = label_shot(views, pixels, y);
        for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) {
            if (!out_hits.edge.data[index + l]) continue;
            float offset[2];
            sample_offset(views, omm::get_int(pixels.view, l), omm::get_int(pixels.y, l), omm::get_int(pixels.x, l), sampling.sample, sampling.key, offset);
            out_hits.offset_px.data[i + l] = wp::vec2(offset[0], offset[1]);
            omm::set(x, l, omm::get(x, l) + offset[0]);
            omm::set(y, l, omm::get(y, l) + offset[1]);
            if (!has_blur(views)) continue;
            float when[3];
            sample_shot(views, omm::get_int(pixels.view, l), omm::get_int(pixels.y, l), omm::get_int(pixels.x, l), sampling, when);
            out_hits.shot.data[i + l] = wp::vec3(when[0], when[1], when[2]);
            omm::set(shot.lens_x, l, when[0]);
            omm::set(shot.lens_y, l, when[1]);
            omm::set(shot.time_s, l, when[2]);
        }
        const Ray ray = sample_ray(views, pixels, x, y, shot);
        const Rows rows = rows_at(views, pixels, shot.time_s);
#if !defined(__CUDA_ARCH__)
        if (rows.one >= 0) {
            int asked = 0;
            for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) asked |= out_hits.edge.data[index + l] ? 1 << l : 0;
            const V3 from = with_twins(ray.origin, asked), towards = with_twins(ray.direction, asked);
            const Bests best = walk_group(trees, rows.one, from, towards, asked, omm::splat(FAR_M), false);
            store_hits(out_hits.sample.data + i, best, asked);
            continue;
        }
#endif
        for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) {
            if (!out_hits.edge.data[index + l]) continue;
            const float from[3] = {omm::get(ray.origin.x, l), omm::get(ray.origin.y, l), omm::get(ray.origin.z, l)};
            const float towards[3] = {omm::get(ray.direction.x, l), omm::get(ray.direction.y, l), omm::get(ray.direction.z, l)};
            store_hit(out_hits.sample.data[i + l], walk(trees, omm::get_int(rows.each, l), from, towards, 0, FAR_M, false));
        }
    }
