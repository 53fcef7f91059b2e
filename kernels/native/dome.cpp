// A dome's light on a surface: directions where the surface's lobes look, so that gloss under a dome is not speckled
// (kernels/dome.py). Needs light.cpp and bsdf.cpp.
// Source: Heitz, "Sampling the GGX distribution of visible normals", JCGT 7(4), 2018, with the spherical caps of Dupuy and
// Benyoub, "Sampling visible GGX normals with spherical caps", CGF 42(8), 2023; one-sample combination after Veach, 1997.

    // A microfacet normal that the viewer sees; both in a frame whose z is the surface's normal.
    auto visible_normal = [&](V3 to_viewer, F alpha, V2 u) {
        const V3 stretched = omm::unit({alpha * to_viewer.x, alpha * to_viewer.y, to_viewer.z});
        F sine, cosine;
        omm::sincos(u.x, sine, cosine);
        const F z = (1.0f - u.y) * (1.0f + stretched.z) - stretched.z;
        const F r = omm::sqrt(omm::clamp(1.0f - z * z, 0.0f, 1.0f));
        const V3 h = omm::add({r * cosine, r * sine, z}, stretched);
        return omm::unit({alpha * h.x, alpha * h.y, omm::max(h.z, omm::splat(1.0e-6f))});
    };
    // The density per solid angle [1/sr] of the direction that `visible_normal` reflects the viewer into.
    auto visible_normal_density = [&](const Bsdf& bsdf, V3 to_viewer, V3 direction) {
        const F a2 = bsdf.alpha * bsdf.alpha;
        const F n_dot_v = omm::max(omm::dot(bsdf.normal, to_viewer), omm::splat(1.0e-3f));
        const F n_dot_h = omm::clamp(omm::dot(bsdf.normal, omm::unit(omm::add(to_viewer, direction))), 0.0f, 1.0f);
        const F d = n_dot_h * n_dot_h * (a2 - 1.0f) + 1.0f;
        return a2 / (PI * d * d) * 0.5f / (n_dot_v + omm::sqrt(a2 + (1.0f - a2) * n_dot_v * n_dot_v));
    };
    // A direction towards a dome for two uniform numbers, spread as the surface's lobes reflect.
    auto sample_dome = [&](const auto& lights, const Rows& rows, int light, const Bsdf& bsdf, V3 to_viewer, V2 u) {
        const F specular = mean_of(fresnel_schlick(bsdf, omm::max(omm::dot(bsdf.normal, to_viewer), omm::splat(0.0f))));
        const F share = specular / omm::max(specular + mean_of(bsdf.diffuse), omm::splat(1.0e-6f));  // of samples that the GGX lobe gets
        const M is_gloss = u.x < share;
        LightSample out = LightSample{};
        const F spread = omm::select(is_gloss, omm::splat(0.0f), (u.x - share) / (1.0f - share));
        out.direction = cosine_direction(bsdf.normal, {spread, u.y});
        if (omm::any(is_gloss)) {
            V3 t, b;
            omm::basis(bsdf.normal, t, b);
            V3 local = {omm::dot(t, to_viewer), omm::dot(b, to_viewer), omm::max(omm::dot(bsdf.normal, to_viewer), omm::splat(1.0e-3f))};
            const F along = omm::select(is_gloss, u.x / share, omm::splat(0.0f));
            const V3 h = visible_normal(omm::unit(local), bsdf.alpha, {along, u.y});
            const V3 half = omm::add(omm::add(omm::scale(t, h.x), omm::scale(b, h.y)), omm::scale(bsdf.normal, h.z));
            const V3 mirrored = omm::unit(omm::sub(omm::scale(half, 2.0f * omm::dot(to_viewer, half)), to_viewer));
            out.direction = omm::select3(is_gloss, mirrored, out.direction);
        }
        out.distance_m = omm::splat(DISTANT_M);
        const F cosine = omm::dot(bsdf.normal, out.direction);
        const F wide = (1.0f - share) * cosine * (1.0f / PI);
        const F density = wide + omm::select(share > 0.0f, share * visible_normal_density(bsdf, to_viewer, out.direction), omm::splat(0.0f));
        const F scale = omm::select(cosine > 0.0f, 1.0f / density, omm::splat(0.0f));
        out.radiance = omm::scale(vec3_of_row(lights.radiance, rows, light), scale);
        if (lights.texture.data[light] != NO_TEXTURE) {
            F pose[12];
            pose_of(lights, rows, light, pose);
            out.uv = dome_uv(pose, out.direction);
        }
        return out;
    };
