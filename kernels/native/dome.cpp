// A dome's light on a surface: directions where the surface's lobes look, so that gloss under a dome is not speckled
// (kernels/shade.py). Needs light.cpp and lobes.cpp.

    // A direction towards a dome for two uniform numbers, spread as the surface's lobes reflect.
    auto sample_dome = [&](const auto& lights, const Rows& rows, int light, const Bsdf& bsdf, V3 to_viewer, V2 u) {
        const F share = gloss_share(bsdf);
        LightSample out = LightSample{};
        out.direction = sample_lobes(bsdf, to_viewer, share, u);
        out.distance_m = omm::splat(DISTANT_M);
        const F density = lobes_density(bsdf, to_viewer, share, out.direction);
        const F scale = omm::select(omm::dot(bsdf.normal, out.direction) > 0.0f, 1.0f / density, omm::splat(0.0f));
        out.radiance = omm::scale(vec3_of_row(lights.radiance, rows, light), scale);
        if (lights.texture.data[light] != NO_TEXTURE) {
            F pose[12];
            pose_of(lights, rows, light, pose);
            out.uv = dome_uv(pose, out.direction);
        }
        return out;
    };
