// Shapes of defects and near-misses (kernels/defect.py): what one does to a surface at a point. Needs noise.cpp and
// pattern.cpp. Record: engine/defect.py. A point is known by where it lies in the frame of the defect, in metres: u along its
// length, v across, w along the normal of the surface at its centre.
//
// Coverage is filtered by the pixel: a box as wide as its footprint in the direction in which the shape ends there. Slopes are
// those of the relief's mean over the same box, and what varies within it widens the highlight.

    const float LIP = 1.6f;  // where the lip of a groove ends, in half widths
    const float STEEPEST = 1.2f;  // of a relief that normals show, depth over half width: the rest is darkness
    const float LEAST_SEEN = 0.1f;
    const int SINK_STEPS = 6;  // in which the view is followed into a hollow
    const float SHELLS = 1.1f;  // hollows of a fracture over 0.35 of its size
    const float TIP = 1.0e-9f;  // [m], least half width

    struct Local {  // a point in the frame of a defect
        F u, v, w;  // [m]
        F slant_u, slant_v;  // of the view: tangent of its angle with the normal, along either axis
        F width;  // of the pixel's cone [m]
        U seed;
    };
    struct Shape {  // of a record
        F length, breadth, depth, irregularity, softness, rim, count;
    };
    struct Trace {  // of a defect at a point
        F cover;  // share of the pixel
        F seen;  // the same as a share of what it would be in the middle of the shape: half of it makes the mask
        F paint;  // share of the pixel that has its colour, roughness and metal
        F tone;  // factor on its colour
        F dark;  // share of the light that its walls keep away
        V3 slope;  // of the relief, along u, v and w
        F rough;  // variance of an axis of the slope that the pixel hides
        F glow;  // share that is lit by a reflection
    };

    // Noise by call: in line at each of its places here it would take minutes to compile.
