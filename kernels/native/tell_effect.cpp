// What defects cover, for the annotator `effect` (kernels/annotate_marked.py). Needs dress_watch.cpp.

    auto tell = [&](I, I kind, M who, F covered) {
        auto keep = [&](int effect, M is_one) { effects.share[effect] = omm::max(effects.share[effect], omm::select(who & is_one, covered, omm::splat(0.0f))); };
        keep(SCRATCH, (kind == DEFECT_SCRATCH) | (kind == DEFECT_SCUFF));
        keep(DENT, kind == DEFECT_DENT);
        keep(CRACK, kind == DEFECT_CRACK);
    };
