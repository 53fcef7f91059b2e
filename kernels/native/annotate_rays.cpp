// Range, place and camera normal of a run of pixels (kernels/annotate.py). Needs camera.cpp.
// In:  views, span, hit, labels, thread. Out: the images of out_images; empty ones were not asked for.

    const int end = span.first + span.count;
    const F nothing = omm::from_bits(omm::splat_int(0x7f800000)), unknown = omm::from_bits(omm::splat_int(0x7fc00000));
    auto put = [&](float* image, const Pixels& p, int count, V3 v) {
        for (int l = 0; l < OMM_WIDTH && l < count; ++l) {
            float* at = image + 3 * image_index(views, p, l);
            at[0] = omm::get(v.x, l), at[1] = omm::get(v.y, l), at[2] = omm::get(v.z, l);
        }
    };
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i, count = end - index;
        const Pixels pixels = pixels_of(views, index, end);
        F t = omm::splat(0.0f);
        I placement = omm::splat_int(0);
        for (int l = 0; l < OMM_WIDTH; ++l) {
            const auto& each = hit.data[l < count ? index + l : end - 1];
            omm::set(t, l, each.t);
            omm::set_int(placement, l, each.placement);
        }
        const M is_hit = placement >= 0;
        const F x_px = omm::to_float(pixels.x) + 0.5f, y_px = omm::to_float(pixels.y) + 0.5f;
        const LensRay lens = lens_ray(views, pixels, x_px, y_px);
        const Shot shot = label_shot(views, pixels, y_px);
        if (out_images.range_m.shape[0] > 0) {
            const F range_m = omm::select(is_hit, omm::length(omm::add(lens.origin, omm::scale(lens.direction, t))), nothing);
            for (int l = 0; l < OMM_WIDTH && l < count; ++l) out_images.range_m.data[image_index(views, pixels, l)] = omm::get(range_m, l);
        }
        if (out_images.position.shape[0] > 0) {
            const Ray ray = ray_from_camera(views, pixels, lens, shot);
            const V3 at = omm::add(ray.origin, omm::scale(ray.direction, t));
            put(out_images.position.data, pixels, count, omm::select3(is_hit, at, omm::same(unknown)));
        }
        if (out_images.normal_camera.shape[0] > 0) {
            V3 n = omm::vec3(0.0f, 0.0f, 0.0f);
            for (int l = 0; l < OMM_WIDTH; ++l) {
                const float* from = (const float*)(labels.normal.data + image_index(views, pixels, l));
                omm::set(n.x, l, from[0]), omm::set(n.y, l, from[1]), omm::set(n.z, l, from[2]);
            }
            if (has_blur(views)) {  // back to the middle of the shutter, whose pose there is (Rodrigues)
                const V3 spin = {of_view(views.blur, SPIN_X, pixels), of_view(views.blur, SPIN_X + 1, pixels), of_view(views.blur, SPIN_X + 2, pixels)};
                const V3 axis = omm::unit(spin), across = omm::cross(axis, n);
                F sine, cosine;
                omm::sincos(omm::length(spin) * shot.time_s * (-1.0f / RADIANS_OF_TURN), sine, cosine);
                n = omm::add(n, omm::add(omm::scale(across, sine), omm::scale(omm::cross(axis, across), 1.0f - cosine)));
            }
            F m[12];
            for (int k = 0; k < 12; ++k) m[k] = of_view(views.world_from_camera, k, pixels);
            const V3 turned = {m[0] * n.x + m[4] * n.y + m[8] * n.z, m[1] * n.x + m[5] * n.y + m[9] * n.z, m[2] * n.x + m[6] * n.y + m[10] * n.z};
            put(out_images.normal_camera.data, pixels, count, omm::select3(is_hit, turned, omm::vec3(0.0f, 0.0f, 0.0f)));
        }
    }
