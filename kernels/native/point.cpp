// A point to be lit, and where it lies in memory between launches: OMM_GROUP neighbouring pixels share a block, in which
// each field of all of them comes before the next field. Needs lanes.cpp.

#if defined(__CUDA_ARCH__)
#define OMM_GROUP 32  // a warp reads a field in one piece
#else
#define OMM_GROUP OMM_WIDTH
#endif
#define OMM_POINT_V3(X, v) X(v.x) X(v.y) X(v.z)
#define OMM_POINT_FLOATS(X)                                                                                         \
    OMM_POINT_V3(X, position_m) OMM_POINT_V3(X, origin_m) OMM_POINT_V3(X, face_normal) OMM_POINT_V3(X, to_viewer)    \
    OMM_POINT_V3(X, bsdf.normal) OMM_POINT_V3(X, bsdf.diffuse) OMM_POINT_V3(X, bsdf.f0) OMM_POINT_V3(X, bsdf.f90)    \
    OMM_POINT_V3(X, bsdf.emission) X(bsdf.alpha) X(bsdf.coat) X(bsdf.coat_f0) X(bsdf.coat_alpha)                      \
    OMM_POINT_V3(X, bsdf.gloss)
#define OMM_POINT_INTS(X) X(lit) X(is_edge) X(row) X(placement)
#define OMM_POINT_FIELDS 38

    struct Bsdf {  // a material evaluated at a point for its viewer: what a layer takes away the layers below lack
        V3 normal, diffuse;  // albedo of the Lambert lobe
        V3 f0, f90;  // factors on the GGX lobe at normal incidence and at a grazing angle
        F alpha;  // GGX roughness squared
        F coat, coat_f0, coat_alpha;
        V3 emission;
        V3 gloss;  // albedo of the GGX lobes
    };
    struct Point {
        I lit;  // 0: nothing there to be lit; then emission is 0, placement -1 if a ray met nothing, to_viewer its origin's direction
        I is_edge;  // 1: the next sample has a point of its own
        I row, placement;
        V3 position_m, origin_m;  // origin of shadow rays, clear of the surface
        V3 face_normal, to_viewer;
        Bsdf bsdf;
    };
    // `i` is the first lane's pixel within the launch: a multiple of OMM_WIDTH.
    auto load_point = [](const float* points, int i) {
        const float* slot = points + (size_t)(i / OMM_GROUP) * (OMM_GROUP * OMM_POINT_FIELDS) + i % OMM_GROUP;
        Point p;
#define OMM_LOAD(field) p.field = omm::load(slot); slot += OMM_GROUP;
#define OMM_LOAD_INT(field) p.field = omm::bits(omm::load(slot)); slot += OMM_GROUP;
        OMM_POINT_INTS(OMM_LOAD_INT)
        OMM_POINT_FLOATS(OMM_LOAD)
#undef OMM_LOAD
#undef OMM_LOAD_INT
        return p;
    };
    auto store_point = [](float* points, int i, const Point& p) {
        float* slot = points + (size_t)(i / OMM_GROUP) * (OMM_GROUP * OMM_POINT_FIELDS) + i % OMM_GROUP;
#define OMM_STORE(field) omm::store(slot, p.field); slot += OMM_GROUP;
#define OMM_STORE_INT(field) omm::store(slot, omm::from_bits(p.field)); slot += OMM_GROUP;
        OMM_POINT_INTS(OMM_STORE_INT)
        OMM_POINT_FLOATS(OMM_STORE)
#undef OMM_STORE
#undef OMM_STORE_INT
    };
    auto mean_of = [](V3 color) { return (color.x + color.y + color.z) * (1.0f / 3.0f); };
