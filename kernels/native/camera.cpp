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
    // The same ray in the world. One that the lens does not send begins nowhere and stays there.
    auto ray_from_camera = [&](const auto& views, const Pixels& p, const LensRay& lens) {
        F m[12];
        for (int k = 0; k < 12; ++k) m[k] = of_view(views.world_from_camera, k, p);
        auto turned = [&](V3 d) {
            return V3{m[0] * d.x + m[1] * d.y + m[2] * d.z, m[4] * d.x + m[5] * d.y + m[6] * d.z, m[8] * d.x + m[9] * d.y + m[10] * d.z};
        };
        Ray ray = {{m[3], m[7], m[11]}, turned(lens.direction), lens.spread};
        const M flat = lens_of(views, p) == ORTHOGRAPHIC;
        if (omm::any(flat)) ray.origin = omm::select3(flat, omm::add(ray.origin, turned(lens.origin)), ray.origin);
        if (views.lens_value.shape[0] > 0) {
            const M is_none = omm::dot(lens.direction, lens.direction) == 0.0f;
            ray.origin = omm::select3(is_none, omm::same(omm::splat(NOWHERE_M)), ray.origin);
            ray.direction = omm::select3(is_none, omm::vec3(0.0f, 0.0f, 0.0f), ray.direction);
        }
        return ray;
    };
    auto camera_ray = [&](const auto& views, const Pixels& p, F x_px, F y_px) {
        return ray_from_camera(views, p, lens_ray(views, p, x_px, y_px));
    };
    auto center_ray = [&](const auto& views, const Pixels& p) {
        return camera_ray(views, p, omm::to_float(p.x) + 0.5f, omm::to_float(p.y) + 0.5f);
    };
    // Width of a pixel's cone as a share of the distance, at ray parameter t.
    auto spread_at = [&](const auto& views, const Pixels& p, const Ray& ray, F t) {
        return omm::select(lens_of(views, p) == ORTHOGRAPHIC, ray.spread / omm::max(t, omm::splat(1.0e-6f)), ray.spread);
    };
