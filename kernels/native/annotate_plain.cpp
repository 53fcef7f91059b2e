// Nothing lies on what rays met (kernels/annotate_surface.py): no batch without patterns pays for them.

    const int EFFECTS = 1;
    auto wear = [&](const Met&, const Ray&, F, Point&, F*) {};
