// Throws items at places until they keep clear of each other (kernels/place.py): one world by one thread, float64, no
// fused arithmetic, so that the host's reference, the CPU and CUDA agree to the bit.
//
// A body is BODY_DOUBLES numbers: centre of its box, its three axes one after the other, half its size along them, its
// foot (what the least distance is kept between), its reach, which is the half size of a box around it along the world's
// axes, and its hull: NO_HULL is its box, NOT_THERE no body.
// Bodies hang in lists: one for every bucket of a hashed grid whose cells are wider than two small bodies, and one more
// for bodies that are larger than that, which everything is compared with.

    struct place {
        typedef double real;
        enum { CENTER = 0, AXIS = 3, HALF = 12, FOOT = 15, REACH = 18, HULL = 21, NO_HULL = -1, NOT_THERE = -2 };

        static inline real dot(const real* a, const real* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
        static inline void cross(const real* a, const real* b, real* out) {
            out[0] = a[1] * b[2] - a[2] * b[1];
            out[1] = a[2] * b[0] - a[0] * b[2];
            out[2] = a[0] * b[1] - a[1] * b[0];
        }
        static inline real magnitude(real a) { return a < 0.0 ? -a : a; }
        static inline real root(real a) { return wp::sqrt(a); }

        // [3, 4] row-major pose, as engine/randomize/pose.py: its linear part times a vector.
        static inline void rotate(const real* pose, const real* v, real* out) {
            for (int i = 0; i < 3; ++i) out[i] = pose[4 * i] * v[0] + pose[4 * i + 1] * v[1] + pose[4 * i + 2] * v[2];
        }

        // The first entry of an ascending table that is greater than `value`; the last one if none is.
        static inline int above(const real* table, int count, real value) {
            int low = 0, high = count;
            while (low < high) {
                const int middle = (low + high) / 2;
                if (table[middle] <= value) low = middle + 1;
                else high = middle;
            }
            return low < count ? low : count - 1;
        }

        static inline bool footprints_clear(const real* a, const real* b, real gap) {
            for (int i = 0; i < 2; ++i)
                if (magnitude(b[CENTER + i] - a[CENTER + i]) - b[REACH + i] - a[REACH + i] >= gap) return true;
            return false;
        }

        static inline bool reaches_clear(const real* a, const real* b, real gap) {
            for (int i = 0; i < 3; ++i)
                if (magnitude(b[CENTER + i] - a[CENTER + i]) - b[REACH + i] - a[REACH + i] >= gap) return true;
            return false;
        }

        static inline real radius_along(const real* body, const real* direction) {
            real sum = 0.0;
            for (int k = 0; k < 3; ++k) sum += magnitude(dot(body + AXIS + 3 * k, direction)) * body[HALF + k];
            return sum;
        }

        static inline bool splits(const real* a, const real* b, const real* offset, const real* direction, real gap) {
            const real square = dot(direction, direction);
            if (square < 1.0e-12) return false;  // of two parallel edges: a face's normal decides
            return magnitude(dot(offset, direction)) - radius_along(a, direction) - radius_along(b, direction)
                >= gap * root(square);
        }

        // Separating axes of two oriented boxes: the normals of their faces, and the products of their edges.
        // Source: Gottschalk, Lin, Manocha, "OBBTree", SIGGRAPH 1996, section 5.
        static inline bool boxes_clear(const real* a, const real* b, real gap) {
            const real offset[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
            for (int k = 0; k < 3; ++k) {
                if (splits(a, b, offset, a + AXIS + 3 * k, gap)) return true;
                if (splits(a, b, offset, b + AXIS + 3 * k, gap)) return true;
            }
            for (int i = 0; i < 3; ++i)
                for (int k = 0; k < 3; ++k) {
                    real direction[3];
                    cross(a + AXIS + 3 * i, b + AXIS + 3 * k, direction);
                    if (splits(a, b, offset, direction, gap)) return true;
                }
            return false;
        }

        // The corner of a body's hull, or of its box if it has none, that is farthest along a direction; corners are
        // relative to the box's centre.
        static inline void farthest(
            const real* body, const real* corner, const int* first, const real* direction, real sign, real* out
        ) {
            const int hull = (int)body[HULL];
            real local[3], box[3], best = -1.0e300;
            for (int k = 0; k < 3; ++k) {
                local[k] = sign * dot(body + AXIS + 3 * k, direction);
                box[k] = local[k] < 0.0 ? -body[HALF + k] : body[HALF + k];
            }
            const real* chosen = box;
            for (int i = hull < 0 ? 0 : first[hull]; i < (hull < 0 ? 0 : first[hull + 1]); ++i) {
                const real along = dot(corner + 3 * i, local);
                if (along > best) {
                    best = along;
                    chosen = corner + 3 * i;
                }
            }
            for (int i = 0; i < 3; ++i)
                out[i] = body[CENTER + i] + body[AXIS + i] * chosen[0] + body[AXIS + 3 + i] * chosen[1]
                    + body[AXIS + 6 + i] * chosen[2];
        }

        // Keeps the corners of a simplex that the point nearest to the origin needs, and returns how many; `v` is it.
        static inline int keep(real (*p)[3], int i, int k, int j, int count, const real* weight, real* v) {
            const int from[3] = {i, k, j};
            real kept[3][3];
            for (int c = 0; c < count; ++c)
                for (int x = 0; x < 3; ++x) kept[c][x] = p[from[c]][x];
            for (int x = 0; x < 3; ++x) {
                v[x] = 0.0;
                for (int c = 0; c < count; ++c) {
                    p[c][x] = kept[c][x];
                    v[x] += weight[c] * kept[c][x];
                }
            }
            return count;
        }

        static inline int nearest_on_edge(real (*p)[3], int i, int k, real* v) {
            real edge[3];
            for (int x = 0; x < 3; ++x) edge[x] = p[k][x] - p[i][x];
            const real along = -dot(p[i], edge), square = dot(edge, edge);
            const real one[3] = {1.0, 0.0, 0.0};
            if (along <= 0.0 || square <= 0.0) return keep(p, i, i, i, 1, one, v);
            if (along >= square) return keep(p, k, k, k, 1, one, v);
            const real weight[3] = {1.0 - along / square, along / square, 0.0};
            return keep(p, i, k, k, 2, weight, v);
        }

        // Source: Ericson, "Real-Time Collision Detection", 2005, sections 5.1.5 and 5.1.6.
        static inline int nearest_on_triangle(real (*p)[3], int i, int k, int j, real* v) {
            real ab[3], ac[3];
            for (int x = 0; x < 3; ++x) {
                ab[x] = p[k][x] - p[i][x];
                ac[x] = p[j][x] - p[i][x];
            }
            const real d1 = -dot(ab, p[i]), d2 = -dot(ac, p[i]), d3 = -dot(ab, p[k]), d4 = -dot(ac, p[k]);
            const real d5 = -dot(ab, p[j]), d6 = -dot(ac, p[j]), one[3] = {1.0, 0.0, 0.0};
            if (d1 <= 0.0 && d2 <= 0.0) return keep(p, i, i, i, 1, one, v);
            if (d3 >= 0.0 && d4 <= d3) return keep(p, k, k, k, 1, one, v);
            const real vc = d1 * d4 - d3 * d2;
            if (vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0) return nearest_on_edge(p, i, k, v);
            if (d6 >= 0.0 && d5 <= d6) return keep(p, j, j, j, 1, one, v);
            const real vb = d5 * d2 - d1 * d6;
            if (vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0) return nearest_on_edge(p, i, j, v);
            const real va = d3 * d6 - d5 * d4;
            if (va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0) return nearest_on_edge(p, k, j, v);
            const real whole = va + vb + vc;
            if (whole <= 0.0) return nearest_on_edge(p, i, k, v);  // three corners on a line
            const real weight[3] = {va / whole, vb / whole, vc / whole};
            return keep(p, i, k, j, 3, weight, v);
        }

        // Of a tetrahedron: the nearest of the faces that have the origin outside; 4: it is inside.
        static inline int nearest_on_tetrahedron(real (*p)[3], real* v) {
            const int face[4][4] = {{0, 1, 2, 3}, {0, 2, 3, 1}, {0, 3, 1, 2}, {1, 3, 2, 0}};
            real best = 1.0e300, kept[4][3];
            int count = 4;
            for (int f = 0; f < 4; ++f) {
                real q[4][3], ab[3], ac[3], ad[3], normal[3], point[3];
                for (int c = 0; c < 4; ++c)
                    for (int x = 0; x < 3; ++x) q[c][x] = p[face[f][c]][x];
                for (int x = 0; x < 3; ++x) {
                    ab[x] = q[1][x] - q[0][x];
                    ac[x] = q[2][x] - q[0][x];
                    ad[x] = q[3][x] - q[0][x];
                }
                cross(ab, ac, normal);
                const real inner = dot(normal, ad), outer = -dot(normal, q[0]);
                if (inner != 0.0 && (inner > 0.0) == (outer >= 0.0)) continue;  // on the same side as the fourth corner
                const int used = nearest_on_triangle(q, 0, 1, 2, point);
                const real square = dot(point, point);
                if (square >= best) continue;
                best = square;
                count = used;
                for (int x = 0; x < 3; ++x) v[x] = point[x];
                for (int c = 0; c < used; ++c)
                    for (int x = 0; x < 3; ++x) kept[c][x] = q[c][x];
            }
            if (count < 4)
                for (int c = 0; c < count; ++c)
                    for (int x = 0; x < 3; ++x) p[c][x] = kept[c][x];
            return count;
        }

        // Two convex hulls are clear if a direction is found along which they are at least `gap` apart; what the search
        // cannot decide counts as overlap.
        // Source: Gilbert, Johnson, Keerthi, "A fast procedure for computing the distance between complex objects in
        // three-dimensional space", 1988.
        static inline bool hulls_clear(const real* a, const real* b, real gap, const real* corner, const int* first) {
            real v[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]}, simplex[4][3];
            int count = 0;
            if (dot(v, v) < 1.0e-24) return false;
            for (int step = 0; step < GJK_STEPS; ++step) {
                real of_a[3], of_b[3], w[3];
                farthest(a, corner, first, v, -1.0, of_a);
                farthest(b, corner, first, v, 1.0, of_b);
                for (int x = 0; x < 3; ++x) w[x] = of_a[x] - of_b[x];
                const real along = dot(v, w), square = dot(v, v);
                if (along >= gap * root(square)) return true;
                if (count > 0 && square - along <= 1.0e-12 * square) return false;  // v is the distance: below the gap
                for (int c = 0; c < count; ++c)
                    if (simplex[c][0] == w[0] && simplex[c][1] == w[1] && simplex[c][2] == w[2]) return false;
                for (int x = 0; x < 3; ++x) simplex[count][x] = w[x];
                ++count;
                if (count == 1) for (int x = 0; x < 3; ++x) v[x] = w[x];
                else if (count == 2) count = nearest_on_edge(simplex, 0, 1, v);
                else if (count == 3) count = nearest_on_triangle(simplex, 0, 1, 2, v);
                else count = nearest_on_tetrahedron(simplex, v);
                if (count == 4 || dot(v, v) < 1.0e-24) return false;
            }
            return false;
        }

        // From the centre, the axes and the half size of a body: its reach.
        static inline void set_reach(real* body) {
            for (int i = 0; i < 3; ++i)
                body[REACH + i] = magnitude(body[AXIS + i]) * body[HALF] + magnitude(body[AXIS + 3 + i]) * body[HALF + 1]
                    + magnitude(body[AXIS + 6 + i]) * body[HALF + 2];
        }

        static inline int cell_of(real at_m, real cell_m) { return (int)wp::floor(at_m / cell_m); }
        static inline int bucket(int x, int y, int z, int buckets) {  // Teschner et al., "Optimized spatial hashing", 2003
            const unsigned int hash =
                ((unsigned int)x * 73856093u) ^ ((unsigned int)y * 19349663u) ^ ((unsigned int)z * 83492791u);
            return (int)(hash & (unsigned int)(buckets - 1));
        }
    };
