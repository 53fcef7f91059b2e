// Where light that leaves a point towards the viewer may have come from (kernels/path.py). Needs lobes.cpp, path.cpp and
// path_sequence.cpp. In: views, sampling.
// Source: Pharr, Jakob, Humphreys, PBRT 4, chapters 9 and 13; Walter et al., EGSR 2007 (refraction).

    // Reflectance of a smooth boundary; eta: refractive index behind it over that before it. 1: total reflection.
    auto fresnel_dielectric = [&](F cos_in, F eta, F& cos_out) {
        const F sin2 = (1.0f - cos_in * cos_in) / (eta * eta);
        cos_out = omm::sqrt(omm::max(1.0f - sin2, omm::splat(0.0f)));
        const F along = (eta * cos_in - cos_out) / (eta * cos_in + cos_out), across = (cos_in - eta * cos_out) / (cos_in + eta * cos_out);
        return omm::select(sin2 < 1.0f, 0.5f * (along * along + across * across), omm::splat(1.0f));
    };
    // A ray through or off glass for three uniform numbers: `throughput` gets its factor. A sheet (thin) does not bend it.
    auto scatter_glass = [&](const Point& p, F through, F eta, M thin, V3 u, V3& direction, M& passes) {
        const V3 half = sample_half(p.bsdf.normal, p.to_viewer, p.bsdf.alpha, {u.x, u.y});
        const F cos_in = omm::clamp(omm::dot(p.to_viewer, half), 0.0f, 1.0f);
        F cos_out;
        F reflectance = fresnel_dielectric(cos_in, eta, cos_out);
        reflectance = omm::select(thin, 2.0f * reflectance / (1.0f + reflectance), reflectance);  // of both sides of a sheet
        passes = u.z >= reflectance;
        const V3 mirrored = omm::sub(omm::scale(half, 2.0f * cos_in), p.to_viewer);
        const V3 bent = omm::sub(omm::scale(half, cos_in / eta - cos_out), omm::scale(p.to_viewer, 1.0f / eta));
        direction = omm::unit(omm::select3(passes, omm::select3(thin, omm::negative(p.to_viewer), bent), mirrored));
        const F side = omm::dot(p.bsdf.normal, direction), a2 = p.bsdf.alpha * p.bsdf.alpha;
        const F c2 = side * side;
        const F kept = 2.0f / (1.0f + omm::sqrt(1.0f + a2 * (1.0f - c2) / omm::max(c2, omm::splat(1.0e-8f))));  // G1 of the way out
        const F v = omm::max(omm::dot(p.bsdf.normal, p.to_viewer), omm::splat(1.0e-3f));
        const F g1 = 2.0f / (1.0f + omm::sqrt(1.0f + a2 * (1.0f - v * v) / (v * v)));
        // height-correlated Smith for a reflection; for a passage both ways are on their own sides
        const F together = 1.0f / omm::max(1.0f / g1 + 1.0f / kept - 1.0f, omm::splat(1.0e-6f));
        const M valid = omm::select_int(passes, (M)(side < 0.0f), (M)(side > 0.0f)) != 0;
        const F factor = omm::select(passes, omm::select(thin, through, through * kept), together / g1);
        return omm::select(valid, factor, omm::splat(0.0f));
    };
    // Give every lane's path its next ray; return the lanes that go on.
    auto scatter = [&](const Point& p, Path& path, const auto& glass, M alive, int i, int depth) {
        const Pixels pixels = pixels_of_paths(path);
        const int salt = 2 * depth + 1;
        const U n = path_index(views, pixels, path.curve, sampling.sample_count, sampling.sample, salt);
        const V3 u = {path_number(n, views.ambient_shift, pixels, 0, salt), path_number(n, views.ambient_shift, pixels, 1, salt),
                      path_number(n, views.ambient_shift, pixels, 2, salt)};
        const F share = gloss_share(p.bsdf);
        const M is_gloss = u.x < share;
        V3 direction = sample_lobes(p.bsdf, p.to_viewer, share, {u.x, u.y});
        const F cosine = omm::dot(p.bsdf.normal, direction), density = lobes_density(p.bsdf, p.to_viewer, share, direction);
        const M above = (cosine > 0.0f) & (omm::dot(p.face_normal, direction) > 0.0f) & (density > 0.0f);
        const F scale = omm::select(above, cosine / omm::max(density, omm::splat(1.0e-20f)), omm::splat(0.0f));
        V3 factor = omm::scale(evaluate(p.bsdf, p.to_viewer, direction, 1.0f, 1.0f), scale);
        V3 origin = p.origin_m;
        F choice = u.z;
        const I seen = path.sees_lights;
        path.sees_lights = omm::splat_int(0);
        const F gain = omm::select(is_gloss, p.bsdf.alpha, omm::splat(DIFFUSE_SPREAD));
        F spread = omm::max(path.spread, gain);
        if (glass.through.shape[0] > 0) {
            const F through = omm::load(glass.through.data + i), eta = omm::load(glass.eta.data + i);
            const M is_sheet = eta < 0.0f, is_glass = alive & ((eta > 0.0f) | is_sheet);
            if (omm::any(is_glass)) {  // its gloss is not in p.bsdf: `share` is 0
                const F part = 1.0f / (1.0f + mean_of(p.bsdf.diffuse));
                const M takes = is_glass & (u.x < part);
                V3 bent;
                M passes;
                const F kept = scatter_glass(p, through, omm::select(is_glass, omm::abs(eta), omm::splat(1.5f)), is_sheet, {u.x / part, u.y, u.z}, bent, passes);
                const F body = (u.x - part) / omm::max(1.0f - part, omm::splat(1.0e-6f));
                const V3 spread_out = cosine_direction(p.bsdf.normal, {omm::clamp(body, 0.0f, 1.0f), u.y});
                const V3 through_body = omm::scale(p.bsdf.diffuse, 1.0f / omm::max(1.0f - part, omm::splat(1.0e-6f)));
                factor = omm::select3(is_glass, omm::select3(takes, omm::same(kept / part), through_body), factor);
                direction = omm::select3(is_glass, omm::select3(takes, bent, spread_out), direction);
                const V3 behind = omm::sub(omm::scale(p.position_m, omm::splat(2.0f)), p.origin_m);
                origin = omm::select3(takes & passes, behind, origin);
                // Shadow rays go straight through sheets, so that a ray that passed one sees what it saw before.
                const I now = omm::select_int(is_sheet & passes, seen, omm::splat_int(SEES_DOMES | SEES_BODIES));
                path.sees_lights = omm::select_int(takes, now, path.sees_lights);
                spread = omm::select(takes, omm::max(path.spread, p.bsdf.alpha), spread);
            }
        }
        path.throughput = omm::mul(path.throughput, factor);
        path.width = path.width + omm::length(omm::sub(p.position_m, path.origin)) * path.spread;
        path.spread = spread;
        path.origin = origin;
        path.direction = direction;
        const F most = omm::max(omm::max(path.throughput.x, path.throughput.y), path.throughput.z);
        alive = alive & (most > 0.0f);
        if (depth < FREE_BOUNCES) return (M)alive;
        const F stays = omm::clamp(most, LEAST_SURVIVAL, 1.0f);  // Russian roulette
        const U m = path_index(views, pixels, path.curve, sampling.sample_count, sampling.sample, salt + ROULETTE_SALT);
        choice = path_number(m, views.ambient_shift, pixels, 0, salt + ROULETTE_SALT);
        path.throughput = omm::scale(path.throughput, 1.0f / stays);
        return (M)(alive & (choice < stays));
    };
