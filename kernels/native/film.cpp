// A run of pixels from radiance to colours (kernels/film.py). Needs camera.cpp.
// In:  views, span, sample_count, table, radiance, thread. Out: the images of out_color.

    // 8-bit sRGB codes of linear values, exactly rounded: a table over leading bits of the float and one comparison.
    auto encode_srgb = [&](F value) {
        const F v = omm::clamp(value, 0.0f, 1.0f);
        I run = (omm::bits(v) >> RUN_BITS) - FIRST_RUN;
        run = omm::select_int(run < 0, omm::splat_int(0), omm::select_int(run > (RUN_COUNT - 1), omm::splat_int((RUN_COUNT - 1)), run));
        const I code = omm::gather_int(table.code.data, run);
        return code + omm::select_int(v >= omm::gather(table.begin.data, code + 1), omm::splat_int(1), omm::splat_int(0));
    };
    const int end = span.first + span.count;
    const bool wants_rgb = out_color.rgb.shape[0] > 0;
    const bool wants_linear = out_color.linear.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Pixels pixels = pixels_of(views, span.first + i, end);
        const V3 mean = omm::scale(omm::load3((const float*)(radiance.data + i)), omm::splat(1.0f / (float)sample_count));
        const V3 exposed = omm::scale(mean, of_view(views.exposure, 0, pixels));
        const I codes[3] = {encode_srgb(exposed.x), encode_srgb(exposed.y), encode_srgb(exposed.z)};
        for (int l = 0; l < OMM_WIDTH && span.first + i + l < end; ++l) {
            const size_t at = image_index(views, pixels, l);
            for (int c = 0; c < 3 && wants_rgb; ++c) out_color.rgb.data[3 * at + c] = (unsigned char)omm::get_int(codes[c], l);
            if (wants_linear) out_color.linear.data[at] = wp::vec3(omm::get(mean.x, l), omm::get(mean.y, l), omm::get(mean.z, l));
        }
    }
