// The nearest hits of a run of pixels (kernels/trace.py). Needs camera.cpp, traverse.cpp and, on the CPU, traverse_group.cpp.
// In:  trees, views, span, thread. Out: out_hit.

    const int end = span.first + span.count;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i;
        const Pixels pixels = pixels_of(views, index, end);
        const Ray ray = center_ray(views, pixels);
        const Rows rows = label_rows(views, pixels, omm::to_float(pixels.y) + 0.5f);
#if !defined(__CUDA_ARCH__)
        if (rows.one >= 0) {
            const Bests best = walk_group(trees, rows.one, ray.origin, ray.direction, OMM_ALL, omm::splat(FAR_M), false);
            store_hits(out_hit.data + index, best, end - index < 8 ? (1 << (end - index)) - 1 : OMM_ALL);
            continue;
        }
#endif
        for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) {
            const float from[3] = {omm::get(ray.origin.x, l), omm::get(ray.origin.y, l), omm::get(ray.origin.z, l)};
            const float towards[3] = {omm::get(ray.direction.x, l), omm::get(ray.direction.y, l), omm::get(ray.direction.z, l)};
            store_hit(out_hit.data[index + l], walk(trees, omm::get_int(rows.each, l), from, towards, 0, FAR_M, false));
        }
    }
