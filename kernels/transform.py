"""Rigid and affine maps as 3x4 matrices: three columns of axes and the origin."""

import warp as wp

mat34 = wp.types.matrix(shape=(3, 4), dtype=wp.float32)


@wp.func
def transform_point(m: mat34, p: wp.vec3) -> wp.vec3:
    """Return a point in the map's target frame."""
    return wp.vec3(
        m[0, 0] * p[0] + m[0, 1] * p[1] + m[0, 2] * p[2] + m[0, 3],
        m[1, 0] * p[0] + m[1, 1] * p[1] + m[1, 2] * p[2] + m[1, 3],
        m[2, 0] * p[0] + m[2, 1] * p[1] + m[2, 2] * p[2] + m[2, 3],
    )


@wp.func
def transform_vector(m: mat34, v: wp.vec3) -> wp.vec3:
    """Return a direction in the map's target frame; its length follows the map's scale."""
    return wp.vec3(
        m[0, 0] * v[0] + m[0, 1] * v[1] + m[0, 2] * v[2],
        m[1, 0] * v[0] + m[1, 1] * v[1] + m[1, 2] * v[2],
        m[2, 0] * v[0] + m[2, 1] * v[1] + m[2, 2] * v[2],
    )


@wp.func
def transform_normal(inverse: mat34, n: wp.vec3) -> wp.vec3:
    """Return a unit normal in the target frame, given the map's inverse: the inverse transpose, also when mirrored."""
    return wp.normalize(
        wp.vec3(
            inverse[0, 0] * n[0] + inverse[1, 0] * n[1] + inverse[2, 0] * n[2],
            inverse[0, 1] * n[0] + inverse[1, 1] * n[1] + inverse[2, 1] * n[2],
            inverse[0, 2] * n[0] + inverse[1, 2] * n[1] + inverse[2, 2] * n[2],
        )
    )


@wp.func
def compose(a: mat34, b: mat34) -> mat34:
    """Return the map that applies `b`, then `a`."""
    out = mat34()
    for i in range(3):
        for j in range(4):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]
        out[i, 3] = out[i, 3] + a[i, 3]
    return out


@wp.func
def invert(m: mat34) -> mat34:
    """Return the inverse of an affine map; zeros when it is singular."""
    linear = wp.mat33(m[0, 0], m[0, 1], m[0, 2], m[1, 0], m[1, 1], m[1, 2], m[2, 0], m[2, 1], m[2, 2])
    inverse = wp.inverse(linear)
    origin = inverse * wp.vec3(m[0, 3], m[1, 3], m[2, 3])
    out = mat34()
    for i in range(3):
        for j in range(3):
            out[i, j] = inverse[i, j]
        out[i, 3] = -origin[i]
    return out


@wp.func
def orthonormal_basis(n: wp.vec3) -> wp.mat33:
    """Return a right-handed basis with `n` as its third column.

    Source: Duff et al., "Building an orthonormal basis, revisited", JCGT 6(1), 2017.
    """
    sign = wp.where(n[2] >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + n[2])
    b = n[0] * n[1] * a
    t = wp.vec3(1.0 + sign * n[0] * n[0] * a, sign * b, -sign * n[0])
    s = wp.vec3(b, sign + n[1] * n[1] * a, -n[1])
    return wp.matrix_from_cols(t, s, n)
