"""Datasets that are not rendered: pictures of others taken in, selections and mixtures of datasets."""
