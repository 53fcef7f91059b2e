// Shading points of hits (kernels/point.py). Needs material.cpp. In: geometry, materials.

    // Widths of a pixel in both sets of texture coordinates. An isotropic lookup blurs along the footprint's short axis: by
    // the square root of the stretch at a slant. `area` is the cross product of the triangle's edges in the world [m^2].
    auto footprints = [&](const Triangle& tri, V3 area, V3 direction, F width, F* out) {
        const F doubled = omm::max(omm::length(area), omm::splat(1.0e-20f)), size = omm::length(direction);
        const F cosine = omm::max(omm::abs(omm::dot(area, direction)) / (doubled * size), omm::splat(MIN_COS));
        const F width_m = width * size / omm::sqrt(cosine);
        for (int set = 0; set < 2; ++set) {
            const F det = tri.along_1[set].x * tri.along_2[set].y - tri.along_1[set].y * tri.along_2[set].x;
            out[set] = width_m * omm::sqrt(omm::abs(det) / doubled);
        }
    };
    // displayColor: the placement's, times that of the triangle's corners.
    auto display_color = [&](const Met& met) {
        if (geometry.color.shape[0] == 0) return met.color;
        V3 c[3];
        for (int corner = 0; corner < 3; ++corner) {
            const I at = met.triangle * 9 + 3 * corner;
            const float* base = (const float*)geometry.color.data;
            c[corner] = {omm::gather(base, at), omm::gather(base, at + 1), omm::gather(base, at + 2)};
        }
        return omm::mul(met.color, {mixed(c[0].x, c[1].x, c[2].x, met), mixed(c[0].y, c[1].y, c[2].y, met), mixed(c[0].z, c[1].z, c[2].z, met)});
    };
    // `width` is that of the pixel's cone at the hit, in lengths of the ray's direction.
    auto point_at = [&](const Rows& rows, const Ray& ray, const Met& met, F width) {
        const Triangle tri = triangle_of(geometry, met, materials.used_inputs != 0);
        F m[12], r[24], own[8];
        inverse_of(geometry.trees, met, m);
        // cross(A a, A b) = det(A) A^-T cross(a, b)
        const F det = m[0] * (m[5] * m[10] - m[6] * m[9]) - m[1] * (m[4] * m[10] - m[6] * m[8]) + m[2] * (m[4] * m[9] - m[5] * m[8]);
        const V3 flat = transform_normal(m, omm::cross(tri.edge_1, tri.edge_2));
        const V3 area = omm::scale(flat, 1.0f / det);
        Point p;
        p.lit = omm::select_int(met.is_hit, omm::splat_int(1), omm::splat_int(0));
        p.row = rows.each;
        p.placement = met.placement;
        p.position_m = omm::add(ray.origin, omm::scale(ray.direction, met.t));
        p.to_viewer = omm::negative(omm::unit(ray.direction));
        const V3 face = omm::unit(area);
        p.face_normal = omm::select3(omm::dot(face, ray.direction) > 0.0f, omm::negative(face), face);
        const M faceted = is_faceted(tri.smooth);
        const V3 front = omm::select3(faceted, omm::unit(flat), omm::unit(transform_normal(m, tri.smooth)));
        const F side = omm::select(omm::dot(front, p.face_normal) < 0.0f, omm::splat(-1.0f), omm::splat(1.0f));
        const V3 normal = omm::select3(faceted, p.face_normal, omm::scale(front, side));

        for (int l = 0; l < OMM_WIDTH; ++l) {
            const float* instance = materials.instance.data + ((size_t)omm::get_int(met.row, l) * materials.instance.strides[0]) / 4 + 4 * omm::get_int(met.instance, l);
            for (int k = 0; k < 4; ++k) omm::set(own[k], l, instance[k]);
        }
        const I forced = omm::bits(own[3]);
        const I material = omm::select_int(forced >= 0, forced, own_material(geometry, met, tri));
        const float* base[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l)
            base[l] = materials.record.data + ((size_t)omm::get_int(met.row, l) * materials.record.strides[0]) / 4 + 24 * omm::get_int(material, l);
        for (int k = 0; k < 24; k += 8) {
            omm::records(base, r + k);
            for (int l = 0; l < OMM_WIDTH; ++l) base[l] += 8;
        }
        Look look;
        for (int set = 0; set < 2; ++set) look.uv[set] = tri.uv[set];
        if (materials.used_inputs != 0) footprints(tri, area, ray.direction, width, look.footprint);
        const V3 display = display_color(met);
        Layers layers;
        p.bsdf = bsdf_at(materials, r, p.lit, {own[0], own[1], own[2]}, display, look, layers);
        p.bsdf.normal = normal;
        const I bumps = input_row(materials, r, p.lit, NORMAL);
        if (omm::any(bumps >= 0)) p.bsdf.normal = mapped_normal(geometry, materials, bumps, look, met, tri, normal, p.face_normal, side);
        if (materials.energy.is_deferred) keep_layers(p.bsdf, layers);
        else share_energy(materials.energy, p.bsdf, layers, omm::dot(p.bsdf.normal, p.to_viewer));
        const F reach = omm::max(omm::max(omm::abs(p.position_m.x), omm::abs(p.position_m.y)), omm::abs(p.position_m.z));
        p.origin_m = omm::add(p.position_m, omm::scale(p.face_normal, omm::max(RAY_OFFSET * reach, omm::splat(RAY_OFFSET_M))));
        return p;
    };
