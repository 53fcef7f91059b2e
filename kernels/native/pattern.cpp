// Procedural materials (kernels/pattern.py): what a pattern makes of a surface at a point. Needs noise.cpp and point.cpp.
// Record of a pattern, 24 floats: kind as bits, size [m], strength, relief [m], colours a and b (negative: the material's
// own), least and largest roughness, amounts of rust, stain, dust and wear, direction, size of the layers' blotches [m],
// width of worn edges [m]. Positions are those of the mesh's frame, but in metres: a pattern does not stretch with it.

    const float REFLECTANCE = 0.04f;  // of a dielectric at normal incidence, ior 1.5
    const float NEVER_M = 1.0e9f;  // distance of the nearest sharp edge where there is none
    const float LEAST_UP = 0.05f;  // of a bumped normal along the face's
    const float WEAVE_SHADE = 0.6347f;  // mean of what the relief of a weave leaves of its colour
    const float STONE_SHARE = 0.5165f;  // of asphalt that is stone, the rest is binder

    struct Place {
        V3 p;  // [m]
        F footprint, longest;  // of the pixel [m]: its width for isotropic lookups, and its long side at a slant
        U seed;
        V3 up;  // the world's, in the frame of p
        V3 normal;  // of the face, likewise
        V3 axis;  // of that frame, along which the face looks most
        F facing;  // cosine between the face and the world's up
        F edge_m;
    };
    struct Finish {
        V3 color;
        F metallic, roughness;
        Wave height;  // [m], gradient per metre
    };
    struct Pattern {
        F scale_m, strength, bump_m;
        V3 a, b;
        F smooth, rough;
        F rust, stain, dust, wear;
        V3 direction;
        F layer_scale_m, wear_width_m;
    };

    auto mix = [&](F a, F b, F share) { return a + (b - a) * share; };
    auto mix3 = [&](V3 a, V3 b, F share) { return V3{mix(a.x, b.x, share), mix(a.y, b.y, share), mix(a.z, b.z, share)}; };
    auto toned = [&](V3 color, F tone) { return omm::scale(color, omm::max(tone, omm::splat(0.0f))); };
    auto unit_share = [&](F x) { return omm::clamp(x, 0.0f, 1.0f); };
    auto roughness_in = [&](const Pattern& at, F share) { return mix(at.smooth, at.rough, unit_share(share)); };
    // Noise of a size in metres; gradients per metre.
    auto in_metres = [&](Wave w, F size_m) {
        const F inverse = 1.0f / size_m;
        w.d = omm::scale(w.d, inverse);
        w.rough = w.rough * inverse * inverse;
        return w;
    };
    auto fbm_of = [&](const Place& at, F size_m, int salt, int count) {
        const F inverse = 1.0f / size_m;
        return in_metres(fbm(omm::scale(at.p, inverse), at.footprint * inverse, at.seed + salt * 0x68bc21ebu, count), size_m);
    };
    auto folded_of = [&](const Place& at, F size_m, int salt, int count, float fold) {
        const F inverse = 1.0f / size_m;
        return in_metres(octaves(omm::scale(at.p, inverse), at.footprint * inverse, at.seed + salt * 0x68bc21ebu, count, 0.5f, fold, 1.0f), size_m);
    };
    auto streaks_of = [&](const Place& at, V3 axis, float stretch, F size_m, int salt, int count) {
        const F inverse = 1.0f / size_m;
        return in_metres(streaks(omm::scale(at.p, inverse), axis, stretch, at.footprint * inverse, at.seed + salt * 0x68bc21ebu, count), size_m);
    };
    // What noise must exceed on a given share of the surface: the normal quantile, by way of the logistic one.
    auto threshold_of = [&](F share) {
        const F s = omm::clamp(share, 1.0e-4f, 0.9999f);
        return 0.4120f * omm::log2((1.0f - s) / s) * (1.0f - 0.035f * omm::abs(s - 0.5f));
    };
    // Share of the amplitude of a cosine that a box as wide as some of its periods leaves: about a sinc, 0 from one on.
    auto resolved_wave = [&](F periods) {
        const F left = omm::max(1.0f - periods * periods, omm::splat(0.0f));
        return left * omm::sqrt(left);
    };
    // A cosine along a unit vector, variance 1.
    auto ripple = [&](const Place& at, V3 along, F period_m) {
        F sine, cosine;
        const F x = omm::dot(along, at.p) / period_m;
        omm::sincos(x - omm::floor(x), sine, cosine);
        const F left = resolved_wave(at.longest / period_m), rest = 1.0f - left * left;
        const F steep = (-1.4142f * 6.2831853f) / period_m;
        return Wave{1.4142f * left * cosine, omm::scale(along, left * sine * steep), rest, rest * steep * steep * 0.25f};
    };
    // Two unit vectors in the plane that a face is nearest to; the first follows the pattern's direction where it can.
    auto plane_of = [&](const Place& at, V3 direction, V3& along, V3& across) {
        V3 flat = omm::sub(direction, omm::scale(at.axis, omm::dot(direction, at.axis)));
        const M upright = omm::dot(flat, flat) < 0.01f;  // the direction pierces the face
        flat = omm::select3(upright, {at.axis.y, at.axis.z, at.axis.x}, flat);
        along = omm::unit(flat);
        across = omm::cross(at.axis, along);
    };
    // Spheres of up to `radius` cells in a share of the cells of a lattice: 1 within; far away, their share of space.
    auto spots = [&](const Place& at, F size_m, int salt, float share, float radius) {
        const F inverse = 1.0f / size_m, width = at.footprint * inverse;
        const Cells c = cells(omm::scale(at.p, inverse), at.seed + salt * 0x68bc21ebu);
        const F own = unit_bits(c.id, 10) * radius;
        const M is_one = unit_bits(c.id, 0) < share;
        const F soft = omm::min(omm::max(width * 0.5f, omm::splat(0.02f)), omm::splat(0.5f * radius));
        const F t = unit_share((own - c.nearest) / soft * 0.5f + 0.5f);
        const F in = omm::select(is_one, t * t * (3.0f - 2.0f * t), omm::splat(0.0f));
        const F slope = omm::select(is_one, -3.0f * t * (1.0f - t) / soft, omm::splat(0.0f)) / omm::max(c.nearest, omm::splat(1.0e-4f));
        const float all = share * 1.0472f * radius * radius * radius;  // of space: 4/3 pi r^3, of radii even in [0, radius]
        const F left = resolved(width, width, CELL_BLUR), rest = 1.0f - left * left;
        return in_metres(Wave{all + (in - all) * left, omm::scale(c.from, slope * left), rest * all * (1.0f - all), rest * all}, size_m);
    };

    auto cardboard = [&](const Place& at, const Pattern& q) {
        V3 along, across;
        plane_of(at, q.direction, along, across);
        const Wave flute = ripple(at, across, q.scale_m);
        const Wave fibre = streaks_of(at, along, 9.0f, q.scale_m * 0.07f, 1, 3);
        const Wave cross_fibre = streaks_of(at, across, 6.0f, q.scale_m * 0.09f, 2, 2);
        const Wave mottle = fbm_of(at, q.scale_m * 9.0f, 3, 4);
        const F dark = above(fibre, omm::splat(1.9f), omm::splat(0.2f)).v + above(cross_fibre, omm::splat(2.2f), omm::splat(0.2f)).v;
        const F light = above(times(cross_fibre, omm::splat(-1.0f)), omm::splat(2.0f), omm::splat(0.2f)).v;
        const F tone = 1.0f + q.strength * (0.06f * mottle.v + 0.05f * fibre.v + 0.04f * cross_fibre.v + 0.035f * flute.v);
        Finish out;
        out.color = toned(q.a, tone);
        out.color = mix3(out.color, q.b, unit_share(q.strength * 0.65f * dark));
        out.color = mix3(out.color, omm::vec3(0.62f, 0.50f, 0.36f), unit_share(q.strength * 0.5f * light));
        out.metallic = omm::splat(0.0f);
        out.roughness = roughness_in(q, 0.6f + 0.2f * mottle.v);
        out.height = times(sum(sum(flute, times(fibre, omm::splat(0.08f))), times(mottle, omm::splat(2.5f))), q.bump_m);
        return out;
    };
    auto painted_metal = [&](const Place& at, const Pattern& q) {
        V3 along, across;
        plane_of(at, q.direction, along, across);
        const Wave peel = fbm_of(at, q.scale_m, 1, 2), fade = fbm_of(at, q.scale_m * 60.0f, 2, 4);
        const Wave scuff = streaks_of(at, along, 14.0f, q.scale_m * 0.5f, 3, 3);
        const F marks = above(scuff, omm::splat(2.0f), omm::splat(0.25f)).v * q.strength;
        Finish out;
        out.color = toned(q.a, 1.0f + q.strength * 0.05f * fade.v);
        out.color = mix3(out.color, toned(q.a, omm::splat(1.35f)), 0.35f * unit_share(marks));
        out.metallic = omm::splat(0.0f);
        out.roughness = roughness_in(q, 0.4f + q.strength * (0.18f * fade.v + 0.5f * marks));
        out.height = times(peel, q.bump_m);
        return out;
    };
    auto brushed_metal = [&](const Place& at, const Pattern& q) {
        V3 along, across;
        plane_of(at, q.direction, along, across);
        const Wave fine = streaks_of(at, along, 90.0f, q.scale_m, 1, 4);
        const Wave broad = streaks_of(at, along, 30.0f, q.scale_m * 12.0f, 2, 3);
        Finish out;
        out.color = mix3(q.b, q.a, unit_share(0.6f + q.strength * (0.17f * fine.v + 0.14f * broad.v)));
        out.metallic = omm::splat(1.0f);
        out.roughness = roughness_in(q, 0.5f + q.strength * (0.14f * fine.v + 0.2f * broad.v));
        out.height = times(fine, q.bump_m);
        return out;
    };
    auto cast_metal = [&](const Place& at, const Pattern& q) {
        const Wave grain = fbm_of(at, q.scale_m, 1, 3), lumps = fbm_of(at, q.scale_m * 14.0f, 2, 3);
        const Wave pits = spots(at, q.scale_m * 3.0f, 3, 0.3f, 0.4f);
        Finish out;
        out.color = mix3(q.b, q.a, unit_share(0.55f + q.strength * (0.16f * grain.v + 0.14f * lumps.v)));
        out.color = toned(out.color, 1.0f - q.strength * 0.6f * pits.v);
        out.metallic = omm::splat(1.0f);
        out.roughness = roughness_in(q, 0.5f + q.strength * (0.12f * grain.v + 0.2f * lumps.v));
        out.height = times(sum(sum(grain, times(lumps, omm::splat(2.0f))), times(pits, omm::splat(-4.0f))), q.bump_m);
        return out;
    };
    auto concrete = [&](const Place& at, const Pattern& q) {
        const Wave cloud = fbm_of(at, q.scale_m * 25.0f, 1, 5), sand = fbm_of(at, q.scale_m * 0.15f, 2, 3);
        const Wave pores = spots(at, q.scale_m * 2.2f, 3, 0.45f, 0.22f), pinholes = spots(at, q.scale_m * 0.5f, 4, 0.35f, 0.3f);
        const Wave crack = folded_of(at, q.scale_m * 40.0f, 5, 3, -1.0f);
        const F holes = unit_share(pores.v + 0.7f * pinholes.v);
        const F line = above(crack, omm::splat(1.27f), omm::splat(0.03f)).v;
        Finish out;
        out.color = mix3(q.b, q.a, unit_share(0.55f + q.strength * (0.22f * cloud.v + 0.09f * sand.v)));
        out.color = toned(out.color, 1.0f - q.strength * (0.62f * holes + 0.25f * line));
        out.metallic = omm::splat(0.0f);
        out.roughness = roughness_in(q, 0.5f + q.strength * (0.2f * cloud.v + 0.1f * sand.v));
        out.height = times(sum(sum(times(sand, omm::splat(0.35f)), times(cloud, omm::splat(2.0f))),
                               sum(times(pores, omm::splat(-5.0f)), times(pinholes, omm::splat(-2.0f)))), q.bump_m);
        return out;
    };
    auto asphalt = [&](const Place& at, const Pattern& q) {
        const F inverse = 1.0f / q.scale_m, width = at.footprint * inverse;
        const Cells c = cells(omm::scale(at.p, inverse), at.seed);
        const Wave grit = fbm_of(at, q.scale_m * 0.3f, 1, 3), cloud = fbm_of(at, q.scale_m * 60.0f, 2, 4);
        const F left = resolved(width, width, CELL_BLUR), gap = c.second - c.nearest;
        const F edge = unit_share((gap - 0.03f) * (1.0f / 0.12f));
        const F is_stone = edge * edge * (3.0f - 2.0f * edge) * omm::select(unit_bits(c.id, 0) < 0.75f, omm::splat(1.0f), omm::splat(0.0f));
        const F stone = mix(omm::splat(STONE_SHARE), is_stone, left);
        const F kind = unit_bits(c.id, 10);  // most stones are dark, few are light
        const F light = 0.45f + 1.6f * kind * kind * kind;
        const V3 tinted = omm::mul(toned(q.a, mix(omm::splat(0.85f), light, left)),
                                   {1.0f + left * 0.15f * (unit_bits(c.id, 20) - 0.5f), omm::splat(1.0f), 1.0f - left * 0.15f * (unit_bits(c.id, 20) - 0.5f)});
        const F tone = 1.0f + q.strength * (0.18f * grit.v + 0.12f * cloud.v);
        Finish out;
        out.color = toned(mix3(q.b, tinted, stone * unit_share(q.strength)), tone);
        out.metallic = omm::splat(0.0f);
        out.roughness = roughness_in(q, 0.9f - 0.5f * stone + 0.15f * grit.v);
        const F dome = -1.6f * left * inverse;
        const F rest = 1.0f - left * left;
        const Wave domes = {c.nearest * c.nearest * (-1.6f * left), omm::scale(c.from, dome * 2.0f), omm::splat(0.0f), rest * inverse * inverse};
        out.height = times(sum(domes, times(grit, omm::splat(0.18f))), q.bump_m);
        return out;
    };
    auto wood = [&](const Place& at, const Pattern& q) {
        V3 t, b;
        omm::basis(q.direction, t, b);
        const U h = scrambled(at.seed);
        const Wave bend = streaks_of(at, q.direction, 8.0f, q.scale_m * 18.0f, 1, 2);
        const F x = omm::dot(t, at.p) + (0.04f + 0.12f * unit_bits(h, 0)), y = omm::dot(b, at.p) + 0.1f * (unit_bits(h, 10) - 0.5f);
        const F radius = omm::max(omm::sqrt(x * x + y * y), omm::splat(1.0e-5f)), inverse = 1.0f / q.scale_m;
        const Wave years = corner_noise({radius * inverse * 0.3f, omm::splat(0.5f), omm::splat(0.5f)}, h, false);  // good and bad ones
        const F rings = radius * inverse + 0.9f * years.v + 1.3f * bend.v;
        const V3 grows = omm::add(omm::scale(omm::add(omm::scale(t, x), omm::scale(b, y)), inverse / radius * (1.0f + 0.27f * years.d.x)), omm::scale(bend.d, omm::splat(1.3f)));
        const F across = omm::length(omm::sub(grows, omm::scale(at.normal, omm::dot(at.normal, grows))));  // rings a metre
        Wave ring = flat_wave(omm::splat(0.0f));  // a saw: early wood turns slowly into late wood, which ends at once
        for (int k = 1; k <= 4; ++k) {
            F sine, cosine;
            omm::sincos((rings - omm::floor(rings)) * (float)k, sine, cosine);
            const F left = resolved_wave(at.longest * across * (float)k) * (1.0f / (float)k);
            ring.v = ring.v - sine * left;
            ring.d = omm::sub(ring.d, omm::scale(grows, cosine * left * (6.2831853f * (float)k)));
        }
        const Wave grain = streaks_of(at, q.direction, 45.0f, omm::splat(7.0e-4f), 2, 3), plank = streaks_of(at, q.direction, 5.0f, q.scale_m * 30.0f, 3, 3);
        const F pores = above(grain, omm::splat(1.3f), omm::splat(0.3f)).v;
        const F late = unit_share(0.42f + q.strength * (0.26f * ring.v + 0.07f * plank.v + 0.08f * years.v * resolved(at.footprint * inverse * 0.3f, at.footprint * inverse * 0.3f, GRADIENT_BLUR)));
        Finish out;
        out.color = toned(mix3(q.a, q.b, late), 1.0f + q.strength * (0.09f * plank.v + 0.07f * grain.v - 0.4f * pores));
        out.metallic = omm::splat(0.0f);
        out.roughness = roughness_in(q, 0.5f + q.strength * (0.15f * grain.v - 0.12f * ring.v));
        out.height = times(sum(times(ring, omm::splat(0.35f)), times(grain, omm::splat(-0.4f))), q.bump_m);
        return out;
    };
    auto plastic_film = [&](const Place& at, const Pattern& q) {
        V3 along, across;
        plane_of(at, q.direction, along, across);
        const Wave bend = fbm_of(at, q.scale_m * 3.0f, 1, 1), haze = fbm_of(at, q.scale_m * 4.0f, 4, 3);
        // Taut folds along the direction, and askew to it on either side.
        const V3 left = omm::unit(omm::add(omm::scale(along, omm::splat(0.8f)), omm::scale(across, omm::splat(0.6f))));
        const V3 right = omm::unit(omm::sub(omm::scale(along, omm::splat(0.9f)), omm::scale(across, omm::splat(0.44f))));
        const Wave taut = streaks_of(at, along, 22.0f, q.scale_m * 0.4f, 2, 2), askew = streaks_of(at, left, 8.0f, q.scale_m * 1.6f, 3, 1);
        const Wave other = streaks_of(at, right, 14.0f, q.scale_m, 5, 1);
        const Wave ridge = sum(sum(times(above(taut, omm::splat(0.9f), omm::splat(0.5f)), omm::splat(0.6f)),
                                   above(askew, omm::splat(1.1f), omm::splat(0.4f))), above(other, omm::splat(1.2f), omm::splat(0.35f)));
        const F crease = 0.5f * ridge.v;
        Finish out;
        out.color = mix3(toned(q.a, 1.0f + q.strength * 0.03f * haze.v), q.b, unit_share(q.strength * (0.15f * crease)));
        out.metallic = omm::splat(0.0f);
        out.roughness = roughness_in(q, 0.35f + q.strength * (0.15f * haze.v + 0.25f * crease));
        out.height = times(sum(ridge, times(bend, omm::splat(1.5f))), q.bump_m);
        return out;
    };
    // Plain weave: threads of colour a along the direction, over and under those of colour b.
    auto fabric = [&](const Place& at, const Pattern& q) {
        V3 along, across;
        plane_of(at, q.direction, along, across);
        const Wave slack = fbm_of(at, q.scale_m * 12.0f, 1, 2), fold = fbm_of(at, q.scale_m * 110.0f, 2, 1), lint = fbm_of(at, q.scale_m * 0.35f, 3, 2);
        const F inverse = 1.0f / q.scale_m, half = 0.5f * inverse, turn = omm::splat(6.2831853f);
        F u_sine, u_cosine, v_sine, v_cosine;
        const F u = omm::dot(across, at.p) * half + 0.06f * q.strength * slack.v, v = omm::dot(along, at.p) * half;
        omm::sincos(u - omm::floor(u), u_sine, u_cosine);
        omm::sincos(v - omm::floor(v), v_sine, v_cosine);
        const F u_side = omm::with_sign(omm::splat(1.0f), u_cosine), v_side = omm::with_sign(omm::splat(1.0f), v_cosine);
        const F warp_over = 0.5f + 0.5f * u_side * v_cosine, weft_over = 0.5f - 0.5f * v_side * u_cosine;
        const F warp = u_cosine * u_cosine * warp_over, weft = v_cosine * v_cosine * weft_over;
        const M is_warp = warp > weft;
        const F height = omm::select(is_warp, warp, weft);
        const F by_u = omm::select(is_warp, -2.0f * u_cosine * u_sine * warp_over, 0.5f * v_cosine * v_cosine * v_side * u_sine) * turn;
        const F by_v = omm::select(is_warp, -0.5f * u_cosine * u_cosine * u_side * v_sine, -2.0f * v_cosine * v_sine * weft_over) * turn;
        const V3 u_grows = omm::add(omm::scale(across, half), omm::scale(slack.d, 0.06f * q.strength));
        const V3 slope = omm::add(omm::scale(u_grows, by_u), omm::scale(along, by_v * half));
        const F left = resolved_wave(at.longest * inverse), rest = 1.0f - left * left;
        const F shade = mix(omm::splat(WEAVE_SHADE), 0.25f + 0.85f * height, left * unit_share(q.strength));
        const F checks = resolved_wave(at.longest * inverse * 0.707f);  // over and under, along diagonals
        const F share = mix(omm::splat(0.5f), omm::select(is_warp, omm::splat(0.0f), omm::splat(1.0f)), checks);
        Finish out;
        out.color = toned(mix3(q.a, q.b, share), shade * (1.0f + q.strength * (0.10f * lint.v + 0.05f * fold.v)));
        out.metallic = omm::splat(0.0f);
        out.roughness = roughness_in(q, 0.6f + 0.2f * lint.v);
        const Wave weave = {height * left, omm::scale(slope, left), rest * 0.05f, rest * inverse * inverse};
        out.height = times(sum(sum(weave, times(lint, omm::splat(0.04f))), times(fold, omm::splat(25.0f))), q.bump_m);
        return out;
    };
    // Pressed and sintered, then ground along one direction: fine grain, grooves, in patches bright streaks, and what time leaves on
    // such faces: clouds, smudges, and a web of faint dark hairlines; how much of these there is, a thing decides for itself.
    auto ground_ceramic = [&](const Place& at, const Pattern& q) {
        V3 along, across;
        plane_of(at, q.direction, along, across);
        const U own = scrambled(at.seed + 0x51ed270bu);
        const Wave grain = fbm_of(at, q.scale_m * 0.7f, 1, 2), cloud = fbm_of(at, q.scale_m * 40.0f, 2, 3);
        const Wave groove = streaks_of(at, along, 40.0f, q.scale_m, 3, 3), band = streaks_of(at, along, 25.0f, q.scale_m * 10.0f, 4, 2);
        const Wave line = streaks_of(at, along, 150.0f, q.scale_m * 1.2f, 5, 2), patch = fbm_of(at, q.scale_m * 45.0f, 6, 2);
        const Wave web = folded_of(at, q.scale_m * 35.0f, 7, 3, -1.0f), where = fbm_of(at, q.scale_m * 60.0f, 8, 2);
        const F lit = above(line, omm::splat(1.5f), omm::splat(0.35f)).v * (0.25f + 0.75f * above(patch, omm::splat(0.6f), omm::splat(0.5f)).v);
        const F hairs = above(web, omm::splat(1.22f), omm::splat(0.05f)).v * above(where, omm::splat(0.7f), omm::splat(0.4f)).v;
        const F smudge = above(fbm_of(at, q.scale_m * 14.0f, 9, 4), omm::splat(1.6f), omm::splat(0.5f)).v;
        const F streaky = 0.3f + 1.0f * unit_bits(own, 0), marked = unit_bits(own, 10), dirty = unit_bits(own, 20);
        const F tone = 1.0f + q.strength * (0.06f * grain.v + 0.06f * groove.v + 0.09f * band.v + 0.11f * cloud.v + 1.1f * streaky * lit);
        Finish out;
        out.color = toned(q.a, tone);
        out.color = mix3(out.color, q.b, unit_share(q.strength * (0.5f * marked * marked * hairs + 0.35f * dirty * smudge)));
        out.metallic = omm::splat(0.45f);
        out.roughness = roughness_in(q, 0.5f + q.strength * (0.2f * cloud.v + 0.1f * band.v - 0.4f * lit));
        out.height = times(sum(groove, times(grain, omm::splat(0.3f))), q.bump_m);
        return out;
    };
