// Shaping of a light by direction: focus, cone and photometric profile (kernels/shaping.py, kernels/ies.py). Needs lanes.cpp.
// These are the formulas of UsdLuxShapingAPI, https://openusd.org/release/user_guides/schemas/usdLux/ShapingAPI.html. The
// horizontal angle of a profile is that of the direction towards the light, as in hdEmbree, OpenUSD's reference renderer.

    // Which of `count` ascending numbers begins the interval that x is in, or is nearest to.
    auto bracket = [&](const float* values, int count, float x) {
        int low = 0, high = count - 1;
        while (high - low > 1) {
            const int middle = (low + high) / 2;
            if (values[middle] <= x) low = middle; else high = middle;
        }
        return low;
    };
    auto share_between = [&](const float* values, float x) {
        const float step = values[1] - values[0] > 1.0e-9f ? values[1] - values[0] : 1.0e-9f, share = (x - values[0]) / step;
        return share < 0.0f ? 0.0f : (share > 1.0f ? 1.0f : share);
    };
    // Intensity at a direction, bilinear in the angles; 0 at vertical angles that the profile leaves out.
    auto intensity_at = [&](const auto& profiles, int profile, float horizontal_rad, float vertical_rad) {
        const auto count = profiles.count.data[profile];
        const float* horizontal = profiles.value.data + profiles.first.data[profile];
        const float* vertical = horizontal + count[0];
        if (vertical_rad < vertical[0] || vertical_rad > vertical[count[1] - 1]) return 0.0f;
        const int h = bracket(horizontal, count[0], horizontal_rad), v = bracket(vertical, count[1], vertical_rad);
        const float along_h = share_between(horizontal + h, horizontal_rad), along_v = share_between(vertical + v, vertical_rad);
        const float* k = vertical + count[1] + h * count[1] + v;
        const float low = k[0] * (1.0f - along_v) + k[1] * along_v;
        const float high = k[count[1]] * (1.0f - along_v) + k[count[1] + 1] * along_v;
        return low * (1.0f - along_h) + high * along_h;
    };
    // The factor on the radiance, given the unit direction towards the light in its own frame.
    auto shape_factor = [&](const auto& shapings, int shaping, V3 towards) {
        const auto own = shapings.row.data[shaping];
        const F zero = omm::splat(0.0f), one = omm::splat(1.0f);
        const F angle_rad = omm::atan2(omm::sqrt(towards.x * towards.x + towards.y * towards.y), towards.z);  // exact for narrow cones
        const float begin = own.cone_rad[0], end = own.cone_rad[1];
        const F x = end > begin ? omm::clamp((angle_rad - begin) / (end - begin), 0.0f, 1.0f) : one;  // 1 - smoothstep, or a hard edge
        F share = omm::select(angle_rad <= begin, one, 1.0f - x * x * (3.0f - 2.0f * x));
        share = omm::select(angle_rad > end, zero, share);
        if (own.profile >= 0) {
            F turn = omm::atan2(towards.y, towards.x);
            turn = omm::select(turn < 0.0f, turn + 6.28318530717958648f, turn);
            for (int l = 0; l < OMM_WIDTH; ++l) {
                if (omm::get(share, l) <= 0.0f) continue;
                omm::set(share, l, omm::get(share, l) * intensity_at(shapings.profiles, own.profile, omm::get(turn, l), omm::get(angle_rad, l)));
            }
        }
        V3 factor = omm::same(share);
        if (own.focus > 0.0f) {
            const F focused = omm::pow(omm::abs(towards.z), omm::splat(own.focus));
            const V3 tint = omm::vec3(own.focus_tint[0], own.focus_tint[1], own.focus_tint[2]);
            factor = omm::mul(factor, omm::add(tint, omm::scale(omm::sub(omm::vec3(1.0f, 1.0f, 1.0f), tint), focused)));
        }
        return factor;
    };
