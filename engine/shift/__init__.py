"""Comparing datasets by their pictures: what tells them apart, artefacts of synthesis, near duplicates."""
