// Shadow rays in memory (kernels/shade.py): blocks of OMM_GROUP pixels as in point.cpp, one set of blocks for every slot.
// Fields: direction, distance [m] (0: nothing to trace), radiance, link as bits. Needs point.cpp.

#define OMM_RAY_FIELDS 8

    struct ShadowRay {
        V3 direction;
        F distance_m;
        V3 radiance;
    };
    auto load_ray = [&](const auto& rays, int slot, int i) {
        const float* at = rays.value.data + (size_t)slot * rays.slot_floats + (size_t)(i / OMM_GROUP) * (OMM_GROUP * OMM_RAY_FIELDS) + i % OMM_GROUP;
        F f[7];
        for (int k = 0; k < 7; ++k) f[k] = omm::load(at + k * OMM_GROUP);
        return ShadowRay{{f[0], f[1], f[2]}, f[3], {f[4], f[5], f[6]}};
    };
    auto store_ray = [&](const auto& rays, int slot, int i, V3 direction, F distance_m, V3 radiance, I link) {
        float* at = rays.value.data + (size_t)slot * rays.slot_floats + (size_t)(i / OMM_GROUP) * (OMM_GROUP * OMM_RAY_FIELDS) + i % OMM_GROUP;
        const F fields[OMM_RAY_FIELDS] = {direction.x, direction.y, direction.z, distance_m, radiance.x, radiance.y, radiance.z, omm::from_bits(link)};
        for (int k = 0; k < OMM_RAY_FIELDS; ++k) omm::store(at + k * OMM_GROUP, fields[k]);
    };
    auto store_distance = [&](const auto& rays, int slot, int i, F distance_m) {
        float* at = rays.value.data + (size_t)slot * rays.slot_floats + (size_t)(i / OMM_GROUP) * (OMM_GROUP * OMM_RAY_FIELDS) + i % OMM_GROUP;
        omm::store(at + 3 * OMM_GROUP, distance_m);
    };
    auto store_no_ray = [&](const auto& rays, int slot, int i) { store_distance(rays, slot, i, omm::splat(0.0f)); };
    auto load_link = [&](const auto& rays, int slot, int i) {
        const float* at = rays.value.data + (size_t)slot * rays.slot_floats + (size_t)(i / OMM_GROUP) * (OMM_GROUP * OMM_RAY_FIELDS) + i % OMM_GROUP;
        return omm::bits(omm::load(at + 7 * OMM_GROUP));
    };
