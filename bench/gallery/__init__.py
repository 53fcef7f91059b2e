"""The pictures of docs/gallery, and the page that says how each was made: `python -m bench.gallery`."""
