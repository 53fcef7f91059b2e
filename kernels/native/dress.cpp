// Patterns on points that rays met (kernels/pattern.py). Needs surface.cpp, energy.cpp, layer.cpp and `watch`, which is told what the
// finish and each layer did: their kind, who may wear them, the share of the point that they cover, and what they leave.
// In: geometry, patterns.

    // The distance to the nearest sharp edge of the triangle's own three: `bits` says which are, corners 0-1, 1-2, 2-0.
    auto edge_distance = [&](const Met& met, V3 edge_1, V3 edge_2, I bits) {
        const V3 across = omm::sub(edge_2, edge_1);
        const F area = omm::length(omm::cross(edge_1, edge_2));
        const F weight[3] = {met.weight_2, 1.0f - met.weight_1 - met.weight_2, met.weight_1};
        const F size[3] = {omm::length(edge_1), omm::length(across), omm::length(edge_2)};
        F least = omm::splat(NEVER_M);
        for (int k = 0; k < 3; ++k) {
            const F distance = omm::max(weight[k], omm::splat(0.0f)) * area / omm::max(size[k], omm::splat(1.0e-12f));
            least = omm::select((bits & (1 << k)) != 0, omm::min(least, distance), least);
        }
        return least;
    };
    // Where a point lies on its surface; `m` takes the world to the mesh, `axes` becomes the world to the metric frame.
    auto place_of = [&](const Met& met, const Triangle& tri, const Point& point, const F* m, F width_m, V3* axes) {
        F size[3], at[3];
        const F p[3] = {point.position_m.x, point.position_m.y, point.position_m.z};
        for (int k = 0; k < 3; ++k) {
            const V3 row = {m[4 * k], m[4 * k + 1], m[4 * k + 2]};
            size[k] = 1.0f / omm::max(omm::length(row), omm::splat(1.0e-20f));
            axes[k] = omm::scale(row, size[k]);
            at[k] = (row.x * p[0] + row.y * p[1] + row.z * p[2] + m[4 * k + 3]) * size[k];
        }
        Place out;
        out.p = {at[0], at[1], at[2]};
        const F cosine = omm::max(omm::abs(omm::dot(point.face_normal, point.to_viewer)), omm::splat(MIN_COS));
        out.footprint = width_m / omm::sqrt(cosine);
        out.longest = width_m / cosine;
        out.up = {axes[0].z, axes[1].z, axes[2].z};
        out.facing = point.bsdf.normal.z;
        out.normal = {omm::dot(axes[0], point.face_normal), omm::dot(axes[1], point.face_normal), omm::dot(axes[2], point.face_normal)};
        const F nx = omm::abs(out.normal.x), ny = omm::abs(out.normal.y), nz = omm::abs(out.normal.z), one = omm::splat(1.0f), none = omm::splat(0.0f);
        const M is_x = (nx > ny) & (nx > nz), is_y = omm::invert(is_x) & (ny > nz);
        out.axis = {omm::select(is_x, one, none), omm::select(is_y, one, none), omm::select(is_x | is_y, none, one)};
        I bits = omm::splat_int(0);
        for (int l = 0; l < OMM_WIDTH; ++l) omm::set_int(bits, l, (int)patterns.sharp.data[omm::get_int(met.triangle, l)]);
        const V3 size_m = {size[0], size[1], size[2]};
        out.edge_m = edge_distance(met, omm::mul(tri.edge_1, size_m), omm::mul(tri.edge_2, size_m), bits);
        return out;
    };
    auto is_in = [&](F a, M who) { return omm::any((a > 0.0f) & who); };
    auto dressed = [&](const Place& at, const F* r, M who, Bsdf& bsdf) {
        const Pattern q = pattern_of(r, bsdf);
        const I kind = omm::bits(r[0]);
        Wave height = flat_wave(omm::splat(0.0f));
        auto wear_finish = [&](int which, const Finish& made) {
            const M here = who & (kind == which);
            cover(bsdf, made.color, made.metallic, made.roughness, omm::select(here, omm::splat(1.0f), omm::splat(0.0f)));
            height.v = omm::select(here, made.height.v, height.v);
            height.d = omm::select3(here, made.height.d, height.d);
            height.rough = omm::select(here, made.height.rough, height.rough);
        };
        if (omm::any(who & (kind == CARDBOARD))) wear_finish(CARDBOARD, cardboard(at, q));
        if (omm::any(who & (kind == PAINTED_METAL))) wear_finish(PAINTED_METAL, painted_metal(at, q));
        if (omm::any(who & (kind == BRUSHED_METAL))) wear_finish(BRUSHED_METAL, brushed_metal(at, q));
        if (omm::any(who & (kind == CAST_METAL))) wear_finish(CAST_METAL, cast_metal(at, q));
        if (omm::any(who & (kind == CONCRETE))) wear_finish(CONCRETE, concrete(at, q));
        if (omm::any(who & (kind == ASPHALT))) wear_finish(ASPHALT, asphalt(at, q));
        if (omm::any(who & (kind == WOOD))) wear_finish(WOOD, wood(at, q));
        if (omm::any(who & (kind == PLASTIC_FILM))) wear_finish(PLASTIC_FILM, plastic_film(at, q));
        if (omm::any(who & (kind == FABRIC))) wear_finish(FABRIC, fabric(at, q));
        if (omm::any(who & (kind == GROUND_CERAMIC))) wear_finish(GROUND_CERAMIC, ground_ceramic(at, q));
        watch(FINISH, who & (kind != NONE), omm::splat(1.0f), bsdf, height);
        F bare = omm::splat(0.0f);
        if (is_in(q.wear, who)) {
            bare = wear_layer(at, q, kind == PAINTED_METAL, bsdf, height);
            watch(WEAR, who, bare, bsdf, height);
        }
        if (is_in(q.rust, who)) watch(RUST, who, rust_layer(at, q, bare, bsdf, height), bsdf, height);
        if (is_in(q.stain, who)) watch(STAIN, who, stain_layer(at, q, bsdf), bsdf, height);
        if (is_in(q.dust, who)) watch(DUST, who, dust_layer(at, q, bsdf, height), bsdf, height);
        // Slopes that the footprint hides widen the lobe: alpha is the root of twice their variance along an axis.
        bsdf.alpha = omm::clamp(omm::sqrt(bsdf.alpha * bsdf.alpha + 2.0f * height.rough), MIN_ALPHA, 1.0f);
        return height.d;
    };
    // A normal on a relief of a given gradient [m/m].
    auto bumped = [&](V3 normal, V3 face, V3 slope) {
        const V3 tilted = omm::unit(omm::sub(normal, omm::sub(slope, omm::scale(normal, omm::dot(normal, slope)))));
        return omm::select3(omm::dot(tilted, face) > LEAST_UP, tilted, normal);
    };
    auto row_of = [](const auto& array, int row, int column) {
        return *(const int*)((const char*)array.data + (size_t)row * array.strides[0] + (size_t)column * array.strides[1]);
    };

    // What patterns make of points that rays met; `width_m` is that of the pixel's cone there.
    auto dress = [&](const Met& met, const Triangle& tri, F width_m, Point& point) {
        const I own = own_material(geometry, met, tri);
        I slot = omm::splat_int(-1);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            if (!omm::get_bool(met.is_hit, l)) continue;
            const int row = omm::get_int(met.row, l), instance = omm::get_int(met.instance, l);
            const float* look = (const float*)((const char*)patterns.look.data + (size_t)row * patterns.look.strides[0]) + 4 * instance;
            const int forced = *(const int*)(look + 3);
            int named = row_of(patterns.of_instance, row, instance);
            if (named < 0) named = row_of(patterns.of_material, row, forced >= 0 ? forced : omm::get_int(own, l));
            omm::set_int(slot, l, named);
        }
        const M who = slot >= 0;
        if (!omm::any(who)) return;
        F r[24], m[12];
        const float* base[OMM_WIDTH];
        I words = omm::splat_int(0);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int row = omm::get_int(met.row, l), s = omm::get_int(slot, l);
            base[l] = (const float*)((const char*)patterns.record.data + (size_t)row * patterns.record.strides[0]) + 24 * (s < 0 ? 0 : s);
            if (s >= 0) omm::set_int(words, l, row_of(patterns.seed, row, omm::get_int(met.instance, l)));
        }
        for (int k = 0; k < 24; k += 8) {
            omm::records(base, r + k);
            for (int l = 0; l < OMM_WIDTH; ++l) base[l] += 8;
        }
        inverse_of(geometry.trees, met, m);
        V3 axes[3];
        Place at = place_of(met, tri, point, m, width_m, axes);
        at.seed = scrambled((U)words + (U)met.placement * 0x9e3779b1u);
        Bsdf bsdf = point.bsdf;
        const V3 d = dressed(at, r, who, bsdf);
        const V3 slope = omm::add(omm::add(omm::scale(axes[0], d.x), omm::scale(axes[1], d.y)), omm::scale(axes[2], d.z));
        bsdf.normal = bumped(bsdf.normal, point.face_normal, slope);
        point.bsdf.normal = omm::select3(who, bsdf.normal, point.bsdf.normal);
        point.bsdf.diffuse = omm::select3(who, bsdf.diffuse, point.bsdf.diffuse);
        point.bsdf.f0 = omm::select3(who, bsdf.f0, point.bsdf.f0);
        point.bsdf.f90 = omm::select3(who, bsdf.f90, point.bsdf.f90);
        point.bsdf.alpha = omm::select(who, bsdf.alpha, point.bsdf.alpha);
        point.bsdf.coat = omm::select(who, bsdf.coat, point.bsdf.coat);
        point.bsdf.gloss = omm::select3(who, bsdf.gloss, point.bsdf.gloss);
    };
    // Once they are covered, the layers of a material share energy.
    auto settle = [&](Point& point) {
        const Layers layers = kept_layers(point.bsdf);
        share_energy(patterns.energy, point.bsdf, layers, omm::dot(point.bsdf.normal, point.to_viewer));
    };
