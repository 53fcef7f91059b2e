// Rays under way (kernels/path.py): blocks of OMM_GROUP as in point.cpp. Needs camera.cpp and point.cpp.

#define OMM_PATH_FLOATS(X) OMM_POINT_V3(X, origin) OMM_POINT_V3(X, direction) OMM_POINT_V3(X, throughput) X(width) X(spread)
#define OMM_PATH_INTS(X) X(sees_lights) X(pixel) X(row) X(view) X(curve)
#define OMM_PATH_FIELDS 16

    struct Path {
        V3 origin, direction;  // unit
        V3 throughput;  // share of what arrives from there that reaches the pixel
        F width, spread;  // of its cone at the origin [m], and what it gains a metre
        I sees_lights;  // bits: no shadow ray has asked for the SEES_DOMES or the SEES_BODIES of lights that it meets
        I pixel, row, view;  // pixel of the launch's slice; row of Worlds
        I curve;  // place of the pixel along a Morton curve
    };
    auto path_floats = [](float* value, int i) { return value + (size_t)(i / OMM_GROUP) * (OMM_GROUP * OMM_PATH_FIELDS) + i % OMM_GROUP; };
    auto load_path = [&](const auto& paths, int i) {
        const float* slot = path_floats(paths.value.data, i);
        Path p;
#define OMM_LOAD(field) p.field = omm::load(slot); slot += OMM_GROUP;
#define OMM_LOAD_INT(field) p.field = omm::bits(omm::load(slot)); slot += OMM_GROUP;
        OMM_PATH_INTS(OMM_LOAD_INT)
        OMM_PATH_FLOATS(OMM_LOAD)
#undef OMM_LOAD
#undef OMM_LOAD_INT
        return p;
    };
    // Write one lane of a path as the next of those under way. Their order decides nothing.
    auto keep_path = [&](const auto& paths, const Path& p, int l) {
#if defined(__CUDA_ARCH__)
        const int i = atomicAdd(paths.count.data, 1);
#else
        const int i = paths.count.data[0]++;
#endif
        float* slot = path_floats(paths.value.data, i);
#define OMM_STORE(field) *slot = omm::get(p.field, l); slot += OMM_GROUP;
#define OMM_STORE_INT(field) *slot = omm::get(omm::from_bits(p.field), l); slot += OMM_GROUP;
        OMM_PATH_INTS(OMM_STORE_INT)
        OMM_PATH_FLOATS(OMM_STORE)
#undef OMM_STORE
#undef OMM_STORE_INT
    };
    auto pixels_of_paths = [&](const Path& p) {  // as far as a view and its random words go
        Pixels out;
        out.view = p.view;
        out.y = out.x = omm::splat_int(0);
        out.one_view = omm::is_same(p.view) ? omm::get_int(p.view, 0) : -1;
        out.is_row = false;
        return out;
    };
    auto rows_of_paths = [&](const Path& p) { return Rows{p.row, omm::is_same(p.row) ? omm::get_int(p.row, 0) : -1}; };
