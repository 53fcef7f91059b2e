// The shading points of a run of pixels (kernels/point.py). Needs material.cpp.
// In:  geometry, views, materials, sampling, hits, thread. Out: out_point.

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
    auto point_at = [&](const Pixels& pixels, const Rows& rows, const Ray& ray, const Met& met) {
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
        if (materials.used_inputs != 0) footprints(tri, area, ray.direction, met.t * spread_at(views, pixels, ray, met.t), look.footprint);
        const V3 display = display_color(met);
        p.bsdf = bsdf_at(materials, r, p.lit, {own[0], own[1], own[2]}, display, look);
        p.bsdf.normal = normal;
        const I bumps = input_row(materials, r, p.lit, NORMAL);
        if (omm::any(bumps >= 0)) p.bsdf.normal = mapped_normal(geometry, materials, bumps, look, met, tri, normal, p.face_normal, side);
        const F reach = omm::max(omm::max(omm::abs(p.position_m.x), omm::abs(p.position_m.y)), omm::abs(p.position_m.z));
        p.origin_m = omm::add(p.position_m, omm::scale(p.face_normal, omm::max(RAY_OFFSET * reach, omm::splat(RAY_OFFSET_M))));
        return p;
    };

    const auto span = sampling.span;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i, end = span.first + span.count;
        I is_edge = omm::splat_int(hits.layer > 0);
        decltype(hits.center.data + 0) hit[OMM_WIDTH];
        F x_offset = omm::splat(0.5f), y_offset = x_offset;
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const int k = index + l < end ? l : end - 1 - index;
            if (hits.edge.data[index + k]) omm::set_int(is_edge, l, 1);
            const bool crosses = omm::get_int(is_edge, l) != 0;
            hit[l] = crosses ? hits.sample.data + i + k : hits.center.data + index + k;
            if (!crosses) continue;
            omm::set(x_offset, l, hits.offset_px.data[i + k][0]);
            omm::set(y_offset, l, hits.offset_px.data[i + k][1]);
        }
        if (sampling.sample > 0 && !omm::any(is_edge != 0)) continue;  // the points of the first sample serve again
        const Pixels pixels = pixels_of(views, index, end);
        const Rows rows = view_rows(views, pixels);
        const Ray ray = camera_ray(views, pixels, omm::to_float(pixels.x) + x_offset, omm::to_float(pixels.y) + y_offset);
        const Met met = met_by(geometry, hit, rows);
        Point p = Point{};
        if (omm::any(met.is_hit)) p = point_at(pixels, rows, ray, met);
        if (!omm::all(met.is_hit)) {
            I placement = omm::splat_int(0);
            for (int l = 0; l < OMM_WIDTH; ++l) omm::set_int(placement, l, hit[l]->placement);
            const M is_none = omm::dot(ray.direction, ray.direction) == 0.0f;  // the lens sends no ray: not even a dome is seen
            p.placement = omm::select_int(met.is_hit, p.placement, omm::select_int(is_none, omm::splat_int(GONE), placement));
            p.to_viewer = omm::select3(met.is_hit, p.to_viewer, omm::negative(omm::unit(ray.direction)));
            p.bsdf.emission = omm::select3(met.is_hit, p.bsdf.emission, omm::vec3(0.0f, 0.0f, 0.0f));
            p.row = rows.each;
        }
        p.is_edge = is_edge;
        store_point(out_point.value.data, i, p);
    }
