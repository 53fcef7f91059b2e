// Where an item may land (kernels/place.py); after place.cpp. `pose` [3, 4] becomes its standing frame in the world.

    struct spot {
        typedef place::real real;

        // Pose * turn, a [3, 3] row-major matrix, with the origin at `foot` of the frame.
        static inline void stand(const real* frame, const real* turn, const real* foot, real* pose) {
            real origin[3];
            place::rotate(frame, foot, origin);
            for (int column = 0; column < 3; ++column) {
                const real axis[3] = {turn[column], turn[3 + column], turn[6 + column]};
                real turned[3];
                place::rotate(frame, axis, turned);
                for (int i = 0; i < 3; ++i) pose[4 * i + column] = turned[i];
            }
            for (int i = 0; i < 3; ++i) pose[4 * i + 3] = origin[i] + frame[4 * i + 3];
        }

        // In a box [-size/2, size/2] x [-size/2, size/2] x [0, size]: all of the turned item inside it; on its floor if
        // `deep` is false. Returns whether there is room, with FIT_SLACK_M of engine/randomize/place/placing.py.
        static inline bool in_box(
            const real* frame, const real* size_m, const real* turn, const real* half_m, const real* u, bool deep, real* pose
        ) {
            real room_m[3], foot_m[3];
            bool fits = true;
            for (int i = 0; i < 3; ++i) {
                const real* row = turn + 3 * i;
                const real extent_m = (2.0 * half_m[0]) * place::magnitude(row[0])
                    + (2.0 * half_m[1]) * place::magnitude(row[1]) + (2.0 * half_m[2]) * place::magnitude(row[2]);
                room_m[i] = size_m[i] - extent_m;
                fits = fits && ((i == 2 && !deep) || room_m[i] >= -1.0e-6);
                foot_m[i] = (u[i] - 0.5) * (room_m[i] > 0.0 ? room_m[i] : 0.0);
            }
            if (!deep) foot_m[2] = 0.0;
            else {
                foot_m[2] = foot_m[2] + 0.5 * size_m[2];
                for (int i = 0; i < 3; ++i) foot_m[i] = foot_m[i] - turn[3 * i + 2] * half_m[2];
            }
            stand(frame, turn, foot_m, pose);
            return fits;
        }

        // Corners of a triangle in the world, its unit normal and its area.
        static inline real triangle(const real* pose, const real* local, real (*p)[3], real* normal) {
            real ab[3], ac[3];
            for (int c = 0; c < 3; ++c) {
                place::rotate(pose, local + 3 * c, p[c]);
                for (int i = 0; i < 3; ++i) p[c][i] = p[c][i] + pose[4 * i + 3];
            }
            for (int i = 0; i < 3; ++i) {
                ab[i] = p[1][i] - p[0][i];
                ac[i] = p[2][i] - p[0][i];
            }
            place::cross(ab, ac, normal);
            const real length = place::root(place::dot(normal, normal));
            for (int i = 0; i < 3; ++i) normal[i] = length > 0.0 ? normal[i] / length : 0.0;
            return 0.5 * length;
        }

        // On a triangle, evenly: Turk, "Generating random points in triangles", Graphics Gems, 1990.
        static inline void on_triangle(
            const real (*p)[3], const real* normal, const real* turn, const real* u, bool align, real* pose
        ) {
            const real side = place::root(u[1]);
            real frame[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
            for (int i = 0; i < 3; ++i)
                frame[4 * i + 3] = (1.0 - side) * p[0][i] + (side * (1.0 - u[2])) * p[1][i] + (side * u[2]) * p[2][i];
            if (align) {  // Duff et al., "Building an orthonormal basis, revisited", JCGT 2017
                const real sign = normal[2] < 0.0 ? -1.0 : 1.0, a = -1.0 / (sign + normal[2]), b = normal[0] * normal[1] * a;
                const real axes[9] = {
                    1.0 + sign * normal[0] * normal[0] * a, b, normal[0],
                    sign * b, sign + normal[1] * normal[1] * a, normal[1],
                    -sign * normal[0], -normal[1], normal[2]};
                for (int i = 0; i < 9; ++i) frame[4 * (i / 3) + i % 3] = axes[i];
            }
            const real foot[3] = {0.0, 0.0, 0.0};
            stand(frame, turn, foot, pose);
        }
    };
