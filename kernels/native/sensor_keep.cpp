// The mean radiance of a run of pixels (kernels/sensor.py). Needs camera.cpp.
// In: views, span, sample_count, radiance, thread. Out: out_light, out_color.

    const int end = span.first + span.count;
    const F share = omm::splat(1.0f / (float)sample_count);
    const bool wants_linear = out_color.linear.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const Pixels pixels = pixels_of(views, span.first + i, end);
        const V3 mean = omm::scale(omm::load3((const float*)(radiance.data + i)), share);
        for (int l = 0; l < OMM_WIDTH && span.first + i + l < end; ++l) {
            const wp::vec3 value(omm::get(mean.x, l), omm::get(mean.y, l), omm::get(mean.z, l));
            const size_t at = image_index(views, pixels, l);
            out_light.data[at] = value;
            if (wants_linear) out_color.linear.data[at] = value;
        }
    }
