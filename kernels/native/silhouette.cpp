// Every instance along the rays of a run of pixels (kernels/silhouette.py). Needs camera.cpp, traverse.cpp with OMM_EACH
// and count.cpp. In: geometry, views, window, seen, span, thread. Out: out_table.value.

    const int end = span.first + span.count;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i;
        const Pixels pixels = pixels_of(window, index, end);
        const I x = pixels.x - window.margin_px, y = pixels.y - window.margin_px;
        const Ray ray = camera_ray(views, pixels, omm::to_float(x) + 0.5f, omm::to_float(y) + 0.5f);
        const Rows rows = label_rows(views, pixels, omm::to_float(y) + 0.5f);
        for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) {
            const float from[3] = {omm::get(ray.origin.x, l), omm::get(ray.origin.y, l), omm::get(ray.origin.z, l)};
            const float towards[3] = {omm::get(ray.direction.x, l), omm::get(ray.direction.y, l), omm::get(ray.direction.z, l)};
            const auto visitor = visitor_at(omm::get_int(pixels.view, l), omm::get_int(y, l), omm::get_int(x, l));
            walk(geometry.trees, omm::get_int(rows.each, l), from, towards, visitor, FAR_M, true);
            visitor.forget();
        }
    }
