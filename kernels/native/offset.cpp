// Where a sub-pixel sample lies in its pixel (kernels/sample.py): a point of Roberts' R2 sequence, shifted on the torus by
// two numbers that belong to the pixel of a frame. Needs philox.cpp.

    auto sample_offset = [&](const auto& views, int view, int y, int x, int sample, const auto& key, float* out) {
        unsigned int c[4] = {(unsigned int)views.world.data[view], (unsigned int)views.frame.data[view],
                             (unsigned int)(y * views.width + x), JITTER_DIMENSION};
        philox(c, key.low, key.high);
        for (int k = 0; k < 2; ++k) {
            const float at = unit_float(c[k]) + (k ? R2_Y : R2_X) * (float)sample;
            out[k] = at - (float)(int)at;
        }
    };
