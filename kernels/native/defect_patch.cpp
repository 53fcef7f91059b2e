// Shapes of defects that are patches, and of near-misses (kernels/defect.py). Needs defect.cpp. The mask of a patch of many
// small things is the patch, except for dust, where it is the specks.

    // A patch with an even outline, for what fills it: 1 inside.
    auto patch_of = [&](const Local& at, const Shape& s, float grain) {
        const Round o = round_of(at, s, grain, 3);
        F seen;
        return disc(at, o, omm::max(s.softness, omm::splat(0.02f)), seen);
    };
    // Fine rubs side by side, `count` of them over its width, some deep and most shallow.
    auto scuff = [&](const Local& at, const Shape& s) {
        const F inside = patch_of(at, s, 1.5f), pitch = s.breadth / omm::max(s.count, omm::splat(1.0f));
        const F f = reach_along(at, omm::splat(0.0f), omm::splat(1.0f)), scale = 1.0f / pitch;
        const F sway = 0.03f * s.irregularity * s.length * wander(at.u / s.length * 2.0f, at.seed + 3u, 1).v;
        const Wave rubs = octaves_of({at.u * 4.0f / s.length, (at.v + sway) * scale * 0.7f, omm::splat(0.5f)}, f * scale * 0.7f, at.seed + 81u, 3, 0.6f, 0.0f);
        const Wave dense = noise_of({at.u * 3.0f / s.length, at.v * 3.0f / s.breadth, omm::splat(1.5f)}, at.width * 3.0f / s.breadth, at.seed + 82u, 2);
        const Wave mask = above(rubs, 0.35f - 0.45f * dense.v * s.irregularity, omm::splat(0.35f));
        Trace out = no_trace();
        out.cover = out.seen = inside;
        out.paint = inside * unit_share(0.15f + 0.85f * mask.v);
        const F high = inside * s.depth;
        out.slope = {omm::splat(0.0f), high * rubs.d.y * scale * 0.35f, omm::splat(0.0f)};
        out.rough = high * high * (rubs.rough * scale * scale * 0.06f);
        return out;
    };
    // A smooth hollow, depth (1 - r^2)^2, with a low rim from 1 to 1.5 radii.
    auto dent = [&](const Local& at, const Shape& s) {
        const Round o = round_of(at, s, 0.5f, 1);
        Trace out = no_trace();
        out.cover = disc(at, o, omm::min(s.softness, omm::splat(0.25f)), out.seen);
        out.paint = out.cover;
        const F small = 0.5f * omm::min(s.length, s.breadth), f = reach_along(at, o.away_u, o.away_v), shown = 1.0f / (1.0f + f * f / (small * small));
        const F deep = omm::min(s.depth, small * STEEPEST), r = omm::max(o.r, omm::splat(0.0f)), none = omm::splat(0.0f);
        auto left_at = [&](F r2) { return omm::max(1.0f - r2, none); };
        const Sunk in = sunk(at, s, o, s.depth, [&](F r2) { const F left = left_at(r2); return left * left; });
        const F bump = (r - 1.0f) * (1.5f - r) * 16.0f;  // 1 in the middle of the rim
        const F ring = omm::select((r > 1.0f) & (r < 1.5f), 2.0f * bump * 16.0f * (2.5f - 2.0f * r), none) * s.rim * deep / o.radius;
        const F wall = 4.0f * deep * left_at(in.r2) * 4.0f;
        out.slope = {shown * (wall * in.u / (s.length * s.length) + o.away_u * ring), shown * (wall * in.v / (s.breadth * s.breadth) + o.away_v * ring), none};
        out.dark = 0.6f * cavity(in.depth, small);
        out.rough = left_at(in.r2) * (1.0f - shown) * deep * deep / (small * small);
        return out;
    };
    // Discs in those cells of a square lattice whose own point lies in the patch, each a share of its cell: the share of the pixel that they
    // cover, how far the nearest one's edge is, in radii, and where it lies.
    struct Speck { F cover, seen, r, radius, away_u, away_v; };
    auto specks = [&](const Local& at, const Shape& s, F cell, F density, F least, F most) {
        const F inverse = 1.0f / cell, x = at.u * inverse, y = at.v * inverse, low_x = omm::floor(x), low_y = omm::floor(y);
        const F none = omm::splat(0.0f);
        Speck out = {none, none, omm::splat(9.0f), cell, none, none};
        const U key = along_x(omm::to_int(low_x)) + along_y(omm::to_int(low_y)) + at.seed;
        for (int k = 0; k < 9; ++k) {
            const int i = k % 3 - 1, j = k / 3 - 1;
            const U h = scrambled(key + ((unsigned)i * 0x9e3779b1u + (unsigned)j * 0x85ebca77u)), g = scrambled(h + 0x9e3779b1u);
            const F cu = low_x + (float)i + 0.15f + 0.7f * unit_bits(h, 0), cv = low_y + (float)j + 0.15f + 0.7f * unit_bits(h, 10);
            const F share = unit_bits(h, 20), size = least + (most - least) * unit_bits(g, 0) * unit_bits(g, 0);
            const F radius = omm::max(size * cell, omm::splat(TIP)), du = at.u - cu * cell, dv = at.v - cv * cell;
            const F long_ = 1.0f + 0.5f * unit_bits(g, 10);  // a little longer along u or v
            const M wide = (g & 0x40000000u) != 0u;
            const F su = omm::select(wide, du / long_, du), sv = omm::select(wide, dv, dv / long_), d = omm::sqrt(su * su + sv * sv + 1.0e-18f);
            const F f = reach_along(at, su, sv), beside = reach_along(at, -sv, su);
            const F most_of = omm::min(1.5708f * radius / beside, omm::splat(1.0f)), one = within(d, radius, omm::splat(0.15f), f) * most_of;
            const F eu = 2.0f * cu * cell / s.length, ev = 2.0f * cv * cell / s.breadth;
            const M is_one = (share < density) & (eu * eu + ev * ev < 1.0f);
            out.seen = omm::max(out.seen, omm::select(is_one, seen_of(one, within(none, radius, omm::splat(0.15f), f) * most_of), none));
            out.cover = omm::max(out.cover, omm::select(is_one, one, none));
            const F r = d / radius;
            const M nearer = is_one & (r < out.r);
            out.r = omm::select(nearer, r, out.r);
            out.radius = omm::select(nearer, radius, out.radius);
            out.away_u = omm::select(nearer, su / d, out.away_u);
            out.away_v = omm::select(nearer, sv / d, out.away_v);
        }
        return out;
    };
    // Pores in a patch, `count` of them, of cavities as deep as the record says.
    auto porosity = [&](const Local& at, const Shape& s) {
        const F inside = patch_of(at, s, 1.2f), cell = omm::sqrt(0.785f * s.length * s.breadth / omm::max(s.count, omm::splat(1.0f)));
        const Wave dense = noise_of({at.u * 2.0f / s.length, at.v * 2.0f / s.breadth, omm::splat(0.5f)}, at.width * 2.0f / s.breadth, at.seed + 83u, 2);
        const Speck pore = specks(at, s, cell, unit_share(0.8f + 0.35f * s.irregularity * dense.v), omm::splat(0.08f), omm::splat(0.36f));
        Trace out = no_trace();
        out.cover = omm::max(inside, pore.cover);
        out.seen = omm::max(inside, pore.seen);
        out.paint = pore.cover;
        const F deep = omm::min(s.depth, pore.radius * STEEPEST), f = reach_along(at, pore.away_u, pore.away_v), shown = 1.0f / (1.0f + f * f / (pore.radius * pore.radius));
        out.dark = pore.cover * cavity(s.depth, pore.radius);
        const F r = omm::clamp(pore.r, 0.0f, 1.0f), wall = 4.0f * deep * r * r * r * pore.cover / pore.radius * shown;
        out.slope = {pore.away_u * wall, pore.away_v * wall, omm::splat(0.0f)};
        out.rough = pore.cover * (1.0f - shown) * 0.3f;
        return out;
    };
    auto dust = [&](const Local& at, const Shape& s) {
        const F cell = omm::sqrt(0.785f * s.length * s.breadth / omm::max(s.count, omm::splat(1.0f)));
        const Speck grain = specks(at, s, cell, omm::splat(0.9f), omm::splat(0.02f), omm::splat(0.16f));
        Trace out = no_trace();
        out.cover = grain.cover;
        out.seen = grain.seen;
        out.paint = grain.cover;
        return out;
    };
    // An edge that crumbles: a band along u on both of its faces, gone as deep as noise says.
    auto fray = [&](const Local& at, const Shape& s) {
        const F across = omm::sqrt(at.v * at.v + at.w * at.w), size = 0.35f * s.breadth, inverse = 1.0f / size;
        const V3 p = omm::scale(V3{at.u, at.v, at.w}, inverse);
        const Wave ragged = octaves_of(p, at.width * inverse, at.seed + 84u, 5, 0.65f, 0.0f);
        const Wave fibre = octaves_of({p.x * 3.0f, p.y * 0.8f, p.z * 0.8f}, at.width * inverse * 3.0f, at.seed + 85u, 4, 0.6f, 0.0f);
        const F taper = omm::sqrt(omm::max(1.0f - 4.0f * at.u * at.u / (s.length * s.length), omm::splat(0.0f)));
        const F edge = 0.5f * s.breadth * taper * (0.75f + 0.45f * s.irregularity * ragged.v) - across;
        const F f = reach_along(at, omm::splat(0.0f), omm::splat(1.0f)), soft = omm::max(0.5f * s.breadth * s.softness * 0.3f, f);
        Trace out = no_trace();
        out.cover = out.seen = unit_share(edge / soft + 0.5f) * omm::select(taper > 0.0f, omm::splat(1.0f), omm::splat(0.0f));
        out.paint = out.cover;
        out.tone = 1.0f + 0.16f * fibre.v;
        const F high = omm::min(s.depth, 0.5f * s.breadth) * out.cover;
        out.slope = omm::scale(V3{fibre.d.x * 3.0f, fibre.d.y * 0.8f, fibre.d.z * 0.8f}, high * inverse * 0.18f);
        out.rough = high * high * fibre.rough * inverse * inverse * 0.2f;
        out.dark = out.cover * cavity(s.depth, s.breadth) * unit_share(0.5f - 0.4f * fibre.v);
        return out;
    };
    // Corrosion: crusts in a ragged patch, bright at its border and dark in its middle.
    auto rust = [&](const Local& at, const Shape& s) {
        const F size = 0.5f * omm::min(s.length, s.breadth), inverse = 1.0f / size;
        const V3 p = {at.u * inverse, at.v * inverse, omm::splat(0.5f)};
        const Wave grain = noise_of(omm::scale(p, omm::splat(9.0f)), at.width * inverse * 9.0f, at.seed + 86u, 4);
        const Wave blotch = noise_of(omm::scale(p, omm::splat(2.5f)), at.width * inverse * 2.5f, at.seed + 87u, 3);
        Round o = round_of(at, s, 1.6f, 5);
        const F middle = unit_share(o.inside * 1.6f);
        o.inside = o.inside + s.irregularity * 0.12f * (grain.v + blotch.v);
        Trace out = no_trace();
        out.cover = disc(at, o, omm::max(s.softness, omm::splat(0.05f)), out.seen);
        out.paint = out.cover;
        out.tone = omm::clamp(1.35f - 0.75f * middle + 0.22f * grain.v + 0.25f * blotch.v, 0.25f, 2.2f);
        const F high = s.depth * out.cover;
        out.slope = {high * grain.d.x * 9.0f * inverse, high * grain.d.y * 9.0f * inverse, omm::splat(0.0f)};
        out.rough = high * high * grain.rough * 81.0f * inverse * inverse;
        return out;
    };
    // A patch of another finish with a border that stands out.
    auto uneven = [&](const Local& at, const Shape& s) {
        const Round o = round_of(at, s, 0.8f, 3);
        const F size = 0.25f * omm::min(s.length, s.breadth), inverse = 1.0f / size;
        const Wave cloud = noise_of({at.u * inverse, at.v * inverse, omm::splat(0.5f)}, at.width * inverse, at.seed + 88u, 3);
        const F border = unit_share(1.0f - omm::abs(o.inside - 0.06f) * 12.0f);
        Trace out = no_trace();
        out.cover = disc(at, o, s.softness, out.seen);
        out.paint = out.cover * unit_share(0.8f + 0.25f * s.irregularity * cloud.v + s.rim * border);
        out.tone = 1.0f - 0.4f * s.rim * border;
        const F high = s.depth * out.cover, ring = s.depth * s.rim * border * 6.0f / o.radius * omm::with_sign(omm::splat(1.0f), o.inside - 0.06f);
        out.slope = {high * cloud.d.x * inverse + o.away_u * ring, high * cloud.d.y * inverse + o.away_v * ring, omm::splat(0.0f)};
        out.rough = high * high * cloud.rough * inverse * inverse;
        return out;
    };
    // A step along u: what lies at positive v is higher by the depth, with a gap as wide as the record says between.
    auto seam = [&](const Local& at, const Shape& s) {
        const Line w = wander(at.u / s.length * 6.0f, at.seed + 89u, 3);
        const F sway = s.irregularity * 0.6f * s.breadth, d = at.v - sway * w.v, lean = sway * 6.0f * w.d / s.length;
        Trace out = stroke(at, d, lean, 0.5f * s.breadth, 0.5f * s.length, s, omm::splat(0.0f));
        const F f = reach_along(at, omm::splat(0.0f), omm::splat(1.0f)), a = omm::max(0.5f * s.breadth, omm::splat(TIP));
        auto height = [&](F x) { return 0.5f * omm::min(s.depth, a * STEEPEST) * omm::clamp(x / a, -1.0f, 1.0f); };
        const F ends = within(at.u, 0.5f * s.length, omm::splat(0.0f), f), mean = (height(d + 0.5f * f) - height(d - 0.5f * f)) / f * ends;
        out.slope = {-lean * mean, mean, omm::splat(0.0f)};
        out.dark = out.cover * cavity(s.depth, s.breadth);
        return out;
    };
    // A share of a rectangle with corners that are round and, as its irregularity says, torn.
    auto slab = [&](const Local& at, const Shape& s, F half_u, F half_v, F& edge) {
        F torn = omm::splat(0.0f);
        const F small = omm::min(half_u, half_v);
        if (omm::any(s.irregularity > 0.0f))
            torn = 0.16f * s.irregularity * small * noise_of({at.u / small * 1.3f, at.v / small * 1.3f, omm::splat(0.5f)}, at.width / small * 1.3f, at.seed + 90u, 5).v;
        const F corner = 0.2f * small;
        const F out = box_distance(at.u, at.v, half_u - corner, half_v - corner), inner = omm::min(half_u - omm::abs(at.u), half_v - omm::abs(at.v));
        edge = omm::select(out > 0.0f, corner - out, inner) + torn;
        const F f = reach_along(at, omm::select(half_u - omm::abs(at.u) < half_v - omm::abs(at.v), omm::splat(1.0f), omm::splat(0.0f)),
                                omm::select(half_u - omm::abs(at.u) < half_v - omm::abs(at.v), omm::splat(0.0f), omm::splat(1.0f)));
        return unit_share(edge / omm::max(f, s.softness * small) + 0.5f);
    };
    // A coating, print or insert that is not there: what lies below it, and the step at its border.
    auto missing = [&](const Local& at, const Shape& s) {
        F edge;
        Trace out = no_trace();
        out.cover = out.seen = slab(at, s, 0.5f * s.length, 0.5f * s.breadth, edge);
        out.paint = out.cover;
        const F rise = omm::max(s.depth, 1.5f * at.width), nearby = unit_share(1.0f - omm::abs(edge) / rise);  // of the step's wall
        const M is_u = 0.5f * s.length - omm::abs(at.u) < 0.5f * s.breadth - omm::abs(at.v);
        const F wall = nearby * omm::min(s.depth / rise, omm::splat(STEEPEST)), none = omm::splat(0.0f);
        out.slope = {omm::select(is_u, omm::with_sign(wall, at.u), none), omm::select(is_u, none, omm::with_sign(wall, at.v)), none};
        out.dark = 0.7f * nearby * omm::select(edge > 0.0f, omm::splat(1.0f), none) * s.depth / rise;
        return out;
    };
    // Print out of register: bars that one ink has in place and a second one not; the mask is where they differ.
    auto misprint = [&](const Local& at, const Shape& s) {
        const F half_u = 0.5f * s.length, pitch = s.length / omm::max(s.count, omm::splat(1.0f));
        const F f = reach_along(at, omm::splat(1.0f), omm::splat(0.0f));
        const F rows = within(at.v, 0.5f * s.breadth, omm::splat(0.0f), reach_along(at, omm::splat(0.0f), omm::splat(1.0f)));
        auto bars = [&](F u) {
            const F number = omm::floor((u + half_u) / pitch);
            F out = omm::splat(0.0f);
            for (int k = -1; k <= 1; ++k) {  // the pixel may reach the next one
                const F which = number + (float)k;
                const F half = pitch * (0.12f + 0.26f * unit_bits(scrambled(at.seed + along_x(omm::to_int(which))), 0));
                const M is_one = (which >= 0.0f) & (which < s.count);
                out = out + omm::select(is_one, within(u - (which + 0.5f) * pitch + half_u, half, omm::splat(0.0f), f), omm::splat(0.0f));
            }
            return omm::min(out, omm::splat(1.0f));
        };
        const F slip = s.depth, placed = bars(at.u) * rows, moved = bars(at.u - slip) * rows;
        Trace out = no_trace();
        out.cover = out.seen = omm::select(slip > 0.0f, omm::abs(placed - moved), omm::splat(0.0f));
        out.paint = omm::max(placed, moved);
        out.tone = omm::select(moved > placed, omm::splat(2.2f), omm::splat(1.0f));
        return out;
    };
    // A fibre that curls.
    auto hair = [&](const Local& at, const Shape& s) {
        const F half = 0.5f * s.length, x = at.u / half, curl = (0.25f + 0.5f * unit_bits(scrambled(at.seed), 0)) * s.irregularity * s.length;
        const Line w = wander(x * 1.3f, at.seed + 91u, 2);
        const F d = at.v - curl * (0.8f * (x * x - 0.33f) + 0.35f * w.v), lean = curl * (1.6f * x + 0.35f * 1.3f * w.d) / half;
        return stroke(at, d, lean, 0.5f * s.breadth, half, s, omm::splat(0.0f));
    };
    // A reflection: brightest in its middle, as a bell over its ellipse; it lights nothing else.
    auto glint = [&](const Local& at, const Shape& s, float sharp) {
        const F x = 2.0f * at.u / s.length, y = 2.0f * at.v / s.breadth, r2 = x * x + y * y;
        const F small = 0.5f * omm::min(s.length, s.breadth), f = at.width, wide = 1.0f + f * f / (12.0f * small * small) * sharp;
        Trace out = no_trace();
        out.glow = omm::exp2(r2 * (-1.4427f * sharp) / wide) / wide;
        out.glow = out.glow * unit_share(4.0f - 2.0f * omm::sqrt(r2));
        out.cover = out.seen = unit_share(out.glow * 2.0f - 0.25f) * omm::select(r2 < 1.0f, omm::splat(1.0f), omm::splat(0.0f));
        return out;
    };
    // Marks of a tool side by side across its width, `count` of them, along arcs.
    auto machining = [&](const Local& at, const Shape& s) {
        const F inside = patch_of(at, s, 0.7f), pitch = s.breadth / omm::max(s.count, omm::splat(1.0f));
        const F bow = at.u * at.u / (3.0f * s.length), lean = 2.0f * at.u / (3.0f * s.length), shake = wander(at.v / pitch * 0.31f, at.seed + 92u, 2).v;
        const F place = (at.v + bow) / pitch + 0.5f * s.irregularity * shake;
        F sine, cosine;
        omm::sincos(place - omm::floor(place), sine, cosine);
        const F f = reach_along(at, lean, omm::splat(1.0f)), left = resolved_wave(f / pitch), steep = 6.2831853f / pitch * s.depth * 0.5f;
        const Wave worn = noise_of({at.u * 5.0f / s.length, at.v / pitch * 0.2f, omm::splat(0.5f)}, f / pitch * 0.2f, at.seed + 93u, 2);
        const F wall = -steep * sine * left * inside * unit_share(1.0f + 0.5f * s.irregularity * worn.v);
        Trace out = no_trace();
        out.cover = out.seen = inside;
        out.paint = inside;
        out.slope = {lean * wall, wall, omm::splat(0.0f)};
        out.rough = inside * steep * steep * 0.5f * (1.0f - left * left);
        return out;
    };
