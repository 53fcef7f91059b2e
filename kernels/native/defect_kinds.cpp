// What a defect of any kind does to a point (kernels/defect.py). Needs defect.cpp and defect_patch.cpp.

    auto trace_of = [&](I kind, M who, const Local& at, const Shape& s, F full_depth) {
        Trace out = no_trace();
        auto take = [&](int which, const Trace& made) {
            const M here = who & (kind == which);
            out.cover = omm::select(here, made.cover, out.cover);
            out.seen = omm::select(here, made.seen, out.seen);
            out.paint = omm::select(here, made.paint, out.paint);
            out.tone = omm::select(here, made.tone, out.tone);
            out.dark = omm::select(here, made.dark, out.dark);
            out.slope = omm::select3(here, made.slope, out.slope);
            out.rough = omm::select(here, made.rough, out.rough);
            out.glow = omm::select(here, made.glow, out.glow);
        };
        if (omm::any(who & (kind == DEFECT_SCRATCH))) take(DEFECT_SCRATCH, scratch(at, s));
        if (omm::any(who & (kind == DEFECT_SCUFF))) take(DEFECT_SCUFF, scuff(at, s));
        if (omm::any(who & (kind == DEFECT_DENT))) take(DEFECT_DENT, dent(at, s));
        if (omm::any(who & (kind == DEFECT_CRACK))) take(DEFECT_CRACK, crack(at, s));
        if (omm::any(who & (kind == DEFECT_PIT))) take(DEFECT_PIT, pit(at, s));
        if (omm::any(who & (kind == DEFECT_POROSITY))) take(DEFECT_POROSITY, porosity(at, s));
        if (omm::any(who & (kind == DEFECT_CHIP))) take(DEFECT_CHIP, chip(at, s, full_depth));
        if (omm::any(who & (kind == DEFECT_FRAY))) take(DEFECT_FRAY, fray(at, s));
        if (omm::any(who & (kind == DEFECT_STAIN))) take(DEFECT_STAIN, stain(at, s));
        if (omm::any(who & (kind == DEFECT_RUST))) take(DEFECT_RUST, rust(at, s));
        if (omm::any(who & (kind == DEFECT_UNEVEN))) take(DEFECT_UNEVEN, uneven(at, s));
        if (omm::any(who & (kind == DEFECT_SEAM))) take(DEFECT_SEAM, seam(at, s));
        if (omm::any(who & (kind == DEFECT_MISSING))) take(DEFECT_MISSING, missing(at, s));
        if (omm::any(who & (kind == DEFECT_MISPRINT))) take(DEFECT_MISPRINT, misprint(at, s));
        if (omm::any(who & (kind == DEFECT_DUST))) take(DEFECT_DUST, dust(at, s));
        if (omm::any(who & (kind == DEFECT_HAIR))) take(DEFECT_HAIR, hair(at, s));
        if (omm::any(who & (kind == DEFECT_GLINT))) take(DEFECT_GLINT, glint(at, s, 4.0f));
        if (omm::any(who & (kind == DEFECT_GLARE))) take(DEFECT_GLARE, glint(at, s, 2.0f));
        if (omm::any(who & (kind == DEFECT_MACHINING))) take(DEFECT_MACHINING, machining(at, s));
        if (omm::any(who & (kind == DEFECT_MARKING))) take(DEFECT_MARKING, marking(at, s));
        return out;
    };
