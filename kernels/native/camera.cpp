// The pixels of a group and the rays through them (kernels/camera.py). Needs lanes.cpp and lens.cpp.

    struct Pixels {
        I view, y, x;
        int one_view;  // that all lanes share, or -1
        bool is_row;  // lanes are neighbours in a row of the image
    };
    struct Ray {
        V3 origin, direction;  // not unit where t is planar depth
        F spread;  // width of the pixel's cone as a share of the distance; orthographic: of 1 m
    };
    const int LENS_RADIUS_M = 0, FOCUS_NEARNESS = 1, EXPOSURE_S = 2, READOUT_S = 3, VELOCITY_X = 4, SPIN_X = 7, BLURRED = 10;  // BlurValue
    const float NOWHERE_M = 1.0e18f;  // where rays begin that no lens sends: beyond all boxes, whose reciprocals stay finite

    // Pixels `index` and its followers, in the order of pixel_of; from `end` on the last one again.
    auto pixels_of = [&](const auto& views, int index, int end) {
        Pixels p;
        const int width = views.width, size = width * views.height;
        const bool is_tiled = width % 8 == 0 && views.height % 4 == 0;
#if !defined(__CUDA_ARCH__)
        if (is_tiled && index % 8 == 0 && index + 8 <= end) {  // one row of one tile
            const int view = index / size, rest = index - view * size, tile = rest >> 5, tile_y = tile / (width >> 3);
            p.view = omm::splat_int(view);
            p.y = omm::splat_int(tile_y * 4 + ((rest & 31) >> 3));
            p.x = (tile - tile_y * (width >> 3)) * 8 + omm::lanes();
            p.one_view = view;
            p.is_row = true;
            return p;
        }
#endif
        p.view = p.y = p.x = omm::splat_int(0);
        p.one_view = index / size;
        p.is_row = OMM_WIDTH == 1;
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int i = index + l < end ? index + l : end - 1;
            const int view = i / size, rest = i - view * size, tile = rest >> 5, tile_y = is_tiled ? tile / (width >> 3) : 0;
            const int y = is_tiled ? tile_y * 4 + ((rest & 31) >> 3) : rest / width;
            omm::set_int(p.view, l, view);
            omm::set_int(p.y, l, y);
            omm::set_int(p.x, l, is_tiled ? (tile - tile_y * (width >> 3)) * 8 + (rest & 7) : rest - y * width);
            if (view != p.one_view) p.one_view = -1;
        }
        return p;
    };
    // Where a lane's pixel lies in images [view, y, x].
    auto image_index = [&](const auto& views, const Pixels& p, int l) {
        return ((size_t)omm::get_int(p.view, l) * views.height + omm::get_int(p.y, l)) * views.width + omm::get_int(p.x, l);
    };
    // A float of every lane's view: `offset` within the view's row of an array.
    auto of_view = [&](const auto& array, int offset, const Pixels& p) {
        const char* base = (const char*)array.data;
        if (p.one_view >= 0) return omm::splat(((const float*)(base + (size_t)p.one_view * array.strides[0]))[offset]);
        F out = omm::splat(0.0f);
        for (int l = 0; l < OMM_WIDTH; ++l)
            omm::set(out, l, ((const float*)(base + (size_t)omm::get_int(p.view, l) * array.strides[0]))[offset]);
        return out;
    };
    struct Rows {  // of Worlds
        I each;
        int one;  // that all lanes share, or -1
    };
    auto view_rows = [&](const auto& views, const Pixels& p) {
        const I each = omm::bits(of_view(views.row, 0, p));
        return Rows{each, p.one_view >= 0 || omm::is_same(each) ? omm::get_int(each, 0) : -1};
    };
    // A float of every lane's row: `offset` within element [row, column] of an array.
    auto of_row = [&](const auto& array, const Rows& rows, int column, int offset) {
        const char* base = (const char*)array.data + (size_t)column * array.strides[1];
        if (rows.one >= 0) return omm::splat(((const float*)(base + (size_t)rows.one * array.strides[0]))[offset]);
        F out = omm::splat(0.0f);
        for (int l = 0; l < OMM_WIDTH; ++l)
            omm::set(out, l, ((const float*)(base + (size_t)omm::get_int(rows.each, l) * array.strides[0]))[offset]);
        return out;
    };
    auto vec3_of_row = [&](const auto& array, const Rows& rows, int column) {
        return V3{of_row(array, rows, column, 0), of_row(array, rows, column, 1), of_row(array, rows, column, 2)};
    };
    auto lens_of = [&](const auto& views, const Pixels& p) { return omm::bits(of_view(views.lens, 0, p)); };  // LensModel

    // The ray of a point of the image in the camera's frame; pixel (i, j) spans [i, i + 1) x [j, j + 1).
    auto lens_ray = [&](const auto& views, const Pixels& p, F x_px, F y_px) {
        const F right = (x_px - of_view(views.center_px, 0, p)) / of_view(views.focal_px, 0, p);
        const F up = (of_view(views.center_px, 1, p) - y_px) / of_view(views.focal_px, 1, p);
        LensRay ray = {omm::vec3(0.0f, 0.0f, 0.0f), {right, up, omm::splat(-1.0f)}, 1.0f / of_view(views.focal_px, 0, p)};
        const I model = lens_of(views, p);
        const M flat = model == ORTHOGRAPHIC, bent = model > ORTHOGRAPHIC;
        if (omm::any(flat)) {
            ray.origin = omm::select3(flat, {right, up, omm::splat(0.0f)}, ray.origin);
            ray.direction = omm::select3(flat, omm::vec3(0.0f, 0.0f, -1.0f), ray.direction);
        }
        if (views.lens_value.shape[0] > 0 && omm::any(bent)) {
            F value[LENS_LIMIT + 1];
            for (int k = 0; k <= LENS_LIMIT; ++k) value[k] = of_view(views.lens_value, k, p);
            const LensRay other = bent_ray(model, value, right, omm::splat(0.0f) - up);
            ray.direction = omm::select3(bent, other.direction, ray.direction);
            ray.spread = omm::select(bent, ray.spread * other.spread, ray.spread);
        }
        return ray;
    };
    // Where on the lens, in shares of its radius, and when, in seconds from the middle of the frame's shutter, a ray is.
    struct Shot { F lens_x, lens_y, time_s; };
    auto has_blur = [&](const auto& views) { return views.blur.shape[0] > 0; };
    auto is_blurred = [&](const auto& views, const Pixels& p) { return of_view(views.blur, BLURRED, p) != 0.0f; };
    // Labels: the lens is a pinhole, and the moment the middle of the exposure of that row of the image.
    auto label_shot = [&](const auto& views, const Pixels& p, F y_px) {
        Shot shot = {omm::splat(0.0f), omm::splat(0.0f), omm::splat(0.0f)};
        if (has_blur(views)) shot.time_s = ((omm::floor(y_px) + 0.5f) / (float)views.height - 0.5f) * of_view(views.blur, READOUT_S, p);
        return shot;
    };
    // The rows of Worlds in which objects stand where they are at some time: of equal parts of the time that is seen.
    auto rows_at = [&](const auto& views, const Pixels& p, F time_s) {
        Rows rows = view_rows(views, p);
        if (views.moment_count <= 1) return rows;
        const F seen_s = of_view(views.blur, EXPOSURE_S, p) + omm::abs(of_view(views.blur, READOUT_S, p)), last = omm::splat(views.moment_count - 1.0f);
        const F part = omm::select(seen_s > 0.0f, time_s / seen_s + 0.5f, omm::splat(0.5f)) * (float)views.moment_count;
        rows.each = rows.each + omm::to_int(omm::min(omm::max(part, omm::splat(0.0f)), last));
        rows.one = omm::is_same(rows.each) ? omm::get_int(rows.each, 0) : -1;
        return rows;
    };
    auto label_rows = [&](const auto& views, const Pixels& p, F y_px) { return rows_at(views, p, label_shot(views, p, y_px).time_s); };
    // The same ray in the world. One that the lens does not send begins nowhere and stays there.
    auto ray_from_camera = [&](const auto& views, const Pixels& p, LensRay lens, const Shot& shot) {
        F m[12];
        for (int k = 0; k < 12; ++k) m[k] = of_view(views.world_from_camera, k, p);
        auto turned = [&](V3 d) {
            return V3{m[0] * d.x + m[1] * d.y + m[2] * d.z, m[4] * d.x + m[5] * d.y + m[6] * d.z, m[8] * d.x + m[9] * d.y + m[10] * d.z};
        };
        Ray ray = {{m[3], m[7], m[11]}, turned(lens.direction), lens.spread};
        const M flat = lens_of(views, p) == ORTHOGRAPHIC;
        if (has_blur(views)) {  // a thin lens bends all rays of a point of the image to one point of the plane in focus
            const F radius_m = of_view(views.blur, LENS_RADIUS_M, p), nearness = of_view(views.blur, FOCUS_NEARNESS, p);
            const V3 at = {shot.lens_x * radius_m, shot.lens_y * radius_m, omm::splat(0.0f)};
            const V3 spin = {of_view(views.blur, SPIN_X, p), of_view(views.blur, SPIN_X + 1, p), of_view(views.blur, SPIN_X + 2, p)};
            const V3 velocity = {of_view(views.blur, VELOCITY_X, p), of_view(views.blur, VELOCITY_X + 1, p), of_view(views.blur, VELOCITY_X + 2, p)};
            const V3 axis = omm::unit(spin);
            F sine, cosine;
            omm::sincos(omm::length(spin) * shot.time_s * (1.0f / RADIANS_OF_TURN), sine, cosine);
            auto later = [&](V3 v) {  // Rodrigues
                const V3 across = omm::cross(axis, v);
                return omm::add(v, omm::add(omm::scale(across, sine), omm::scale(omm::cross(axis, across), 1.0f - cosine)));
            };
            ray.direction = later(turned(omm::sub(lens.direction, omm::scale(at, nearness))));
            const V3 begin = later(turned(omm::add(lens.origin, at)));
            ray.origin = omm::add(omm::add(ray.origin, omm::scale(velocity, shot.time_s)), begin);
        } else if (omm::any(flat)) ray.origin = omm::select3(flat, omm::add(ray.origin, turned(lens.origin)), ray.origin);
        if (views.lens_value.shape[0] > 0) {
            const M is_none = omm::dot(lens.direction, lens.direction) == 0.0f;
            ray.origin = omm::select3(is_none, omm::same(omm::splat(NOWHERE_M)), ray.origin);
            ray.direction = omm::select3(is_none, omm::vec3(0.0f, 0.0f, 0.0f), ray.direction);
        }
        return ray;
    };
    auto sample_ray = [&](const auto& views, const Pixels& p, F x_px, F y_px, const Shot& shot) {
        return ray_from_camera(views, p, lens_ray(views, p, x_px, y_px), shot);
    };
    auto camera_ray = [&](const auto& views, const Pixels& p, F x_px, F y_px) {
        return sample_ray(views, p, x_px, y_px, label_shot(views, p, y_px));
    };
    auto center_ray = [&](const auto& views, const Pixels& p) {
        return camera_ray(views, p, omm::to_float(p.x) + 0.5f, omm::to_float(p.y) + 0.5f);
    };
    // Width of a pixel's cone as a share of the distance, at ray parameter t.
    auto spread_at = [&](const auto& views, const Pixels& p, const Ray& ray, F t) {
        return omm::select(lens_of(views, p) == ORTHOGRAPHIC, ray.spread / omm::max(t, omm::splat(1.0e-6f)), ray.spread);
    };
