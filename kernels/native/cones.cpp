// The cone around the rays of a tile of a window, for lenses that bend them (kernels/cones.py). Needs camera.cpp.
// In: views, window (its margins), tile (number in the view), view. Out: out_cone.

    const int TILE = 32;
    const int left = -margin_px[0], top = -margin_px[1], right = views.width + margin_px[0], bottom = views.height + margin_px[1];
    const int tiles_x = (right - left + TILE - 1) / TILE;
    const int x0 = left + TILE * (tile % tiles_x), y0 = top + TILE * (tile / tiles_x);
    const int x1 = x0 + TILE < right ? x0 + TILE : right, y1 = y0 + TILE < bottom ? y0 + TILE : bottom;
    bool is_empty = true;
    V3 axis = omm::vec3(0.0f, 0.0f, 0.0f), origin = axis;
    F cosine = omm::splat(2.0f), reach2 = omm::splat(0.0f);
    for (int step = 0; step < y1 - y0; ++step) {
        const int middle = (y1 - y0) / 2, y = y0 + (step == 0 ? middle : (step <= middle ? step - 1 : step));  // it first
        for (int x = x0; x < x1; x += OMM_WIDTH) {
            Pixels p;
            p.view = omm::splat_int(view);
            p.y = omm::splat_int(y);
            p.x = omm::splat_int(x) + omm::lanes();
            p.one_view = view;
            p.is_row = false;
            const Ray ray = center_ray(views, p);
            const F size2 = omm::dot(ray.direction, ray.direction);
            const M is_there = (size2 > 0.0f) & (p.x < x1);
            if (!omm::any(is_there)) continue;
            const V3 unit = omm::scale(ray.direction, 1.0f / omm::sqrt(size2));
            if (is_empty) {  // the axis is that of some ray
                int l = 0;
                while (!omm::get_bool(is_there, l)) ++l;
                axis = omm::vec3(omm::get(unit.x, l), omm::get(unit.y, l), omm::get(unit.z, l));
                origin = omm::vec3(omm::get(ray.origin.x, l), omm::get(ray.origin.y, l), omm::get(ray.origin.z, l));
                is_empty = false;
            }
            const V3 off = omm::sub(ray.origin, origin);
            cosine = omm::select(is_there, omm::min(cosine, omm::dot(unit, axis)), cosine);
            reach2 = omm::select(is_there, omm::max(reach2, omm::dot(off, off)), reach2);
        }
    }
    float least = 2.0f, most2 = 0.0f;
    for (int l = 0; l < OMM_WIDTH; ++l) {
        if (omm::get(cosine, l) < least) least = omm::get(cosine, l);
        if (omm::get(reach2, l) > most2) most2 = omm::get(reach2, l);
    }
    const float values[8] = {omm::get(axis.x, 0), omm::get(axis.y, 0), omm::get(axis.z, 0), is_empty ? 2.0f : least,
                             omm::get(origin.x, 0), omm::get(origin.y, 0), omm::get(origin.z, 0), most2};
    float* out = out_cone.data + ((size_t)view * out_cone.shape[1] + tile) * 8;
    for (int k = 0; k < 8; ++k) out[k] = values[k];
