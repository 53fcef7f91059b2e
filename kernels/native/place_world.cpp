// Throws the items of one world (kernels/place.py); after philox.cpp, place.cpp and place_spot.cpp.
// in scope: throws, shapes, ground, out_scratch, out_place, out_try, row.

    typedef place::real real;
    const int items = shapes.half_m.shape[0], numbers = throws.order.shape[1], walls = ground.wall.shape[1];
    const int buckets = throws.buckets, slots = out_scratch.next.shape[1], triangles = ground.corner_m.shape[0];
    const int cells = ground.frame.shape[0], carriers = ground.carrier_pose.shape[1];
    int* head = out_scratch.head.data + (long long)row * (buckets + 1);
    int* next = out_scratch.next.data + (long long)row * slots;
    real* bodies = out_scratch.body.data + (long long)row * slots * BODY_DOUBLES;
    real* area = out_scratch.area_m2.data + (long long)row * triangles;
    const real* poses = ground.carrier_pose.data + (long long)row * carriers * 12;
    const unsigned char* shown = ground.carrier_shown.data + (long long)row * carriers;
    const bool flat = throws.test == TEST_FOOTPRINT, deep = throws.domain == DOMAIN_VOLUME;
    const int draws = deep ? 4 : 3;

    auto uniform = [&](int item, int dimension) {  // 53 bits, as engine/randomize/philox.py
        unsigned int c[4] = {throws.world.data[row], throws.step.data[row], (unsigned int)item, (unsigned int)dimension};
        philox(c, throws.key.low, throws.key.high);
        return (real)((((unsigned long long)c[0] << 32) | c[1]) >> 11) * (1.0 / 9007199254740992.0);
    };
    auto hang = [&](int slot, bool large) {
        const real* body = bodies + slot * BODY_DOUBLES;
        const int z = flat ? 0 : place::cell_of(body[2], throws.cell_m);
        const int list = large ? buckets : place::bucket(
            place::cell_of(body[0], throws.cell_m), place::cell_of(body[1], throws.cell_m), z, buckets);
        next[slot] = head[list];
        head[list] = slot;
    };
    auto clear_of = [&](const real* body, const real* other, bool is_item) {
        if (is_item && throws.distance_m > 0.0) {
            const real* a = body + place::FOOT;
            const real* b = other + place::FOOT;
            const real d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
            if (place::dot(d, d) < throws.distance_m * throws.distance_m) return false;
        }
        if (flat) return place::footprints_clear(body, other, throws.gap_m);
        if (place::reaches_clear(body, other, throws.gap_m)) return true;
        if (throws.test == TEST_BOX) return place::boxes_clear(body, other, throws.gap_m);
        return place::hulls_clear(body, other, throws.gap_m, shapes.corner_m.data, shapes.first_corner.data);
    };
    auto list_clear = [&](const real* body, int list) {
        for (int slot = head[list]; slot >= 0; slot = next[slot])
            if (!clear_of(body, bodies + slot * BODY_DOUBLES, slot < numbers)) return false;
        return true;
    };
    auto all_clear = [&](const real* body) {
        if (!list_clear(body, buckets)) return false;
        const int x = place::cell_of(body[0], throws.cell_m), y = place::cell_of(body[1], throws.cell_m);
        const int z = flat ? 0 : place::cell_of(body[2], throws.cell_m), layers = flat ? 0 : 1;
        for (int k = -layers; k <= layers; ++k)
            for (int j = -1; j <= 1; ++j)
                for (int i = -1; i <= 1; ++i)
                    if (!list_clear(body, place::bucket(x + i, y + j, z + k, buckets))) return false;
        return true;
    };

    for (int i = 0; i <= buckets; ++i) head[i] = -1;
    for (int i = 0; i < walls; ++i) {  // what must be avoided comes after the items
        const real* wall = ground.wall.data + ((long long)row * walls + i) * BODY_DOUBLES;
        if (wall[place::HULL] == (real)place::NOT_THERE) continue;
        real* body = bodies + (numbers + i) * BODY_DOUBLES;
        for (int x = 0; x < BODY_DOUBLES; ++x) body[x] = wall[x];
        hang(numbers + i, wall[place::HALF] + wall[place::HALF + 1] + wall[place::HALF + 2] > throws.small_m);
    }
    real whole_m2 = 0.0, p[3][3], normal[3];
    for (int i = 0; i < triangles; ++i) {
        const int carrier = ground.carrier.data[i];
        const real part_m2 = spot::triangle(poses + 12 * carrier, ground.corner_m.data + 9 * i, p, normal);
        if (shown[carrier] && normal[2] >= throws.least_up) whole_m2 += part_m2;
        area[i] = whole_m2;
    }
    for (int number = 0; number < throws.asked.data[row]; ++number) {
        const int item = throws.order.data[(long long)row * numbers + number];
        const real* turn = throws.turn.data + ((long long)row * items + item) * 9;
        const real* half_m = shapes.half_m.data + 3 * item;
        real* body = bodies + number * BODY_DOUBLES;
        real* pose = out_place.data + ((long long)row * numbers + number) * 12;
        int* landed = out_try.data + (long long)row * numbers + number;
        *landed = -1;
        if (cells == 0 && whole_m2 <= 0.0) continue;
        for (int attempt = 0; attempt < throws.tries && *landed < 0; ++attempt) {
            real u[4];
            for (int axis = 0; axis < draws; ++axis) u[axis] = uniform(item, draws * attempt + axis);
            bool fits = true;
            if (throws.domain == DOMAIN_SURFACE) {
                const int i = place::above(area, triangles, u[0] * whole_m2);
                spot::triangle(poses + 12 * ground.carrier.data[i], ground.corner_m.data + 9 * i, p, normal);
                spot::on_triangle(p, normal, turn, u, throws.align != 0, pose);
            } else {
                const int cell = place::above(ground.share.data, cells, u[0] * ground.share.data[cells - 1]);
                fits = spot::in_box(ground.frame.data + 12 * cell, ground.size_m.data + 3 * cell, turn, half_m, u + 1, deep,
                    pose);
            }
            if (!fits) continue;
            for (int i = 0; i < 3; ++i) {
                body[place::FOOT + i] = pose[4 * i + 3];
                body[i] = flat ? pose[4 * i + 3] : pose[4 * i + 3] + pose[4 * i + 2] * half_m[2];
                body[place::HALF + i] = half_m[i];
                for (int k = 0; k < 3; ++k) body[place::AXIS + 3 * k + i] = pose[4 * i + k];
                if (deep) body[place::FOOT + i] = body[i];
            }
            body[place::HULL] = (real)item;
            place::set_reach(body);
            if (flat)  // as the reference rounds it
                for (int i = 0; i < 2; ++i)
                    body[place::REACH + i] = 0.5 * (place::magnitude(pose[4 * i]) * (2.0 * half_m[0])
                        + place::magnitude(pose[4 * i + 1]) * (2.0 * half_m[1]));
            if (all_clear(body)) *landed = attempt;
        }
        if (*landed >= 0) hang(number, false);
    }
