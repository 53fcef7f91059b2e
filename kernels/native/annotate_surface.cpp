// The material at the centres of the pixels of a run (kernels/annotate_surface.py). Needs find.cpp and `wear`.
// In: geometry, views, materials (whose energy is deferred), span, hit, thread. Out: the images of out_images; empty ones were not asked for.

    const int end = span.first + span.count;
    const bool wants_albedo = out_images.albedo.shape[0] > 0, wants_roughness = out_images.roughness.shape[0] > 0;
    const bool wants_metallic = out_images.metallic.shape[0] > 0, wants_effect = out_images.effect.shape[0] > 0;
    for (int i = thread * span.run; i < (thread + 1) * span.run && i < span.count; i += OMM_WIDTH) {
        const int index = span.first + i;
        const Pixels pixels = pixels_of(views, index, end);
        decltype(hit.data + 0) hits[OMM_WIDTH];
        for (int l = 0; l < OMM_WIDTH; ++l) hits[l] = hit.data + (index + l < end ? index + l : end - 1);
        const Rows rows = label_rows(views, pixels, omm::to_float(pixels.y) + 0.5f);
        const Met met = met_by(geometry, hits, rows);
        V3 albedo = omm::vec3(0.0f, 0.0f, 0.0f);
        F roughness = omm::splat(0.0f), metallic = roughness, share[EFFECTS];
        for (int k = 0; k < EFFECTS; ++k) share[k] = roughness;
        if (omm::any(met.is_hit)) {
            const Ray ray = center_ray(views, pixels);
            const F width = met.t * spread_at(views, pixels, ray, met.t);
            Point p = point_at(rows, ray, met, width);
            wear(met, ray, width, p, share);
            // The base colour: of a share of metal its reflectance, of the rest the body's albedo.
            const Layers layers = kept_layers(p.bsdf);
            albedo = omm::select3(met.is_hit, omm::add(p.bsdf.diffuse, omm::scale(layers.metal, layers.share)), albedo);
            roughness = omm::select(met.is_hit, omm::sqrt(p.bsdf.alpha), roughness);
            metallic = omm::select(met.is_hit, layers.share, metallic);
        }
        for (int l = 0; l < OMM_WIDTH && index + l < end; ++l) {
            const size_t at = image_index(views, pixels, l);
            if (wants_albedo) {
                out_images.albedo.data[3 * at] = omm::get(albedo.x, l);
                out_images.albedo.data[3 * at + 1] = omm::get(albedo.y, l);
                out_images.albedo.data[3 * at + 2] = omm::get(albedo.z, l);
            }
            if (wants_roughness) out_images.roughness.data[at] = omm::get(roughness, l);
            if (wants_metallic) out_images.metallic.data[at] = omm::get(metallic, l);
            for (int k = 0; wants_effect && k < EFFECT_COUNT; ++k)
                out_images.effect.data[EFFECT_COUNT * at + k] = (unsigned char)(k < EFFECTS && omm::get_bool(met.is_hit, l) ? (int)(omm::get(share[k < EFFECTS ? k : 0], l) * 255.0f + 0.5f) : 0);
        }
    }
