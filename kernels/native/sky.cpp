// The radiance of a cloudless sky and of the ground below it (kernels/light.py). Needs camera.cpp.
// Source: Preetham, Shirley, Smits, "A practical analytic model for daylight", SIGGRAPH 1999, whose distribution is that
// of Perez, Seals, Michalsky, "All-weather model for sky luminance distribution", Solar Energy 50(3), 1993.
// Numbers of a row, made by engine/daylight/sky.py: A, B log2(e), C, D log2(e), E of luminance, then of x, then of y
// (CIE 1931); what these three are where both factors are 1; sine and cosine of the sun's zenith angle; the ground's rgb;
// how uneven the sky is.

    const float SKY_LEAST_COSINE = 0.01f;  // of the zenith angle: what is lower looks like this, so that B / cos stays finite
    const float SKY_HORIZON = 0.01f;  // height over which sky and ground blend, just below the horizon: a line without steps

    // In a unit direction of the sky's frame: its pole is +Z, the sun above +X.
    auto sky_radiance = [&](const auto& lights, const Rows& rows, V3 local) {
        auto number = [&](int k) { return of_row(lights.sky, rows, k, 0); };
        const F inverse = 1.0f / omm::max(local.z, omm::splat(SKY_LEAST_COSINE));
        const F cos_sun = omm::clamp(local.x * number(18) + local.z * number(19), -1.0f, 1.0f);
        const F from_sun = omm::acos(cos_sun), cos_sun2 = cos_sun * cos_sun;
        F v[3];
#pragma unroll 1  // three at a time would take registers from all lights
        for (int k = 0; k < 3; ++k) {
            const F height = 1.0f + number(5 * k) * omm::exp2(number(5 * k + 1) * inverse);
            const F glow = 1.0f + number(5 * k + 2) * omm::exp2(number(5 * k + 3) * from_sun) + number(5 * k + 4) * cos_sun2;
            v[k] = number(15 + k) * height * glow;
        }
        const F over = v[0] / omm::max(v[2], omm::splat(0.05f));  // Y / y; no sky is so violet
        const F x = v[1] * over, z = (1.0f - v[1] - v[2]) * over;
        const F none = omm::splat(0.0f);  // to linear Rec. 709, IEC 61966-2-1
        const V3 sky = {omm::max(3.2404542f * x - 1.5371385f * v[0] - 0.4985314f * z, none),
                        omm::max(-0.9692660f * x + 1.8760108f * v[0] + 0.0415560f * z, none),
                        omm::max(0.0556434f * x - 0.2040259f * v[0] + 1.0572252f * z, none)};
        const V3 ground = {number(20), number(21), number(22)};
        const F share = omm::clamp(1.0f + local.z * (1.0f / SKY_HORIZON), 0.0f, 1.0f);
        return omm::add(omm::scale(sky, share), omm::scale(ground, 1.0f - share));
    };
