// Where a sub-pixel sample lies in its pixel (kernels/sample.py): a point of Roberts' R2 sequence, shifted on the torus by
// two numbers that belong to the pixel of a frame. Needs camera.cpp and philox.cpp.

    auto sample_offset = [&](const auto& views, int view, int y, int x, int sample, const auto& key, float* out) {
        unsigned int c[4] = {(unsigned int)views.world.data[view], (unsigned int)views.frame.data[view],
                             (unsigned int)(y * views.width + x), JITTER_DIMENSION};
        philox(c, key.low, key.high);
        for (int k = 0; k < 2; ++k) {
            const float at = unit_float(c[k]) + (k ? R2_Y : R2_X) * (float)sample;
            out[k] = at - (float)(int)at;
        }
    };
    // Where on the lens, in shares of its radius, and when [s] a sample is (camera.cpp: Shot). Its shares of the lens's area, of
    // a turn and of the exposure are those of the sample, shifted on the torus likewise.
    auto sample_shot = [&](const auto& views, int view, int y, int x, const auto& sampling, float* out) {
        unsigned int c[4] = {(unsigned int)views.world.data[view], (unsigned int)views.frame.data[view],
                             (unsigned int)(y * views.width + x), SHOT_DIMENSION};
        philox(c, sampling.key.low, sampling.key.high);
        float share[3];
        for (int k = 0; k < 3; ++k) {
            const float at = unit_float(c[k]) + sampling.shot_share[k];
            share[k] = at - (float)(int)at;
        }
        F sine, cosine;
        omm::sincos(omm::splat(share[1]), sine, cosine);
        const float radius = omm::get(omm::sqrt(omm::splat(share[0])), 0);
        const float* blur = (const float*)((const char*)views.blur.data + (size_t)view * views.blur.strides[0]);
        out[0] = radius * omm::get(cosine, 0);
        out[1] = radius * omm::get(sine, 0);
        out[2] = ((y + 0.5f) / (float)views.height - 0.5f) * blur[READOUT_S] + (share[2] - 0.5f) * blur[EXPOSURE_S];
    };