#if defined(__CUDA_ARCH__)
#define OMM_APART
#else
#define OMM_APART __attribute__((noinline))
#endif
    auto octaves_of = [&](V3 p, F footprint, U seed, int count, float gain, float fold) OMM_APART {
        return octaves(p, footprint, seed, count, gain, fold, 1.0f);
    };
    auto noise_of = [&](V3 p, F footprint, U seed, int count) { return octaves_of(p, footprint, seed, count, 0.5f, 0.0f); };

    auto no_trace = [&]() {
        const F none = omm::splat(0.0f);
        return Trace{none, none, none, omm::splat(1.0f), none, {none, none, none}, none, none};
    };
    // Width of the pixel on the surface along a direction in its plane, not unit.
    auto reach_along = [&](const Local& at, F u, F v) {
        const F size2 = omm::max(u * u + v * v, omm::splat(1.0e-20f)), lean = u * at.slant_u + v * at.slant_v;
        return omm::max(at.width * omm::sqrt(1.0f + lean * lean / size2), omm::splat(1.0e-7f));
    };
    // Share of a box of width `f` around `d` that lies in a slab of half width `a`, which fades over a share of it.
    auto within = [&](F d, F a, F softness, F f) {
        const F fade = omm::max(a * softness, a * 1.0e-3f + 1.0e-12f), flat = a - fade;
        auto area = [&](F x) {
            const F reached = omm::min(omm::abs(x), a), over = omm::max(reached - flat, omm::splat(0.0f));
            return omm::with_sign(reached - over * over / (2.0f * fade), x);
        };
        return unit_share((area(d + 0.5f * f) - area(d - 0.5f * f)) / f);
    };
    // Coverage as a share of `full`, that of a pixel in the middle of a shape: of what is thinner than a pixel the mask is still
    // a line without gaps. What covers less than LEAST_SEEN of any pixel is not seen.
    auto seen_of = [&](F cover, F full) { return omm::select(full >= LEAST_SEEN, cover / omm::max(full, omm::splat(LEAST_SEEN)), omm::splat(0.0f)); };
    // Light that walls keep from the bottom of a hollow: 1 - a / sqrt(a^2 + depth^2), as of a long groove.
    auto cavity = [&](F depth, F a) { return 1.0f - a / omm::sqrt(a * a + depth * depth + 1.0e-18f); };
    // Gradient noise along a line, about within [-1, 1], and its slope; octaves of half the size and 0.55 times as high.
    struct Line { F v, d; };
    auto wander = [&](F x, U seed, int count) OMM_APART {
        Line out = {omm::splat(0.0f), omm::splat(0.0f)};
        float amplitude = 2.0f, frequency = 1.0f;
        for (int octave = 0; octave < count; ++octave) {
            const F at = x * frequency + 0.37f * (float)octave, low = omm::floor(at), r = at - low;
            const U key = along_x(omm::to_int(low)) + seed + octave * 0x632be5abu;
            const F one = signed_bits(scrambled(key), 0), two = signed_bits(scrambled(key + 0x9e3779b1u), 0);
            const F s = r * r * r * (r * (r * 6.0f - 15.0f) + 10.0f), ds = 30.0f * r * r * (r - 1.0f) * (r - 1.0f);
            const F a = one * r, b = two * (r - 1.0f);
            out.v = out.v + amplitude * (a + (b - a) * s);
            out.d = out.d + (amplitude * frequency) * (one + (two - one) * s + (b - a) * ds);
            amplitude *= 0.55f;
            frequency *= 2.0f;
        }
        return out;
    };
    // A groove at a distance `d` from its middle, `a` half as wide, whose lip is `rim` of its depth; `f` is the pixel across
    // it. Mean slope and the variance around it; outside lie lips alone.
    auto groove = [&](F d, F a, F depth, F rim, F f, F& rough) {
        const F wide = omm::max(a, omm::splat(TIP)), inverse = 1.0f / wide, deep = omm::min(depth, wide * STEEPEST);
        auto height = [&](F x) {
            const F t = omm::abs(x) * inverse, lip = (t - 0.5f * (1.0f + LIP)) * (2.0f / (LIP - 1.0f));
            const F out = omm::select(t < LIP, rim * deep * (1.0f - lip * lip), omm::splat(0.0f));
            return omm::select(t < 1.0f, deep * (t * t - 1.0f), out);
        };
        const F mean = (height(d + 0.5f * f) - height(d - 0.5f * f)) / f;
        const F high = omm::clamp((d + 0.5f * f) * inverse, -1.0f, 1.0f), low = omm::clamp((d - 0.5f * f) * inverse, -1.0f, 1.0f);
        const F square = deep * deep * (high * high * high - low * low * low) * (4.0f / 3.0f) * inverse / f;
        rough = omm::max(square - mean * mean, omm::splat(0.0f));
        return mean;
    };
    // A stroke along u: its middle at `d` metres across, `lean` its slope du, `a` half as wide there.
    auto stroke = [&](const Local& at, F d, F lean, F a, F half_length, const Shape& s, F depth) {
        const F straight = 1.0f / omm::sqrt(1.0f + lean * lean), f = reach_along(at, -lean, omm::splat(1.0f)), across = d * straight;
        Trace out = no_trace();
        const F ends = within(at.u, half_length, omm::splat(0.0f), reach_along(at, omm::splat(1.0f), omm::splat(0.0f)));
        const F middle = within(omm::splat(0.0f), a, s.softness, f);
        out.cover = within(across, a, s.softness, f) * ends;
        out.seen = seen_of(out.cover, middle);
        out.paint = out.cover;
        out.dark = out.cover * cavity(depth, a);
        const F mean = groove(across, a, depth, s.rim, f, out.rough) * ends;
        out.rough = out.rough * ends;
        out.slope = {-lean * straight * mean, straight * mean, omm::splat(0.0f)};
        return out;
    };

    // A groove with pointed ends: half width W/2 (1 - (2u/L)^2)^(1/2); it bends, wavers and skips as its irregularity says.
    auto scratch = [&](const Local& at, const Shape& s) {
        const F half = 0.5f * s.length, x = at.u / half, wild = s.irregularity;
        const F curl = signed_bits(scrambled(at.seed), 0) * 0.16f * wild * s.length;
        const Line bend = wander(x * 1.7f, at.seed + 11u, 2), tear = wander(at.u / s.breadth * 0.25f, at.seed + 23u, 2);
        const F sway = 0.05f * wild * s.length;
        const F d = at.v - curl * (x * x - 0.33f) - sway * bend.v, lean = (2.0f * curl * x + sway * 1.7f * bend.d) / half;
        const F a = 0.5f * s.breadth * omm::sqrt(omm::max(1.0f - x * x, omm::splat(0.0f))) * (1.0f + 0.55f * wild * tear.v);
        const F pressed = unit_share(1.0f + 0.9f * wild * (bend.v - 0.2f));
        Trace out = stroke(at, d, lean, omm::max(a, omm::splat(0.0f)), half, s, s.depth * pressed);
        return out;
    };
    // A line that wanders, widest in its middle, with up to 8 branches that leave it at 20 to 55 degrees.
    auto crack = [&](const Local& at, const Shape& s) {
        const F half = 0.5f * s.length, sway = s.irregularity * 0.16f * s.length;
        auto line = [&](F x, U seed) {
            const Line w = wander(x * 2.3f, seed, 5);
            return Line{sway * w.v, sway * 2.3f * w.d / half};
        };
        const F x = at.u / half;
        const Line middle = line(x, at.seed + 31u);
        auto breadth_at = [&](F along) { return 0.5f * s.breadth * (0.25f + 0.75f * omm::sqrt(omm::max(1.0f - along * along, omm::splat(0.0f)))); };
        Trace out = stroke(at, at.v - middle.v, middle.d, breadth_at(x), half, s, s.depth);
        for (int k = 0; k < 8 && omm::any(s.count > (float)k); ++k) {
            const M is_one = s.count > (float)k;
            const U h = scrambled(at.seed + (unsigned)(k + 1) * 0x9e3779b1u);
            const F from = 1.5f * unit_bits(h, 0) - 0.75f, side = omm::select((h & 0x40000000u) != 0u, omm::splat(1.0f), omm::splat(-1.0f));
            F sine, cosine;
            omm::sincos((20.0f + 35.0f * unit_bits(h, 10)) * (1.0f / 360.0f), sine, cosine);
            const F size = half * (0.25f + 0.35f * unit_bits(h, 20)), ahead = omm::with_sign(cosine, from), aside = side * sine;
            const F du = at.u - from * half, dv = at.v - line(from, at.seed + 31u).v;
            Local own = at;
            own.u = ahead * du + aside * dv - 0.5f * size;
            own.v = ahead * dv - aside * du;
            own.slant_u = ahead * at.slant_u + aside * at.slant_v;
            own.slant_v = ahead * at.slant_v - aside * at.slant_u;
            const F along = own.u / size + 0.5f;  // 0 where it leaves, 1 at its tip
            const Line w = wander(along * 3.1f, (U)h + 7u, 4);
            const F fan = 0.3f * s.irregularity * size, fixed = omm::clamp(along * 4.0f, 0.0f, 1.0f);
            const F a = breadth_at(from) * 0.75f * unit_share(1.0f - 0.8f * along);
            const Trace b = stroke(own, own.v - fan * w.v * fixed, fan * 3.1f * w.d * fixed / size, a, 0.5f * size, s, s.depth * 0.8f);
            const M wins = is_one & (b.cover > out.cover);
            out.seen = omm::select(is_one, omm::max(b.seen, out.seen), out.seen);
            out.cover = omm::select(wins, b.cover, out.cover);
            out.paint = out.cover;
            out.dark = omm::select(wins, b.dark, out.dark);
            out.slope = omm::select3(wins, {ahead * b.slope.x - aside * b.slope.y, aside * b.slope.x + ahead * b.slope.y, b.slope.z}, out.slope);
            out.rough = omm::select(wins, b.rough, out.rough);
        }
        return out;
    };
    // An ellipse as long and wide as the record says, its outline pushed in and out by noise: the signed distance from it
    // in radii, positive inside, the radius that it is measured in [m] and the unit direction in which it falls.
    struct Round { F inside, radius, away_u, away_v, r; };
    auto round_of = [&](const Local& at, const Shape& s, float grain, int count) {
        const F x = 2.0f * at.u / s.length, y = 2.0f * at.v / s.breadth, r = omm::sqrt(x * x + y * y + 1.0e-12f);
        F push = omm::splat(0.0f);
        if (omm::any(s.irregularity > 0.0f))
            push = s.irregularity * 0.28f * noise_of({x * grain, y * grain, omm::splat(0.5f)}, at.width * 2.0f / s.breadth * grain, at.seed + 41u, count).v;
        const F gu = 2.0f * x / (s.length * r), gv = 2.0f * y / (s.breadth * r);  // of r
        const F steep = omm::max(omm::sqrt(gu * gu + gv * gv), 1.0f / omm::max(s.length, s.breadth));
        return Round{1.0f + push - r, 1.0f / steep, gu / steep, gv / steep, r - push};
    };
    // Share of the pixel that a round shape covers; of one smaller than the pixel it is that of its areas.
    auto disc = [&](const Local& at, const Round& o, F softness, F& seen) {
        const F f = reach_along(at, o.away_u, o.away_v), beside = reach_along(at, -o.away_v, o.away_u);
        const F from = omm::max((1.0f - o.inside) * o.radius, omm::splat(0.0f));
        const F share = omm::min(1.5708f * o.radius / beside, omm::splat(1.0f)), out = within(from, o.radius, softness, f) * share;
        seen = seen_of(out, within(omm::splat(0.0f), o.radius, softness, f) * share);
        return out;
    };
    // Where the view meets the floor of a hollow that it enters at a point, whose depth in it is `deep` times `floor_at`
    // of the squared radius: it sinks in equal steps and then to the crossing of the last one. The outline, and so the
    // mask, is that of the opening.
    struct Sunk { F u, v, r2, depth; };
    auto sunk = [&](const Local& at, const Shape& s, const Round& o, F deep, auto&& floor_at) {
        const F x = 2.0f / s.length, y = 2.0f / s.breadth, own = omm::sqrt(x * x * at.u * at.u + y * y * at.v * at.v + 1.0e-12f);
        const F pull = omm::max(o.r, omm::splat(0.0f)) / own, pull2 = pull * pull;  // noise moves the outline, here by a factor
        auto r2_at = [&](F depth) {
            const F u = x * (at.u - at.slant_u * depth), v = y * (at.v - at.slant_v * depth);
            return pull2 * (u * u + v * v);
        };
        F depth = omm::splat(0.0f), room = deep * floor_at(r2_at(depth));
        const F step = deep * (1.0f / (float)SINK_STEPS);
        M is_down = omm::none();
        for (int k = 1; k <= SINK_STEPS; ++k) {
            const F next = step * (float)k, left = deep * floor_at(r2_at(next)) - next;
            const F share = unit_share(room / omm::max(room - left, omm::splat(1.0e-12f)));
            depth = omm::select(is_down, depth, omm::select(left > 0.0f, next, next - step + step * share));
            is_down = is_down | omm::invert(left > 0.0f);
            room = left;
        }
        return Sunk{at.u - at.slant_u * depth, at.v - at.slant_v * depth, r2_at(depth), depth};
    };
    // A cavity with a flat bottom and walls that steepen to its edge: depth (1 - r^4).
    auto pit = [&](const Local& at, const Shape& s) {
        const Round o = round_of(at, s, 0.9f, 2);
        Trace out = no_trace();
        out.cover = disc(at, o, s.softness, out.seen);
        out.paint = out.cover;
        const F small = 0.5f * omm::min(s.length, s.breadth), f = reach_along(at, o.away_u, o.away_v);
        const F deep = omm::min(s.depth, small * STEEPEST), shown = 1.0f / (1.0f + f * f / (small * small));
        const Sunk in = sunk(at, s, o, s.depth, [&](F r2) { return omm::max(1.0f - r2 * r2, omm::splat(0.0f)); });
        out.dark = out.cover * cavity(in.depth, small);
        const F r2 = omm::min(in.r2, omm::splat(1.0f)), rim = omm::select(o.r > 1.0f, unit_share((1.35f - o.r) * (1.0f / 0.35f)), omm::splat(0.0f));
        const F wall = 4.0f * deep * r2 * out.cover * shown, lip = -2.0f * s.rim * deep * rim / o.radius * shown;
        out.slope = {wall * in.u * 4.0f / (s.length * s.length) + o.away_u * lip, wall * in.v * 4.0f / (s.breadth * s.breadth) + o.away_v * lip, omm::splat(0.0f)};
        out.rough = out.cover * (1.0f - shown) * deep * deep / (small * small);
        return out;
    };
    // Material broken out around its centre, which may lie on an edge: an ellipsoid that its depth makes as deep below the
    // surface; its face is rough and hollow.
    auto chip = [&](const Local& at, const Shape& s, F full_depth) {
        const F deep = omm::max(full_depth, omm::splat(TIP)), small = 0.5f * omm::min(s.length, s.breadth);
        const V3 q = {2.0f * at.u / s.length, 2.0f * at.v / s.breadth, at.w / deep};
        const F size = omm::max(0.7f * small, omm::splat(TIP)), inverse = 1.0f / size;
        const V3 p = omm::scale(V3{at.u, at.v, at.w}, inverse);
        const Wave bite = noise_of(p, at.width * inverse, at.seed + 51u, 4);
        const Wave shells = octaves_of(omm::scale(p, omm::splat(SHELLS)), at.width * inverse * SHELLS, at.seed + 52u, 3, 0.42f, 1.0f);
        const F r = omm::length(q), inside = 1.0f + 0.24f * s.irregularity * bite.v - r;
        const F f = reach_along(at, at.u, at.v), near_edge = omm::max(small * s.softness, f);
        Trace out = no_trace();
        out.cover = out.seen = unit_share(inside * small / near_edge + 0.5f);
        out.paint = out.cover;
        const F hollow = omm::min(s.depth, small * STEEPEST) * out.cover;
        const Round o = {inside, small, omm::splat(1.0f), omm::splat(0.0f), omm::max(1.0f - inside, omm::splat(0.0f))};
        const Sunk in = sunk(at, s, o, s.depth, [&](F r2) { return omm::max(1.0f - r2, omm::splat(0.0f)); });
        out.tone = 1.0f + 0.12f * shells.v * s.irregularity;
        out.dark = out.cover * cavity(in.depth, 1.5f * small);
        const V3 bowl = {in.u * 8.0f / (s.length * s.length), in.v * 8.0f / (s.breadth * s.breadth), 2.0f * q.z / omm::max(deep, small)};
        const V3 facets = omm::scale(shells.d, SHELLS * 0.35f * s.irregularity * inverse);
        out.slope = omm::scale(omm::add(bowl, facets), hollow);
        out.rough = hollow * hollow * shells.rough * (SHELLS * SHELLS * 0.1225f) * inverse * inverse * s.irregularity * s.irregularity;
        return out;
    };
    // A patch with a ragged outline and a border that is darker than its middle.
    auto stain = [&](const Local& at, const Shape& s) {
        const Round o = round_of(at, s, 1.4f, 5);
        Trace out = no_trace();
        out.cover = disc(at, o, s.softness, out.seen);
        const F border = unit_share(1.0f - omm::abs(o.inside - 0.08f) * 9.0f);
        const Wave cloud = noise_of({2.6f * at.u / s.length, 2.6f * at.v / s.breadth, omm::splat(0.5f)}, 2.6f * at.width / s.breadth, at.seed + 61u, 4);
        const F thin = unit_share(1.0f - 0.35f * s.irregularity * (1.0f - 0.5f * cloud.v) * (1.0f - border));
        out.paint = out.cover * thin;
        out.tone = 1.0f - s.rim * border;
        return out;
    };
    auto box_distance = [&](F u, F v, F half_u, F half_v) {  // to a segment along u or v
        const F x = omm::max(omm::abs(u) - half_u, omm::splat(0.0f)), y = omm::max(omm::abs(v) - half_v, omm::splat(0.0f));
        return omm::sqrt(x * x + y * y);
    };
    // Digits in a row, `count` of them over its length, of strokes as wide as the record says; chalk breaks as it is wild.
    auto marking = [&](const Local& at, const Shape& s) {
        const F pitch = s.length / omm::max(s.count, omm::splat(1.0f)), place = at.u / pitch + 0.5f * omm::max(s.count, omm::splat(1.0f));
        const F number = omm::max(omm::min(omm::floor(place), s.count - 1.0f), omm::splat(0.0f));
        const U h = scrambled(at.seed + along_x(omm::to_int(number)));
        const F tilt = 0.35f * s.irregularity * signed_bits(h, 0), wave = pitch * 0.05f * s.irregularity;
        const F x = (place - number - 0.5f) * pitch - tilt * at.v + wave * wander(at.v / pitch * 2.0f, (U)h + 3u, 2).v;
        const F y = at.v + wave * wander(at.u / pitch * 2.0f, (U)h + 5u, 2).v - 0.1f * s.irregularity * pitch * signed_bits(h, 10);
        const F half_w = 0.28f * pitch, half_h = 0.28f * pitch;  // of a digit's lower and upper square
        const I digit = omm::to_int(unit_bits(h, 20) * 9.99f);
        const int lit[10] = {0x77, 0x24, 0x5d, 0x6d, 0x2e, 0x6b, 0x7b, 0x25, 0x7f, 0x6f};  // top, left and right above, middle, ...
        I word = omm::splat_int(0);
        for (int k = 0; k < 10; ++k) word = omm::select_int(digit == k, omm::splat_int(lit[k]), word);
        F least = omm::splat(1.0e6f);
        const float segment[7][3] = {{0, 2, 0}, {-1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {-1, -1, 1}, {1, -1, 1}, {0, -2, 0}};
        for (int k = 0; k < 7; ++k) {
            const bool upright = segment[k][2] > 0.0f;
            const F d = box_distance(x - segment[k][0] * half_w, y - segment[k][1] * half_h, upright ? omm::splat(0.0f) : half_w, upright ? half_h : omm::splat(0.0f));
            least = omm::select((word & (1 << k)) != 0, omm::min(least, d), least);
        }
        const F f = reach_along(at, omm::splat(1.0f), omm::splat(1.0f));
        const Wave grain = noise_of({at.u / s.breadth, at.v / s.breadth, omm::splat(0.5f)}, at.width / s.breadth, at.seed + 71u, 3);
        Trace out = no_trace();
        out.cover = within(least, 0.5f * s.breadth, s.softness, f);
        out.seen = seen_of(out.cover, within(omm::splat(0.0f), 0.5f * s.breadth, s.softness, f));
        out.paint = out.cover * mix(omm::splat(1.0f), above(grain, omm::splat(-0.5f), omm::splat(0.4f)).v, s.irregularity);
        return out;
    };
