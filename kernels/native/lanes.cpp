// Numbers of several pixels at once, for native functions: F, I and M hold a float, an int and a truth value per lane,
// eight lanes on the CPU (one AVX2 register; other processors get what the compiler makes of it) and one on CUDA. What
// is written over them exists once for both. This text opens a body, whose own functions then follow as members of
// `omm` or as lambdas; nothing here reads memory but `gather` and `records`.
//
// Lanes that do not take part are computed, too, with harmless values, and dropped by `select`: there are no branches
// on lanes, only on `any` and `all`. sincos, atan2, log2 and exp2 are polynomials, equal on all devices: there is no
// libc in CPU kernels. Their errors, measured against float64 (tests/kernels/test_lanes.py), stand beside them.

#if defined(__CUDA_ARCH__)
#define OMM_WIDTH 1
#define OMM_FN static __device__ __forceinline__
#else
#define OMM_WIDTH 8
#define OMM_FN static inline __attribute__((always_inline))
#endif

    struct omm {
#if defined(__CUDA_ARCH__)
        typedef float F;
        typedef int I;
        typedef unsigned int U;
        typedef bool M;
        OMM_FN F splat(float x) { return x; }
        OMM_FN I splat_int(int x) { return x; }
        OMM_FN I lanes() { return 0; }
        OMM_FN F select(M m, F a, F b) { return m ? a : b; }
        OMM_FN I select_int(M m, I a, I b) { return m ? a : b; }
        OMM_FN bool any(M m) { return m; }
        OMM_FN bool all(M m) { return m; }
        OMM_FN M none() { return false; }
        OMM_FN M invert(M m) { return !m; }
        OMM_FN F to_float(I a) { return (float)a; }
        OMM_FN I to_int(F a) { return (int)a; }
        OMM_FN I bits(F a) { return __float_as_int(a); }
        OMM_FN F from_bits(I a) { return __int_as_float(a); }
        OMM_FN F sqrt(F a) { return ::sqrtf(a); }
        OMM_FN F floor(F a) { return ::floorf(a); }
        OMM_FN float get(F a, int) { return a; }
        OMM_FN int get_int(I a, int) { return a; }
        OMM_FN bool get_bool(M a, int) { return a; }
        OMM_FN void set(F& a, int, float x) { a = x; }
        OMM_FN void set_int(I& a, int, int x) { a = x; }
        OMM_FN F load(const float* p) { return *p; }
        OMM_FN void store(float* p, F a) { *p = a; }
        // Eight floats in a row of every lane's record, transposed: out[k] is float k of all records.
        OMM_FN void records(const float* const* p, F* out) { for (int k = 0; k < 8; ++k) out[k] = p[0][k]; }
#else
        typedef float F __attribute__((vector_size(32)));
        typedef int I __attribute__((vector_size(32)));
        typedef unsigned int U __attribute__((vector_size(32)));
        typedef I M;  // of a lane: -1 or 0
        typedef float Loose __attribute__((vector_size(32), aligned(4)));
        OMM_FN F splat(float x) { return x - F{}; }
        OMM_FN I splat_int(int x) { return x - I{}; }
        OMM_FN I lanes() { return I{0, 1, 2, 3, 4, 5, 6, 7}; }
        OMM_FN F select(M m, F a, F b) { return (F)((m & (I)a) | (~m & (I)b)); }
        OMM_FN I select_int(M m, I a, I b) { return (m & a) | (~m & b); }
        OMM_FN bool any(M m) { return __builtin_reduce_or(m) != 0; }
        OMM_FN bool all(M m) { return __builtin_reduce_and(m) != 0; }
        OMM_FN M none() { return I{}; }
        OMM_FN M invert(M m) { return ~m; }
        OMM_FN F to_float(I a) { return __builtin_convertvector(a, F); }
        OMM_FN I to_int(F a) { return __builtin_convertvector(a, I); }
        OMM_FN I bits(F a) { return (I)a; }
        OMM_FN F from_bits(I a) { return (F)a; }
        OMM_FN F sqrt(F a) { return __builtin_elementwise_sqrt(a); }
        OMM_FN F floor(F a) { return __builtin_elementwise_floor(a); }
        OMM_FN float get(F a, int l) { return a[l]; }
        OMM_FN int get_int(I a, int l) { return a[l]; }
        OMM_FN bool get_bool(M a, int l) { return a[l] != 0; }
        OMM_FN void set(F& a, int l, float x) { a[l] = x; }
        OMM_FN void set_int(I& a, int l, int x) { a[l] = x; }
        OMM_FN F load(const float* p) { return *(const Loose*)p; }
        OMM_FN void store(float* p, F a) { *(Loose*)p = a; }
        OMM_FN void records(const float* const* p, F* out) {
            F r[8], s[8];
            for (int l = 0; l < 8; ++l) r[l] = load(p[l]);
            for (int l = 0; l < 8; l += 2) {
                s[l] = __builtin_shufflevector(r[l], r[l + 1], 0, 8, 2, 10, 4, 12, 6, 14);
                s[l + 1] = __builtin_shufflevector(r[l], r[l + 1], 1, 9, 3, 11, 5, 13, 7, 15);
            }
            for (int l = 0; l < 8; l += 4)
                for (int k = 0; k < 2; ++k) {
                    r[l + k] = __builtin_shufflevector(s[l + k], s[l + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
                    r[l + k + 2] = __builtin_shufflevector(s[l + k], s[l + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
                }
            for (int k = 0; k < 4; ++k) {
                out[k] = __builtin_shufflevector(r[k], r[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
                out[k + 4] = __builtin_shufflevector(r[k], r[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
            }
        }
#endif
        OMM_FN F gather(const float* p, I index) {
            F out = splat(0.0f);
            for (int l = 0; l < OMM_WIDTH; ++l) set(out, l, p[get_int(index, l)]);
            return out;
        }
        OMM_FN I gather_int(const int* p, I index) {
            I out = splat_int(0);
            for (int l = 0; l < OMM_WIDTH; ++l) set_int(out, l, p[get_int(index, l)]);
            return out;
        }
        // Whether all lanes name the same element, and elements if that is known.
        OMM_FN bool is_same(I index) { return all(index == splat_int(get_int(index, 0))); }
        OMM_FN F pick(const float* p, I index, bool same) { return same ? splat(p[get_int(index, 0)]) : gather(p, index); }
        OMM_FN I pick_int(const int* p, I index, bool same) { return same ? splat_int(p[get_int(index, 0)]) : gather_int(p, index); }
        OMM_FN F min(F a, F b) { return select(a < b, a, b); }
        OMM_FN F max(F a, F b) { return select(a > b, a, b); }
        OMM_FN F clamp(F a, float low, float high) { return min(max(a, splat(low)), splat(high)); }
        OMM_FN F abs(F a) { return from_bits(bits(a) & 0x7fffffff); }
        OMM_FN F with_sign(F size, F sign) { return from_bits(bits(size) | (bits(sign) & (int)0x80000000)); }

        struct V2 { F x, y; };
        struct V3 { F x, y, z; };
        OMM_FN V3 same(F a) { return {a, a, a}; }
        OMM_FN V3 vec3(float x, float y, float z) { return {splat(x), splat(y), splat(z)}; }
        OMM_FN V3 add(V3 a, V3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
        OMM_FN V3 sub(V3 a, V3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
        OMM_FN V3 mul(V3 a, V3 b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
        OMM_FN V3 scale(V3 a, F b) { return {a.x * b, a.y * b, a.z * b}; }
        OMM_FN V3 negative(V3 a) { return {-a.x, -a.y, -a.z}; }
        OMM_FN F dot(V3 a, V3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
        OMM_FN V3 cross(V3 a, V3 b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
        OMM_FN F length(V3 a) { return sqrt(dot(a, a)); }
        OMM_FN V3 unit(V3 a) {  // 0 stays 0, as wp.normalize has it
            const F size = length(a);
            return scale(a, select(size > 0.0f, 1.0f / size, splat(0.0f)));
        }
        OMM_FN V3 select3(M m, V3 a, V3 b) { return {select(m, a.x, b.x), select(m, a.y, b.y), select(m, a.z, b.z)}; }

        OMM_FN V3 load3(const float* p) {  // vectors in a row, one a lane
            V3 out = vec3(0.0f, 0.0f, 0.0f);
            for (int l = 0; l < OMM_WIDTH; ++l) { set(out.x, l, p[3 * l]); set(out.y, l, p[3 * l + 1]); set(out.z, l, p[3 * l + 2]); }
            return out;
        }
        OMM_FN void store3(float* p, V3 a) {
            for (int l = 0; l < OMM_WIDTH; ++l) { p[3 * l] = get(a.x, l); p[3 * l + 1] = get(a.y, l); p[3 * l + 2] = get(a.z, l); }
        }

        // Sine and cosine of `turns` full turns, |turns| <= 2^20; error 2e-7.
        OMM_FN void sincos(F turns, F& sine, F& cosine) {
            const F quarter = floor(turns * 4.0f + 0.5f);
            const F x = (turns - quarter * 0.25f) * 6.28318530717958648f;  // within a quarter of pi
            const F x2 = x * x;
            const F s = x * (1.0f + x2 * (-0.16666666667f + x2 * (8.3333315e-3f + x2 * (-1.9840874e-4f + x2 * 2.7525562e-6f))));
            const F c = 1.0f + x2 * (-0.5f + x2 * (4.16666666e-2f + x2 * (-1.388888e-3f + x2 * 2.4760495e-5f)));
            const I which = to_int(quarter);
            const M swap = (which & 1) != 0;
            const F a = select(swap, c, s), b = select(swap, s, c);
            sine = from_bits(bits(a) ^ ((which & 2) << 30));
            cosine = from_bits(bits(b) ^ (((which + 1) & 2) << 30));
        }
        // atan2(y, x) [rad]; error 3e-7; 0 where both are 0.
        OMM_FN F atan2(F y, F x) {
            const F ax = abs(x), ay = abs(y), most = max(ax, ay);
            const M is_zero = most == 0.0f;
            const F t = min(ax, ay) / select(is_zero, splat(1.0f), most);
            // arctan on [0, 1]: beyond tan(pi / 8) by way of (t - 1) / (t + 1)
            const M is_large = t > 0.41421356237f;
            const F z = select(is_large, (t - 1.0f) / (t + 1.0f), t), z2 = z * z;
            F a = z + z * z2 * (-0.333329491539f + z2 * (0.199777106478f + z2 * (-0.138776856032f + z2 * 8.05374449538e-2f)));
            a = select(is_large, a + 0.78539816339744831f, a);
            a = select(ay > ax, 1.57079632679489662f - a, a);
            a = select(x < 0.0f, 3.14159265358979324f - a, a);
            return with_sign(a, y);
        }
        OMM_FN F acos(F c) {  // of a cosine, which is clamped to [-1, 1]; error 4e-7
            const F x = clamp(c, -1.0f, 1.0f);
            return atan2(sqrt((1.0f - x) * (1.0f + x)), x);
        }
        OMM_FN F asin(F s) {
            const F x = clamp(s, -1.0f, 1.0f);
            return atan2(x, sqrt((1.0f - x) * (1.0f + x)));
        }
        // Base-2 logarithm of a positive normal number; error 3e-7 of the larger of 1 and the result.
        OMM_FN F log2(F a) {
            const I b = bits(a);
            const I shifted = b - 0x3f3504f3;  // of sqrt(1/2)
            const I e = shifted >> 23;
            const F m = from_bits(b - (e << 23)) - 1.0f;  // in [sqrt(1/2), sqrt(2)) - 1
            const F s = m / (2.0f + m), s2 = s * s;  // log((1 + s) / (1 - s)) = log(1 + m)
            const F p = s * (2.885390081777927f + s2 * (0.961796693925976f + s2 * (0.577078016355585f + s2 * (0.412198583111132f + s2 * 0.320598897975325f))));
            return to_float(e) + p;
        }
        // 2^a; 0 below -126, at most 2^127; relative error 2e-7.
        OMM_FN F exp2(F a) {
            const F x = clamp(a, -127.0f, 127.0f);
            const F whole = floor(x + 0.5f), f = x - whole;
            const F p = 1.0f + f * (0.693147180559945f + f * (0.240226506959101f + f * (5.55041086648216e-2f + f * (9.61812910762848e-3f + f * (1.33335581464284e-3f + f * 1.54035303933816e-4f)))));
            return select(a < -126.0f, splat(0.0f), p * from_bits((to_int(whole) + 127) << 23));
        }
        OMM_FN F pow(F a, F b) { return select(a > 0.0f, exp2(b * log2(max(a, splat(1.0e-37f)))), splat(0.0f)); }  // a >= 0

        // Two unit vectors that make a right-handed frame with a unit normal. Source: Duff et al., "Building an
        // orthonormal basis, revisited", JCGT 6(1), 2017.
        OMM_FN void basis(V3 n, V3& t, V3& b) {
            const F sign = with_sign(splat(1.0f), n.z);
            const F a = -1.0f / (sign + n.z), c = n.x * n.y * a;
            t = {1.0f + sign * n.x * n.x * a, sign * c, -sign * n.x};
            b = {c, sign + n.y * n.y * a, -n.y};
        }
    };
    typedef omm::F F;
    typedef omm::I I;
    typedef omm::U U;
    typedef omm::M M;
    typedef omm::V2 V2;
    typedef omm::V3 V3;
