// Defects laid on points (kernels/defect.py). Needs mark_find.cpp, dress.cpp and `tell`, which is told what each covers.

    const float GLOW = 4.0f;  // of a reflection, times the light that a white sheet would send there

    auto mark = [&](const Met& met, F width_m, Point& point) {
        I from, until;
        bounds_of(met, from, until);
        if (!omm::any(until > from)) return;
        const Spot spot = spot_of(met, point.position_m, point.face_normal, point.to_viewer, width_m);
        Bsdf bsdf = point.bsdf;
        V3 slope = omm::vec3(0.0f, 0.0f, 0.0f);
        F rough = omm::splat(0.0f);
        M marked = omm::none();
        over_defects(met, spot, from, until, [&](I slot, I kind, M who, const F* r, const Trace& t, V3 along, V3 across, V3 normal) {
            const F none = omm::splat(0.0f), severity = r[13];
            tell(slot, kind, who, t.cover);
            const V3 own = own_color(bsdf);
            const M has_color = (r[14] >= 0.0f) & (r[17] > 0.0f), has_rough = r[18] >= 0.0f, has_metal = r[19] >= 0.0f;
            const V3 color = omm::select3(has_color, mix3(own, toned({r[14], r[15], r[16]}, t.tone), r[17]), own);
            const F roughness = omm::select(has_rough, r[18], omm::sqrt(bsdf.alpha)), metallic = omm::select(has_metal, r[19], bsdf.gloss.x);
            const F share = omm::select(who & (has_color | has_rough | has_metal), unit_share(t.paint * severity), none);
            cover(bsdf, color, metallic, roughness, share);
            const F lit = omm::select(who & has_color, unit_share(t.glow * severity * r[17]), none);
            if (omm::any(lit > 0.0f)) cover(bsdf, toned({r[14], r[15], r[16]}, omm::splat(GLOW)), none, omm::sqrt(bsdf.alpha), lit);
            const F left = 1.0f - omm::select(who, unit_share(t.dark), none);
            bsdf.diffuse = omm::scale(bsdf.diffuse, left);
            bsdf.f0 = omm::scale(bsdf.f0, left);
            bsdf.f90 = omm::scale(bsdf.f90, left);
            bsdf.gloss.y = bsdf.gloss.y * left;
            bsdf.gloss.z = bsdf.gloss.z * left;
            const V3 here = omm::add(omm::add(omm::scale(along, t.slope.x), omm::scale(across, t.slope.y)), omm::scale(normal, t.slope.z));
            slope = omm::add(slope, omm::select3(who, here, omm::vec3(0.0f, 0.0f, 0.0f)));
            rough = rough + omm::select(who, t.rough, none);
            marked = marked | who;
        });
        if (!omm::any(marked)) return;
        bsdf.alpha = omm::select(rough > 0.0f, omm::clamp(omm::sqrt(bsdf.alpha * bsdf.alpha + 2.0f * rough), MIN_ALPHA, 1.0f), bsdf.alpha);
        const V3 turned = omm::add(omm::add(omm::scale(spot.axes[0], slope.x), omm::scale(spot.axes[1], slope.y)), omm::scale(spot.axes[2], slope.z));
        const M tilts = omm::dot(slope, slope) > 0.0f;
        bsdf.normal = omm::select3(tilts, bumped(bsdf.normal, point.face_normal, turned), bsdf.normal);
        point.bsdf.normal = omm::select3(marked, bsdf.normal, point.bsdf.normal);
        point.bsdf.diffuse = omm::select3(marked, bsdf.diffuse, point.bsdf.diffuse);
        point.bsdf.f0 = omm::select3(marked, bsdf.f0, point.bsdf.f0);
        point.bsdf.f90 = omm::select3(marked, bsdf.f90, point.bsdf.f90);
        point.bsdf.alpha = omm::select(marked, bsdf.alpha, point.bsdf.alpha);
        point.bsdf.coat = omm::select(marked, bsdf.coat, point.bsdf.coat);
        point.bsdf.gloss = omm::select3(marked, bsdf.gloss, point.bsdf.gloss);
    };
