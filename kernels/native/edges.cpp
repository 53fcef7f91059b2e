// Which pixels of a run lie across an edge (kernels/resolve.py). Needs camera.cpp.
// In:  views, labels, span, thread. Out: out_edge.

    struct Seen {  // by a pixel's centre
        I instance, material;
        F depth;
        V3 normal;
    };
    auto seen_at = [&](I at) {
        const float* normal = (const float*)labels.normal.data;
        return Seen{omm::gather_int(labels.instance.data, at), omm::gather_int(labels.material.data, at), omm::gather(labels.depth_m.data, at),
                    {omm::gather(normal, at * 3), omm::gather(normal, at * 3 + 1), omm::gather(normal, at * 3 + 2)}};
    };
    auto mixed_at = [&](I at) {
        I out = omm::splat_int(0);
        for (int l = 0; l < OMM_WIDTH; ++l) omm::set_int(out, l, labels.mixed.data[omm::get_int(at, l)]);
        return out != 0;
    };
    const int end = span.first + span.count, width = views.width, height = views.height;
    const bool has_mixed = labels.mixed.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Pixels p = pixels_of(views, span.first + i, end);
        const I row = (p.view * height + p.y) * width, at = row + p.x;
        const Seen here = seen_at(at);
        const M is_far = here.depth >= FAR_M;
        M is_edge = omm::none();
        if (has_mixed) is_edge = mixed_at(at);
        if (has_blur(views)) is_edge = is_edge | is_blurred(views, p);
        F depth[4];
        for (int side = 0; side < 4; ++side) {  // left, right, above, below; beyond the border the pixel itself
            const int step = side & 1 ? 1 : -1, stride = side < 2 ? 1 : width;
            const I along = side < 2 ? p.x : p.y;
            const M is_border = along == (step < 0 ? 0 : (side < 2 ? width : height) - 1);
            const I other = omm::select_int(is_border, at, at + step * stride);
            const Seen there = seen_at(other);
            const M smooth = (here.material == there.material) & (omm::dot(here.normal, there.normal) >= EDGE_COS);
            const M same = (here.instance == there.instance) & ((is_far & (there.depth >= FAR_M)) | (omm::invert(is_far) & smooth));
            is_edge = is_edge | omm::invert(same);
            if (has_mixed) is_edge = is_edge | mixed_at(other);
            depth[side] = omm::select(is_border, omm::splat(0.0f), there.depth);
        }
        for (int side = 0; side < 4; side += 2) {  // a plane's inverse depth is linear in the image
            const M inside = (depth[side] > 0.0f) & (depth[side + 1] > 0.0f) & omm::invert(is_far);
            const F bend = omm::abs(1.0f / depth[side] + 1.0f / depth[side + 1] - 2.0f / here.depth) * here.depth;
            is_edge = is_edge | (inside & omm::invert(bend <= PLANE_BEND));
        }
        for (int l = 0; l < OMM_WIDTH && span.first + i + l < end; ++l) out_edge.data[span.first + i + l] = omm::get_bool(is_edge, l) ? 1 : 0;
    }
